"""Unique keys as the catalogs define them: unique indexes and exclusion constraints, field by field.

A key that holds the tenant column, compared for equality and at any place, tells no tenant what another has.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..model.model import Model, Table
from .state import Document

EQUALS = "OPERATOR(pg_catalog.=)"
# PostgreSQL's limit of an index's columns (INDEX_MAX_KEYS).
MAX_COLUMNS = 32


def is_key(index: Document) -> bool:
    """Say whether an index forbids values."""
    return bool(index["unique"]) or index["constraint_type"] == "x"


def is_made_with_constraint(index: Document) -> bool:
    """Say whether PostgreSQL makes the index with its constraint alone: it takes no finished index over."""
    return index["constraint_type"] == "x" or bool(index["key"]["period"])


def holds_tenant(index: Document, column: str) -> bool:
    """Say whether two rows of different tenants are never in each other's way."""
    return any(_is_tenant(element, column) for element in index["key"]["elements"])


def _is_tenant(element: Document, column: str) -> bool:
    return element["column"] == column and element["operator"] in (None, EQUALS)


def columns(index: Document, column: str) -> frozenset[str]:
    """Return the columns that a key reads, without the tenant's."""
    return frozenset(index["key"]["columns"]) - {column}


def is_surrogate(index: Document, model: Model, table: Table) -> bool:
    """Say whether the model takes a key's values for random."""
    return columns(index, model.column) in _sets(table.surrogate_keys, model)


def is_natural(index: Document, model: Model, table: Table) -> bool:
    """Say whether the model names a key under natural_keys. One that reads no column cannot be named, nor be random."""
    named = columns(index, model.column)
    return not named or named in _sets(table.natural_keys, model)


def is_global(index: Document, model: Model, table: Table) -> bool:
    """Say whether a key is one of the table's natural keys without the tenant."""
    return (
        is_key(index)
        and not holds_tenant(index, model.column)
        and not is_surrogate(index, model, table)
        and is_natural(index, model, table)
    )


def is_of_migration(index: Document, model: Model, table: Table) -> bool:
    """Say whether a key holds the tenant as the model wants it."""
    if not is_key(index) or not holds_tenant(index, model.column):
        return False
    named = columns(index, model.column)
    return named in _sets(model.tenant_keys(table), model) if named else len(index["key"]["elements"]) > 1


def serves(index: Document, model: Model, key: Iterable[str], *, pointed: bool) -> bool:
    """Say whether an index is the key of those columns and the tenant, or will be once it is exchanged.

    Foreign keys point to plain columns (``pointed``), unique in every row and at any time.
    """
    if not is_key(index) or columns(index, model.column) != frozenset(key) - {model.column}:
        return False
    return not pointed or is_plain(index)


def is_plain(index: Document) -> bool:
    """Say whether a key is unique columns and no more: a foreign key or ON CONFLICT can name them."""
    key = index["key"]
    return bool(index["unique"] and index["plain"] and not key["period"] and not key["deferrable"])


def arbiters(document: Document, model: Model, table: Table) -> list[tuple[str, ...]]:
    """Return the natural keys of a table that ON CONFLICT can name by their columns.

    One that is there in no form is made so; one of an expression or of a partition alone cannot be named.
    """
    alone = [
        index
        for partition in document.get("partitions", [])
        for index in partition["indexes"]
        if not index["root"] and is_key(index)
    ]
    found = []
    for key in table.natural_keys:
        there = [index for index in document["indexes"] if _serves_tenant(index, model, table, key)]
        elsewhere = any(_serves_tenant(index, model, table, key) for index in alone)
        if any(map(is_plain, there)) or not (there or elsewhere):
            found.append(key)
    return found


def _serves_tenant(index: Document, model: Model, table: Table, key: Iterable[str]) -> bool:
    return serves(index, model, key, pointed=False) and (
        holds_tenant(index, model.column) or is_global(index, model, table)
    )


def meaning(index: Document, column: str) -> Any:
    """Return what a key forbids within a tenant, in whatever order."""
    key = index["key"]
    elements = [(item["sql"], item["collation"], item["class"], item["operator"]) for item in _others(index, column)]
    return frozenset(elements), key["predicate"], key["nulls_not_distinct"], key["deferrable"], key["deferred"]


def definition(index: Document, column: str) -> Any:
    """Return how a key is made, without the tenant column and what only its constraint has."""
    key = index["key"]
    return _others(index, column), key["include"], key["predicate"], key["nulls_not_distinct"], key["period"]


def _others(index: Document, column: str) -> list[Document]:
    return [item for item in index["key"]["elements"] if not _is_tenant(item, column)]


def _sets(keys: Iterable[Iterable[str]], model: Model) -> set[frozenset[str]]:
    return {frozenset(key) - {model.column} for key in keys} - {frozenset()}
