"""Indexes and unique keys that begin with the tenant column, of a table and of the partitions that hold its rows.

A partitioned table's index takes those of its partitions over where they are as it wants them, so that the long builds
are the partitions' (PostgreSQL manual, 5.12.2.2 "Partition Maintenance"). PostgreSQL makes no key of an index that a
partitioned table has already: its partitions' become keys first, and the table's takes those over.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ...module_utils.quoting import derived_name, identifier, literal, qualified
from ..catalog import state as catalog
from ..catalog.state import Relation
from ..model.model import IndexColumn, Model, Table
from . import foreign_keys, names, online
from .statement import State, Statement, statement

Document = Mapping[str, Any]

CONSTRAINTS = {"p": "PRIMARY KEY", "u": "UNIQUE"}
# What pg_get_indexdef ends with where an index has storage parameters.
STORAGE = re.compile(r' WITH \([^()"]+\)\Z')
# What pg_get_constraintdef ends with where a key can be deferred. Before it stands a parenthesis, never a name.
DEFERRABLE = re.compile(r"(?<=\)) DEFERRABLE(?: INITIALLY DEFERRED)?\Z")


def obstacles(state: State, model: Model, table: Table) -> list[str]:
    """Return what keeps the unique keys of a table and its partitions from carrying the tenant."""
    relations = catalog.relations(state, model, table)
    return [
        text
        for relation in relations
        for index in relation.document["indexes"]
        for text in _of_index(state, model, relation, index)
    ] + [text for relation in relations for text in _of_partition_key(state, model, relation)]


def _of_partition_key(state: State, model: Model, relation: Relation) -> list[str]:
    """Return one obstacle for each key that lacks a column which chooses the partition: PostgreSQL refuses it."""
    table, name = relation.table, f"{relation.schema}.{relation.name}"
    whole = catalog.required(state, table.name)
    return [
        f"The key ({', '.join(wanted)}) of {model.schema}.{table.name} must hold the columns that partition {name} "
        f"({', '.join(column or 'an expression' for column in columns)}): name one with all of them under natural_keys."
        for wanted in ((model.column, *key) for key in model.tenant_keys(table))
        if (columns := relation.document["partition_key"] or []) and not {*columns} <= {*wanted}
        if catalog.unique_key(whole, wanted) is None
    ]


def _of_index(state: State, model: Model, relation: Relation, index: Document) -> list[str]:
    table, name, key = relation.table, f"{relation.schema}.{relation.name}", index["name"]
    is_part = relation.is_partition and index["root"] is not None
    # A part is named once, with the table's.
    if index["unique"] and not is_part and not _is_known(index, model, table):
        unnamed = (
            f"The unique key {key} of {name} on ({', '.join(index['columns'])}) is not named in the model: name its "
            "columns under surrogate_keys (random values) or natural_keys of that table."
        )
        return [unnamed]
    if not is_global(index, table):
        return []
    if relation.is_partition and index["root"] is None:
        alone = (
            f"The key {key} of {name} is that partition's alone and has to be replaced: drop it, or make it a key of "
            f"{model.schema}.{table.name}."
        )
        return [alone]
    root = catalog.index_named(catalog.required(state, table.name), index["root"]) if is_part else None
    if root is not None and root["constraint"] is None and index["constraint"] is not None:
        held = (
            f"The key {key} of {name} is a part of the index {index['root']} of {model.schema}.{table.name}, which has "
            "to be replaced and cannot go before it: detach that partition, drop the key there, and attach it again."
        )
        return [held]
    found = []
    # Foreign keys that the model names are exchanged along with it.
    dependents = [text for text in index["dependents"] if text not in foreign_keys.descriptions(state, model)]
    if dependents:
        found.append(
            f"The key {key} of {name} has to be replaced, but {', '.join(dependents)} depends on it: name it under "
            "foreign_keys of its tenant table, or change or drop it first."
        )
    if index["replica_identity"]:
        found.append(
            f"The key {key} of {name} has to be replaced, but it is the table's replica identity: ALTER TABLE "
            f"{relation.target} REPLICA IDENTITY FULL first, or USING INDEX of another key."
        )
    if index["clustered"]:
        found.append(
            f"The key {key} of {name} has to be replaced, but CLUSTER is to order the table by it: ALTER TABLE "
            f"{relation.target} SET WITHOUT CLUSTER first."
        )
    return found


def _is_known(index: Document, model: Model, table: Table) -> bool:
    columns = tuple(index["names"])
    tenant_keys = tuple((model.column, *key) for key in table.natural_keys)
    return (
        columns in table.surrogate_keys
        or is_global(index, table)
        or columns in tenant_keys
        # A unique key that begins with the tenant column tells a tenant nothing about another.
        or columns[:1] == (model.column,)
    )


def is_global(index: Document, table: Table) -> bool:
    """Say whether an index is one of the table's natural keys without the tenant."""
    return bool(index["unique"]) and bool(index["plain"]) and tuple(index["names"]) in table.natural_keys


