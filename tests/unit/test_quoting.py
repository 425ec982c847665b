"""A quoted name is always a single identifier, and a quoted value is always a single literal."""

from __future__ import annotations

from typing import Any

import pglast
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ansible_collections.aimemory.tenancy.plugins.module_utils import quoting
from ansible_collections.aimemory.tenancy.plugins.module_utils.errors import ModelError

# Surrogates cannot be encoded as UTF-8, and PostgreSQL does not accept NUL characters.
characters = st.characters(exclude_categories=["Cs"], exclude_characters="\x00")
names = st.text(characters, min_size=1).filter(lambda name: len(name.encode()) <= quoting.MAX_IDENTIFIER_BYTES)


def parse(sql: str) -> Any:
    """Return the parse tree of the single statement in ``sql``."""
    statements = pglast.parse_sql(sql)
    assert len(statements) == 1
    return statements[0].stmt


@given(names)
@example("select")
@example('"; DROP TABLE memories; --')
@example("Capital Letters")
@example("{{ jinja }}")
def test_an_identifier_stays_one_identifier(name: str) -> None:
    statement = parse(f"SELECT 1 FROM {quoting.identifier(name)}")
    assert statement.fromClause[0].relname == name


@given(st.text(characters))
@example("it's")
@example("\\")
@example("\\'; DROP TABLE memories; --")
def test_a_value_stays_one_literal(value: str) -> None:
    statement = parse(f"SELECT {quoting.literal(value)}")
    assert statement.targetList[0].val.val.sval == value


@given(st.text(characters))
@example("$tenancy$ $tenancy_$")
@example("the end is $tenancy")
def test_a_body_stays_one_body(body: str) -> None:
    statement = parse(f"SELECT {quoting.dollar_quoted(body)}")
    assert statement.targetList[0].val.val.sval == body


@pytest.mark.parametrize("name", ["", "a\x00b", "x" * 64, "ü" * 32, "\ud800"])
def test_what_cannot_be_an_identifier_is_refused(name: str) -> None:
    with pytest.raises(ModelError):
        quoting.identifier(name)


@given(st.lists(st.text(characters, min_size=1), min_size=1, max_size=4))
def test_a_derived_name_fits(parts: list[str]) -> None:
    assert len(quoting.derived_name(*parts).encode()) <= quoting.MAX_IDENTIFIER_BYTES


def test_long_names_that_differ_stay_different() -> None:
    assert quoting.derived_name("x" * 70, "a") != quoting.derived_name("x" * 70, "b")
