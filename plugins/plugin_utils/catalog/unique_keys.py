"""Unique keys as the catalogs define them: unique indexes and exclusion constraints, field by field.

If a key compares the tenant column for equality, at any position, its errors do not reveal another tenant's values.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..model.model import Model, Table
from .state import Document

EQUALS = "OPERATOR(pg_catalog.=)"
# PostgreSQL's limit for the columns of an index (INDEX_MAX_KEYS).
MAX_COLUMNS = 32


def is_key(index: Document) -> bool:
    """Return whether an index is a unique index or the index of an exclusion constraint."""
    return bool(index["unique"]) or index["constraint_type"] == "x"


def is_made_with_constraint(index: Document) -> bool:
    """Return whether only ADD CONSTRAINT can create the index, because the constraint cannot use an existing index."""
    return index["constraint_type"] == "x" or bool(index["key"]["period"])


def holds_tenant(index: Document, column: str) -> bool:
    """Return whether the key contains the tenant column, in which case rows of different tenants never conflict."""
    return any(_is_tenant(element, column) for element in index["key"]["elements"])


def _is_tenant(element: Document, column: str) -> bool:
    return element["column"] == column and element["operator"] in (None, EQUALS)


def columns(index: Document, column: str) -> frozenset[str]:
    """Return the columns that a key uses, except the tenant column."""
    return frozenset(index["key"]["columns"]) - {column}


def is_surrogate(index: Document, model: Model, table: Table) -> bool:
    """Return whether the model lists a key under surrogate_keys."""
    return columns(index, model.column) in _sets(table.surrogate_keys, model)


def is_natural(index: Document, model: Model, table: Table) -> bool:
    """Return whether the model lists a key under natural_keys. A key on the tenant column alone is never listed, but
    counts as natural."""
    named = columns(index, model.column)
    return not named or named in _sets(table.natural_keys, model)


def is_global(index: Document, model: Model, table: Table) -> bool:
    """Return whether a key is one of the table's natural keys and lacks the tenant column."""
    return (
        is_key(index)
        and not holds_tenant(index, model.column)
        and not is_surrogate(index, model, table)
        and is_natural(index, model, table)
    )


def is_of_migration(index: Document, model: Model, table: Table) -> bool:
    """Return whether a key is in the model and contains the tenant column."""
    if not is_key(index) or not holds_tenant(index, model.column):
        return False
    named = columns(index, model.column)
    return named in _sets(model.tenant_keys(table), model) if named else len(index["key"]["elements"]) > 1


def serves(index: Document, model: Model, key: Iterable[str], *, pointed: bool) -> bool:
    """Return whether an index is a key on exactly the columns ``key``, with or without the tenant column.

    ``pointed`` is true if a foreign key references the key. A foreign key can only reference a key on plain columns
    that is neither partial nor deferrable.
    """
    if not is_key(index) or columns(index, model.column) != frozenset(key) - {model.column}:
        return False
    return not pointed or is_plain(index)


def is_plain(index: Document) -> bool:
    """Return whether an index is a unique index on plain columns, which a foreign key or ON CONFLICT can name."""
    key = index["key"]
    return bool(index["unique"] and index["plain"] and not key["period"] and not key["deferrable"])


def arbiters(document: Document, model: Model, table: Table) -> list[tuple[str, ...]]:
    """Return the natural keys of a table that ON CONFLICT can infer from their columns after the migration.

    These include missing keys, which the migration creates. ON CONFLICT cannot infer a key from its columns if the key
    has an expression, or exists only on a partition.
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
        plain = [index for index in there if is_plain(index) and not _is_to_become_deferrable(index, there, model)]
        if plain or not (there or elsewhere):
            found.append(key)
    return found


def _is_to_become_deferrable(built: Document, there: Iterable[Document], model: Model) -> bool:
    """Return whether the plan turns an index that has already been built into a deferrable constraint."""
    return built["constraint"] is None and any(
        index["key"]["deferrable"] and definition(index, model.column) == definition(built, model.column)
        for index in there
    )


def _serves_tenant(index: Document, model: Model, table: Table, key: Iterable[str]) -> bool:
    return serves(index, model, key, pointed=False) and (
        holds_tenant(index, model.column) or is_global(index, model, table)
    )


def meaning(index: Document, column: str) -> Any:
    """Return a value that is equal for keys that enforce the same rule within a tenant, in any order of columns."""
    key = index["key"]
    elements = [(item["sql"], item["collation"], item["class"], item["operator"]) for item in _others(index, column)]
    return frozenset(elements), key["predicate"], key["nulls_not_distinct"], key["deferrable"], key["deferred"]


def definition(index: Document, column: str) -> Any:
    """Return the definition of a key without the tenant column and without the properties of its constraint."""
    key = index["key"]
    return _others(index, column), key["include"], key["predicate"], key["nulls_not_distinct"], key["period"]


def _others(index: Document, column: str) -> list[Document]:
    return [item for item in index["key"]["elements"] if not _is_tenant(item, column)]


def _sets(keys: Iterable[Iterable[str]], model: Model) -> set[frozenset[str]]:
    return {frozenset(key) - {model.column} for key in keys} - {frozenset()}