def planned(state: State, model: Model, table: Table) -> list[Statement]:
    """Return the statements that build the indexes and exchange the keys."""
    statements = [item for index in table.indexes for item in _index(state, model, table, index)]
    return statements + [
        item for key in model.tenant_keys(table) for item in _Key(state, model, table, key).statements()
    ]


def bring(relation: Relation, index: Document) -> list[tuple[str, str, str]]:
    """Return what makes an index of a snapshot anew, by its full definition: phase, identity and SQL of each statement.

    A key takes the index over. A partitioned table's takes over the keys of its partitions, which come before it.
    """
    name, constraint = identifier(index["name"]), index["constraint"]
    is_whole = relation.is_partitioned and constraint is not None
    # PostgreSQL makes the index of an exclusion constraint with it.
    is_exclusion = index["constraint_type"] == "x"
    made = []
    if not is_whole and not is_exclusion:
        made.append(("build", f"index.{index['name']}", _placed(index, _everywhere(index))))
    if constraint is not None:
        add = f"ALTER TABLE {relation.target} ADD CONSTRAINT {identifier(constraint)} "
        if is_exclusion:
            add += index["constraint_definition"]
        else:
            deferrable = DEFERRABLE.search(index["constraint_definition"])
            if is_whole:
                storage = STORAGE.search(index["definition"])
                add += DEFERRABLE.sub("", index["constraint_definition"]) + (storage[0] if storage else "")
            else:
                add += f"{CONSTRAINTS[index['constraint_type']]} USING INDEX {name}"
            add += deferrable[0] if deferrable else ""
        made.append(("attach", f"key.{index['name']}", _placed(index, add) if is_whole else add))
        if index["constraint_comment"] is not None:
            subject = f"CONSTRAINT {identifier(constraint)} ON {relation.target}"
            made.append(_comment(subject, index["constraint_comment"]))
    if index["comment"] is not None:
        made.append(_comment(f"INDEX {qualified(relation.schema, index['name'])}", index["comment"]))
    return made


def _everywhere(index: Document) -> str:
    """Return the definition of an index so that a partitioned table's takes those of its partitions over, too, or makes
    them.
    """
    definition: str = index["definition"]
    for name in catalog.printed(index["name"]):
        begin = f"CREATE {'UNIQUE ' if index['unique'] else ''}INDEX {name} ON "
        if definition.startswith(f"{begin}ONLY "):
            return begin + definition.removeprefix(f"{begin}ONLY ")
    return definition


def _placed(index: Document, sql: str) -> str:
    """Return the statement so that it makes the index in its tablespace, which PostgreSQL does not print."""
    if index["tablespace"] is None:
        return sql
    place = f"SET LOCAL default_tablespace = {identifier(index['tablespace'])}"
    return f"{place}; {sql}; SET LOCAL default_tablespace = DEFAULT"


def _comment(subject: str, text: str) -> tuple[str, str, str]:
    return "comment", f"comment.{subject}", f"COMMENT ON {subject} IS {literal(text)}"


def _build(identity: str, relation: Relation, sql: str, reason: str, makes: str | None = None) -> Statement:
    # PostgreSQL neither builds nor drops a partitioned table's index CONCURRENTLY.
    steps = [] if relation.is_partitioned else online.concurrently(sql)
    made = [] if makes is None else [names.index(relation, makes)]
    return statement(identity, relation.table.name, "build", sql, reason, steps, made)


