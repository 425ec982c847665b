"""Choose the rows to delete or change before the proof tries to reference another tenant's row.

If the tenant has a row with the same natural key, the foreign key references that row instead. If the tenant has a row
with the same keys as the referencing row, the two conflict. If a key must be unique across all tenants, for example
because it is also a foreign key, the other tenant deletes its row.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ...module_utils.quoting import identifier, qualified
from ..model.model import ForeignKey, Table
from . import order
from .attempt import EVERY, Need
from .order import Document

if TYPE_CHECKING:
    from .proof import Means


@dataclass(frozen=True)
class Room:
    """The changes to make before a row references another tenant's row.

    ``deleted`` lists the tables from which the tenant deletes its rows, and ``deleted_by_other`` those from which the
    other tenant deletes its rows. Rows that the referencing row needs must remain: ``released`` lists their tables,
    each with the foreign key columns to set to NULL. ``changed`` contains new values for the tenant's row in the
    referenced table. ``values`` contains the values of the referencing row that differ from the sample, by column.
    """

    deleted: Sequence[Table] = ()
    released: Sequence[tuple[Table, tuple[str, ...]]] = ()
    changed: Mapping[str, str] = field(default_factory=dict)
    deleted_by_other: Sequence[Table] = ()
    values: Mapping[str, str] = field(default_factory=dict)

    def needs(self, parent: Table) -> list[Need]:
        """Return the privileges that these changes require. ``parent`` is the referenced table."""
        deletes: list[Need] = [(table, "DELETE", ()) for table in (*self.deleted, *self.deleted_by_other)]
        releases: list[Need] = [(table, "UPDATE", columns) for table, columns in self.released]
        return [*deletes, *releases, *([(parent, "UPDATE", tuple(self.changed))] if self.changed else [])]


def of(means: Means, table: Table, key: ForeignKey) -> Room | None:
    """Return the changes after which only ``key`` can reject the row of ``table``, or None if this is impossible."""
    parent = means.table(key.references)
    rows, changed, values = list[Table](), dict[str, str](), _apart(means, table, key)
    released = list[tuple[Table, tuple[str, ...]]]()
    if any(set(key.key) == set(natural) for natural in parent.natural_keys):
        if parent is table:
            values |= means.variant(table, key.key)
            rows = [table]
        elif _needed(means, table, key, means.order.pointers([parent.name])):
            # If the tenant has two rows in the referenced table, the second row already has the new values.
            changed = {} if parent.name in means.order.twice else means.variant(parent, key.key)
            rows = [one for one in means.model.tables if any(_is_same(other, key) for other in one.foreign_keys)]
            released = _released(means, table, key, rows)
            rows = [one for one in rows if one not in [other for other, _ in released]]
        else:
            rows = [parent]
        if (rows != [parent] and not (changed or values)) or (parent is table and not {*key.key} & {*values}):
            return None
    if _has_own_key(means, table, key):
        rows.append(table)
    deleted = means.order.pointers([one.name for one in rows]) if rows else []
    given = {*means.values(table)}
    theirs = [
        table.name for own in table.surrogate_keys if {*own} & {*key.columns} and {*own} <= given | {*key.columns}
    ]
    by_other = means.order.pointers(theirs) if theirs else []
    forbidden = any("delete" in one.append_only for one in (*deleted, *by_other))
    forbidden = forbidden or _lacks_rows(means, table, key, deleted)
    if forbidden or parent in by_other or (changed and (parent in deleted or "update" in parent.append_only)):
        return None
    # The referencing row must still find the rows of its own tenant that its other foreign keys reference.
    if _needed(means, table, key, [one for one in deleted if one is not table]):
        return None
    return Room(deleted, released, changed, by_other, values)


def _released(
    means: Means, table: Table, key: ForeignKey, rows: Iterable[Table]
) -> list[tuple[Table, tuple[str, ...]]]:  # fmt: skip
    """Return the tables in ``rows`` that the referencing row needs, each with the columns to set to NULL.

    These are the nullable columns of the foreign keys to the key that ``key`` references.
    """
    found = []
    for one in rows:
        if one is table or not _needed(means, table, key, means.order.pointers([one.name])):
            continue
        document = means.documents.get(one.name, {})
        keys = [other for other in one.foreign_keys if _is_same(other, key)]
        if "update" not in one.append_only and all(order.is_optional(one, other, document) for other in keys):
            found.append((one, tuple(name for other in keys for name in _optional(one, other, document))))
    return found


def _optional(table: Table, key: ForeignKey, document: Document) -> list[str]:
    """Return the columns of a foreign key that may be NULL."""
    return [name for name in key.columns if order.is_optional(table, ForeignKey((name,), "", ()), document)]


def _has_own_key(means: Means, table: Table, key: ForeignKey) -> bool:
    """Return whether the tenant already has a row with which the referencing row conflicts on a key of any kind."""
    indexes = means.documents.get(table.name, {}).get("indexes", [])
    found = [set(natural) for natural in table.natural_keys]
    found += [
        {name for name in index["names"] if name not in (None, means.model.column)}
        for index in indexes
        if index["unique"] or index["constraint_type"] == "x"
    ]
    random = [set(own) for own in table.surrogate_keys]
    return any(columns.isdisjoint(key.columns) and columns not in random for columns in found)


def _is_same(other: ForeignKey, key: ForeignKey) -> bool:
    return other.references == key.references and set(other.key) == set(key.key)


def _needed(means: Means, table: Table, key: ForeignKey, gone: Sequence[Table]) -> bool:
    """Return whether another foreign key of the row needs a row of the same tenant in one of the tables ``gone``."""
    document = means.documents.get(table.name, {})
    return any(
        other != key and means.table(other.references) in gone and not order.is_optional(table, other, document)
        for other in means.order.used(table)
    )


def _lacks_rows(means: Means, table: Table, key: ForeignKey, deleted: Sequence[Table]) -> bool:
    """Return whether a NOT NULL foreign key other than ``key`` references one of the tables in ``deleted``."""
    required = {
        item["name"] for item in means.documents.get(table.name, {}).get("attributes", []) if item["not_null"]
    }  # fmt: skip
    return any(
        other != key and other.references != table.name and means.table(other.references) in deleted
        and not required.isdisjoint(other.columns)
        for other in means.order.used(table)
    )  # fmt: skip


def _apart(means: Means, table: Table, key: ForeignKey) -> dict[str, str]:
    """Return NULL for columns of the other foreign keys that share a column with ``key``.

    The result contains only nullable columns that are not part of ``key``. Without NULL, the other foreign keys reject
    the row before ``key`` can.
    """
    document = means.documents.get(table.name, {})
    return {
        name: "NULL"
        for other in means.order.used(table)
        if other != key and {*other.columns} & {*key.columns} and order.is_optional(table, other, document)
        for name in _optional(table, other, document)
        if name not in key.columns
    }


def release(means: Means, released: Iterable[tuple[Table, tuple[str, ...]]]) -> list[str]:
    """Return the statements that set the ``released`` foreign key columns to NULL in a tenant's rows."""
    return [
        f"UPDATE {qualified(means.model.schema, table.name)} SET "
        f"{', '.join(f'{identifier(name)} = NULL' for name in names)}{EVERY}"
        for table, names in released
    ]


