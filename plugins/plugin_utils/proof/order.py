"""Order the rows that the proof stores: if possible, a row comes after the rows that it references.

In a cycle, one foreign key references a row that is stored later. If one of the cycle's keys may be NULL, the row with
that key is stored with NULL. Otherwise, one of the keys must be deferrable. A single attempt then stores all rows of
the cycle, and PostgreSQL checks the deferred key at the end.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..catalog import state as catalog
from ..changes.statement import State
from ..model.model import ForeignKey, Model, Table
from . import checks

Document = Mapping[str, Any]


@dataclass(frozen=True)
class Order:
    """The tables in the order in which their rows are stored.

    ``left`` and ``deferred`` contain, by table name, the foreign keys to later tables. Keys in ``left`` remain NULL.
    Keys in ``deferred`` must have a value when the row is stored, although the referenced row does not exist yet.
    ``twice`` contains the names of the tables in which each tenant has two rows.
    """

    tables: tuple[Table, ...]
    left: Mapping[str, tuple[ForeignKey, ...]]
    deferred: Mapping[str, tuple[ForeignKey, ...]]
    twice: frozenset[str] = frozenset()

    def used(self, table: Table) -> list[ForeignKey]:
        """Return the foreign keys with which a table's sample row references other rows of the same tenant."""
        return [key for key in table.foreign_keys if key not in self.left[table.name]]

    def pointers(self, names: Sequence[str]) -> list[Table]:
        """Return the named tables and all tables that reference them, even indirectly.

        The tables are in the order in which their rows can be deleted: a table comes before the tables that it
        references.
        """
        found = set(names)
        while more := {
            table.name
            for table in self.tables
            if table.name not in found and any(key.references in found for key in self.used(table))
        }:
            found |= more
        return [table for table in reversed(self.tables) if table.name in found]

    def circle(self, table: Table) -> list[Table]:
        """Return, in order, the tables whose rows the same attempt stores.

        If ``table`` is part of a cycle that needs deferred keys, these are all tables of the cycle. Otherwise, it is
        only ``table``.
        """
        reached = {one.name: {other.name for other in self.pointers([one.name])} for one in self.tables}
        members = [one for one in self.tables if one.name in reached[table.name] and table.name in reached[one.name]]
        return members if any(self.deferred[one.name] for one in members) else [table]


def of(model: Model, documents: Mapping[str, Document]) -> Order:
    """Return the order for a model's tables. ``documents`` contains their documents in the state, by name."""
    waiting, stored = list(model.tables), list[Table]()
    while waiting:
        there = {table.name for table in stored}
        lacking = {table.name: _lacking(table, there) for table in waiting}
        # Choose a table whose referenced tables are all stored. If there is none, prefer a table whose other foreign
        # keys may be NULL, then a table whose other keys are deferrable. Among equals, choose a table into which the
        # triggers of the waiting tables do not write.
        written = {name for table in waiting for name in table.sample_writes if name != table.name}
        chosen = min(
            waiting,
            key=lambda table: (
                _rank(table, lacking[table.name], documents.get(table.name, {})), table.name in written
            ),
        )  # fmt: skip
        stored.append(chosen)
        waiting.remove(chosen)
    left, deferred = {}, {}
    for place, table in enumerate(stored):
        later = _lacking(table, {other.name for other in stored[:place]})
        document = documents.get(table.name, {})
        left[table.name] = tuple(key for key in later if is_optional(table, key, document))
        deferred[table.name] = tuple(key for key in later if key not in left[table.name])
    paired = (pair for table in stored for pair in pairs(table, documents.get(table.name, {})))
    return Order(tuple(stored), left, deferred, frozenset(one.references for one, _ in paired))


def _lacking(table: Table, there: set[str]) -> list[ForeignKey]:
    return [key for key in table.foreign_keys if key.references not in there and key.references != table.name]


def _rank(table: Table, lacking: Sequence[ForeignKey], document: Document) -> int:
    needed = [key for key in lacking if not is_optional(table, key, document)]
    if not lacking:
        return 0
    return 1 if not needed else 2 if all(_is_deferrable(key, document) for key in needed) else 3


def is_optional(table: Table, key: ForeignKey, document: Document) -> bool:
    """Return whether a foreign key may be NULL in the sample row of its table."""
    keys = {name for own in (*table.surrogate_keys, *table.natural_keys) for name in own}
    needed = {item["name"] for item in document.get("attributes", []) if item["not_null"] or item["has_default"]}
    return any(name not in keys and name not in needed for name in key.columns)


def pairs(table: Table, document: Document) -> list[tuple[ForeignKey, ForeignKey]]:
    """Return the pairs of foreign keys to the same table that a CHECK compares.

    The two keys of a pair may have to reference different rows.
    """
    rules = [checks.mentioned(item["expression"]) for item in document.get("checks", [])]
    return [
        (one, other)
        for one, other in itertools.combinations(table.foreign_keys, 2)
        if (one.references, one.key) == (other.references, other.key) and one.references != table.name
        and not is_optional(table, one, document) and not is_optional(table, other, document)
        and any({*one.columns} & rule and {*other.columns} & rule for rule in rules)
    ]  # fmt: skip


def _is_deferrable(key: ForeignKey, document: Document) -> bool:
    found = [item for item in document.get("foreign_keys", []) if set(key.columns) <= set(item["columns"])]
    return all(item["deferrable"] for item in found)


def refused(state: State, model: Model) -> list[str]:
    """Return a sentence for each foreign key that prevents any row of its cycle from being stored first."""
    documents = {table.name: catalog.table(state, table.name) or {} for table in model.tables}
    order = of(model, documents)
    return [
        f"The foreign key ({', '.join(key.columns)}) of {model.schema}.{table.name} is part of a cycle of foreign "
        "keys whose columns are all NOT NULL, and it is not deferrable, so no row can be stored first. Make the key "
        "deferrable: ALTER TABLE … ALTER CONSTRAINT … DEFERRABLE."
        for table in order.tables
        for key in order.deferred[table.name]
        if not _is_deferrable(key, documents[table.name])
    ]