def _index(state: State, model: Model, table: Table, index: Sequence[IndexColumn]) -> list[Statement]:
    whole = catalog.relation(state, model, table)
    wanted = [(model.column, False), *((column.name, column.descending) for column in index)]
    if catalog.has_index(whole.document, wanted):
        return []
    columns = [column.name for column in index]
    names_wanted = [name for name, _ in wanted]
    there = {part.target for part in catalog.partitions(state, model, table) if _has_own(whole, part, names_wanted)}
    planned = []
    for relation in [*catalog.holders(state, model, table), *([whole] if whole.is_partitioned else [])]:
        if relation.target in there:
            continue
        name = derived_name("idx", relation.name, model.column, *columns)
        planned += _drop_leftover(relation, name)
        planned.append(
            _build(
                f"{whole.name}.index.{'_'.join(columns)}{relation.suffix}", relation,
                f"CREATE INDEX {identifier(name)} ON {relation.target} "
                f"({', '.join([identifier(model.column), *(column.sql for column in index)])})",
                "Serve the service's queries within one tenant",
                name,
            )
        )  # fmt: skip
    return planned


def _has_own(whole: Relation, part: Relation, names: Sequence[str]) -> bool:
    """Say whether a partition has an index that PostgreSQL takes for a new one of the table's, in whichever order."""
    return any(
        index["names"] == list(names)
        and index["method"] == "btree"
        and index["valid"]
        and index["plain"]
        and not index["unique"]
        and " INCLUDE (" not in index["definition"]
        and catalog.index_named(whole.document, index["root"]) is None
        for index in part.document["indexes"]
    )


def _drop_leftover(relation: Relation, name: str) -> list[Statement]:
    """Plan to drop an index that bears the wanted name but is not what it says (an interrupted build)."""
    leftover = catalog.index_named(relation.document, name)
    if leftover is None:
        return []
    return [
        _build(
            f"{relation.table.name}.leftover.{name}", relation,
            f"DROP INDEX {qualified(relation.schema, name)}",
            "Remove an index of that name that is invalid or covers other columns",
        )
    ]  # fmt: skip


