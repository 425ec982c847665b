"""The shapes of the documents in an archive for support. No shape permits free text.

A shape is one of these:

* a function that returns the permitted part of a value;
* a dict of shapes by field, which omits all other fields;
* a list with the shape of its items;
* ``Each``, for a dict whose keys are names.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ...module_utils.logged import sqlstate
from .names import Names, own_tasks, own_words

Shape = Any
Picker = Callable[[Any, Names], Any]


@dataclass(frozen=True)
class Each:
    """A dict whose keys are names of ``kind``, and whose values have the shape ``item``."""

    kind: str
    item: Shape


def pick(value: Any, shape: Shape, names: Names) -> Any:
    """Return the part of a JSON document that ``shape`` permits. None and values with another format become None."""
    if value is None:
        return None
    if isinstance(shape, Each):
        items = value.items() if isinstance(value, Mapping) else ()
        return {names.of(shape.kind, str(key)): pick(item, shape.item, names) for key, item in items}
    if isinstance(shape, dict):
        there = value if isinstance(value, Mapping) else {}
        return {field: pick(there[field], item, names) for field, item in shape.items() if field in there}
    if isinstance(shape, list):
        return [pick(item, shape[0], names) for item in value] if isinstance(value, list) else None
    return shape(value, names)


def number(value: Any, _: Names) -> int | float | None:
    """Return the value if it is a number, true or false."""
    return value if isinstance(value, int | float) else None


def count(value: Any, _: Names) -> int | None:
    """Return the number of items of a list or a dict."""
    return len(value) if isinstance(value, list | Mapping) else None


def present(value: Any, _: Names) -> bool:
    """Return whether the value is not null."""
    return value is not None


def matching(pattern: str) -> Picker:
    """Permit a string that matches the whole pattern."""
    expression = re.compile(pattern)
    return lambda value, _: value if isinstance(value, str) and expression.fullmatch(value) else None


def one_of(words: str) -> Picker:
    """Permit one of ``words``, which are separated by vertical bars."""
    allowed = frozenset(words.split("|"))
    return lambda value, _: value if value in allowed else None


def name(kind: str) -> Picker:
    """Permit a name, which may become a pseudonym."""
    return lambda value, names: names.of(kind, value) if isinstance(value, str) and value else None


def label(value: Any, names: Names) -> str | None:
    """Return a label of this runbook, with pseudonyms for the names in it."""
    return names.label(value) if isinstance(value, str) else None


def outcome(value: Any, names: Names) -> Any:
    """Return a finding's value: a number, a row count, an SQLSTATE, an SQL type, or a list of them.

    For a list with any other item, return the number of items as text.
    """
    if isinstance(value, list):
        kept = [outcome(item, names) for item in value]
        return f"{len(value)} items" if None in kept else kept
    if isinstance(value, str):
        return value if _OUTCOME.fullmatch(value) else type_(value, names)
    return number(value, names)


def durations(value: Any, names: Names) -> dict[str, Any]:
    """Return the durations of the measured steps, by label."""
    items = value.items() if isinstance(value, Mapping) else ()
    return {names.label(key): item for key, item in items if isinstance(item, int | float)}


def own(value: Any, _: Names) -> str | None:
    """Return the value if it is a word from this runbook's own texts, such as the name of a phase."""
    is_word = isinstance(value, str) and re.fullmatch(r"[A-Za-z_-]{1,40}", value)
    return value if is_word and all(part in own_words() for part in re.findall(r"[A-Za-z_]+", value)) else None


def task(value: Any, _: Names) -> str | None:
    """Return the value if it is the name of a task in the roles."""
    return value if value in own_tasks() else None


def code(value: Any, _: Names) -> str | None:
    """Return the SQLSTATE in a message."""
    return sqlstate(value) if isinstance(value, str) else None


def version(value: Any, _: Names) -> str | None:
    """Return the first version number in a string."""
    found = re.search(r"(?<!\d)\d{1,4}(?:\.\d{1,4}){0,3}(?!\d)", str(value))
    return found.group() if found else None


_OUTCOME = re.compile(r"\d{1,12} rows|error [0-9A-Z]{5}|\d{1,3}/\d{1,3}")
time = matching(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(\+00:00)?")
letter = matching("[A-Za-z]")
# The values of PostgreSQL's settings: numbers, booleans, or words from a list.
setting = matching(
    r"-?\d{1,10}(\.\d{1,6})?|on|off|none|all|ddl|mod|minimal|replica|logical|local|remote_apply|remote_write|try"
    r"|debug[1-5]|log|notice|warning|error|fatal|panic|terse|default|verbose|md5|scram-sha-256|serializable"
    r"|repeatable read|read (un)?committed|view|foreign-table"
)
method = one_of("btree|hash|gist|gin|brin|spgist|ivfflat|hnsw")
command = one_of("ALL|SELECT|INSERT|UPDATE|DELETE")
type_ = one_of(
    "integer|bigint|smallint|text|uuid|json|jsonb|boolean|date|numeric|real|double precision|character varying"
    "|timestamp without time zone|timestamp with time zone|bytea|name|oid|void|trigger"
)
