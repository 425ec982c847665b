"""The verifier equals PostgreSQL's, and never contains the password."""

from __future__ import annotations

import base64

import pytest

from ansible_collections.aimemory.tenancy.plugins.module_utils import scram


def test_the_verifier_is_that_of_the_standard() -> None:
    # RFC 7677, section 3, has this salt and these keys for the password "pencil".
    salt = base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")
    assert scram.verifier("pencil", salt) == (
        "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:"
        "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
    )


def test_each_verifier_has_a_salt_of_its_own() -> None:
    first, second = scram.verifier("secret"), scram.verifier("secret")
    assert first != second
    assert "secret" not in first + second


def test_what_would_have_to_be_normalized_is_refused() -> None:
    with pytest.raises(ValueError, match="ASCII"):
        scram.verifier("pässword")