class _Key:
    """One key of a table, which is to carry the tenant."""

    def __init__(self, state: State, model: Model, table: Table, key: tuple[str, ...]) -> None:
        """Look at what there is of it."""
        self.whole, self.parts = catalog.relation(state, model, table), catalog.partitions(state, model, table)
        self.holders = catalog.holders(state, model, table)
        self.key, self.wanted = key, (model.column, *key)
        self.identity = f"{table.name}.key.{'_'.join(key)}"
        self.reason = (
            f"Make ({', '.join(key)}) unique per tenant instead of globally"
            if key in table.natural_keys
            else f"Let foreign keys point to ({', '.join(key)}) together with the tenant"
        )
        old = self._old(self.whole)
        self.constraints = [index for index in old if index["constraint"] is not None]
        self.bare = [index for index in old if index["constraint"] is None]
        self.kind = "p" if any(index["constraint_type"] == "p" for index in old) else "u"

    def statements(self) -> list[Statement]:
        """Return what builds the new key, puts it in the old one's place, and drops what is left of that."""
        builds, takes = [], []
        if self._is_missing():
            for relation in self.holders:
                name, built = self._index_to_take(relation)
                builds += built
                takes += [(relation, name)] if name is not None else []
        exchanged = self._exchanged_in_parts(takes) if self.whole.is_partitioned else self._exchanged(takes)
        return [*builds, *exchanged, *self._without_bare()]

    def _old(self, relation: Relation) -> list[Document]:
        return [
            index
            for index in relation.document["indexes"]
            if is_global(index, relation.table) and tuple(index["names"]) == self.key
        ]

    def _is_missing(self) -> bool:
        present = catalog.unique_key(self.whole.document, self.wanted)
        return (
            present is None
            or (present["constraint"] is None and (bool(self.constraints) or not self.bare))
            or (self.kind == "p" and present["constraint_type"] != "p")
        )

    def _own(self, relation: Relation) -> Document | None:
        """Return the index of before that the new key takes over, and takes along when it goes: a partition's key of
        either kind, or an index that backs none.
        """
        own = [
            index
            for index in relation.document["indexes"]
            if index["unique"] and index["valid"] and index["plain"] and index["names"] == list(self.wanted)
            if (index["root"] is None if relation.is_partition else index["constraint"] is None)
        ]
        return min(own, key=lambda index: index["constraint"] is None, default=None)

    def _index_to_take(self, relation: Relation) -> tuple[str | None, list[Statement]]:
        """Return the index that becomes the key of a relation that holds rows, and what builds it first.

        It is None where a partition has such a key of its own, which the table's takes over.
        """
        own = self._own(relation)
        if own is not None:
            return (str(own["name"]) if own["constraint"] is None else None), []
        name = derived_name(relation.name, *self.wanted, "tenant_key")
        build = _build(
            f"{self.identity}.build{relation.suffix}", relation,
            f"CREATE UNIQUE INDEX {identifier(name)} ON {relation.target} ({self._columns})",
            f"Build the key ({', '.join(self.wanted)})",
            name,
        )  # fmt: skip
        return name, [*_drop_leftover(relation, name), build]

    def _exchanged(self, takes: Sequence[tuple[Relation, str]]) -> list[Statement]:
        """Return the one statement that exchanges the key of an ordinary table."""
        drops = self._drops
        adds = [self._using(*take) for take in takes]
        if not drops and not adds:
            return []
        makes = [self._makes(*take) for take in takes]
        return [self._change(self.identity, self.whole, [*drops, *adds], makes)]

    def _exchanged_in_parts(self, takes: Sequence[tuple[Relation, str]]) -> list[Statement]:
        """Return the statements that exchange the key of a partitioned table: it goes with its partitions' keys, the
        partitions get theirs, and the table takes those over.
        """
        planned = []
        if self._drops:
            planned.append(self._change(f"{self.identity}.drop", self.whole, self._drops))
        planned += [
            # The table's key takes it along when it goes.
            self._change(
                f"{self.identity}{relation.suffix}", relation, [self._using(relation, name)],
                [self._makes(relation, name)],
            )
            for relation, name in takes
        ]  # fmt: skip
        if self._is_missing():
            name = identifier(self._name(self.whole))
            add = f"ADD CONSTRAINT {name} {CONSTRAINTS[self.kind]} ({self._columns})"
            planned.append(self._change(self.identity, self.whole, [add], [self._makes(self.whole, "")]))
        return planned

    def _without_bare(self) -> list[Statement]:
        return [
            statement(
                f"{self.identity}.drop.{index['name']}", self.whole.name, "key",
                f"DROP INDEX {qualified(self.whole.schema, index['name'])}",
                f"Drop the global key ({', '.join(self.key)}), which tells one tenant what another has",
            )
            for index in self.bare
        ]  # fmt: skip

    @property
    def _columns(self) -> str:
        return ", ".join(map(identifier, self.wanted))

    @property
    def _drops(self) -> list[str]:
        return [f"DROP CONSTRAINT {identifier(index['constraint'])}" for index in self.constraints]

    def _name(self, relation: Relation) -> str:
        """Return the new constraint's name: that of the primary key which it takes the place of, or its own."""
        primary = (index["constraint"] for index in self._old(relation) if index["constraint_type"] == "p")
        return next(primary, derived_name(relation.name, *self.wanted, "key"))

    def _makes(self, relation: Relation, index: str) -> names.Made:
        """Return the name that the new key takes, unless it is that of a key which goes."""
        return names.key(relation, self._name(relation), index, [item["name"] for item in self._old(relation)])

    def _using(self, relation: Relation, index: str) -> str:
        name = identifier(self._name(relation))
        return f"ADD CONSTRAINT {name} {CONSTRAINTS[self.kind]} USING INDEX {identifier(index)}"

    def _change(
        self, identity: str, relation: Relation, actions: Sequence[str], makes: Sequence[names.Made] = ()
    ) -> Statement:
        sql = f"ALTER TABLE {relation.target} {', '.join(actions)}"
        return statement(identity, self.whole.name, "key", sql, self.reason, makes=makes)
