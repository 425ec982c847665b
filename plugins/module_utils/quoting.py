"""SQL quoting: only these functions turn a value into SQL text."""

from __future__ import annotations

import hashlib

from .errors import ModelError

# NAMEDATALEN - 1. PostgreSQL silently truncates longer names, so two of them could become equal.
MAX_IDENTIFIER_BYTES = 63


def identifier(name: str) -> str:
    """Return ``name`` as one quoted SQL identifier.

    The name is always quoted, so that capitals, spaces, quotes and key words are preserved (PostgreSQL manual, 4.1.1
    "Identifiers and Key Words").

    Raises ModelError for an empty name, a NUL character, or more than 63 bytes of UTF-8.
    """
    if not isinstance(name, str) or not name:
        raise ModelError(f"An SQL identifier must be a non-empty string, not {name!r}.")
    if "\x00" in name:
        raise ModelError(f"The identifier {name!r} contains a NUL character, which PostgreSQL cannot store.")
    try:
        encoded = name.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ModelError(f"The identifier {name!r} is not valid Unicode text.") from error
    if len(encoded) > MAX_IDENTIFIER_BYTES:
        raise ModelError(
            f"The identifier {name!r} is longer than {MAX_IDENTIFIER_BYTES} bytes: PostgreSQL would truncate it."
        )
    return '"' + name.replace('"', '""') + '"'


def qualified(schema: str, name: str) -> str:
    """Return ``"schema"."name"``."""
    return f"{identifier(schema)}.{identifier(name)}"


def literal(value: str | int) -> str:
    """Return ``value`` as a quoted SQL string literal.

    A value with a backslash becomes an E'' string, which does not depend on ``standard_conforming_strings``
    (PostgreSQL's own quote_literal does the same).

    Raises ModelError for a NUL character.
    """
    text = str(value)
    if "\x00" in text:
        raise ModelError(f"The value {text!r} contains a NUL character, which PostgreSQL cannot store.")
    quoted = "'" + text.replace("'", "''").replace("\\", "\\\\") + "'"
    return " E" + quoted if "\\" in text else quoted


def dollar_quoted(body: str) -> str:
    """Return ``body`` between dollar quotes whose tag does not occur in it."""
    tag = "tenancy"
    # The search omits the tag's last "$": if the body ended with "$tag", the closing quote would complete the tag.
    while f"${tag}" in body:
        tag += "_"
    return f"${tag}${body}${tag}$"


def name_beside(name: str, suffix: str) -> str:
    """Return ``name`` with ``suffix``; to fit into 63 bytes, ``name`` is truncated but not ``suffix``."""
    kept = name.encode("utf-8")[: MAX_IDENTIFIER_BYTES - len(suffix.encode("utf-8"))]
    return kept.decode("utf-8", errors="ignore") + suffix


def derived_name(*parts: str) -> str:
    """Join ``parts`` with underscores into a name of at most 63 bytes.

    A longer name is truncated and ends with a hash of the full name, so that two long names remain different.
    """
    name = "_".join(parts)
    encoded = name.encode("utf-8")
    if len(encoded) <= MAX_IDENTIFIER_BYTES:
        return name
    digest = hashlib.sha256(encoded).hexdigest()[:8]
    return encoded[: MAX_IDENTIFIER_BYTES - 9].decode("utf-8", errors="ignore") + "_" + digest