def delete(means: Means, tables: Iterable[Table]) -> list[str]:
    """Return the statements that delete a tenant's rows from ``tables``, in this order."""
    tables, order_ = list(tables), means.order
    deferred = any(order_.deferred[table.name] for table in tables)
    # A column that is NULL in the samples can have a value only if code in the database, such as a trigger, has set it.
    filled_in = [(table, tuple(_filled_in(means, table, tables))) for table in means.model.tables]
    released = release(means, [(table, names) for table, names in filled_in if names])
    deletes = [f"DELETE FROM {qualified(means.model.schema, table.name)}{EVERY}" for table in tables]
    return [*(["SET CONSTRAINTS ALL DEFERRED"] if deferred else []), *released, *deletes]


def _filled_in(means: Means, table: Table, gone: Sequence[Table]) -> list[str]:
    """Return the foreign key columns of a table that a trigger may have set to reference rows in ``gone``."""
    documents = means.documents
    if not any(documents.get(one.name, {}).get("triggers") for one in means.model.tables):
        return []
    if "update" in table.append_only:
        return []
    attributes = {item["name"]: item for item in documents.get(table.name, {}).get("attributes", [])}
    return [
        name
        for key in means.order.left[table.name]
        if means.table(key.references) in gone
        for name in key.columns
        if name in attributes and not attributes[name]["not_null"] and not means.lacks(table, "UPDATE", (name,))
    ]
