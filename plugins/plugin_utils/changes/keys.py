"""Unique keys and indexes that begin with the tenant column, of a table and of the partitions that hold its rows.

PostgreSQL makes no key of an index that a partitioned table has already: its partitions' become keys first, and the
table's takes those over (PostgreSQL manual, 5.12.2.2 "Partition Maintenance").
"""

from __future__ import annotations

from collections.abc import Sequence

from ...module_utils.quoting import derived_name, identifier, qualified
from ..catalog import definitions
from ..catalog import state as catalog
from ..catalog.state import Relation
from ..model.model import Model, Table
from . import foreign_keys, indexes, names
from .change import (
    Change,
    Document,
    Ended,
    RelationRollback,
    Rollback,
    by_name,
    made,
    missing,
    nothing,
    tables,
)
from .finding import Finding, finding
from .statement import State, Statement, statement


def obstacles(state: State, model: Model) -> list[str]:
    """Return what keeps the unique keys of the tables and their partitions from carrying the tenant."""
    found = []
    for table in tables(state, model):
        whole = catalog.relations(state, model, table)
        found += [
            text
            for relation in whole
            for index in relation.document["indexes"]
            for text in _of_index(state, model, relation, index)
        ]
        found += [text for relation in whole for text in _of_partition_key(state, model, relation)]
    return found


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


def plan(state: State, model: Model) -> list[Statement]:
    """Return the statements that build the indexes and exchange the keys."""
    planned = []
    for table in tables(state, model):
        planned += [item for index in table.indexes for item in indexes.planned(state, model, table, index)]
        planned += [item for key in model.tenant_keys(table) for item in _Key(state, model, table, key).statements()]
    return planned


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
        build = indexes.build(
            f"{self.identity}.build{relation.suffix}", relation,
            f"CREATE UNIQUE INDEX {identifier(name)} ON {relation.target} ({self._columns})",
            f"Build the key ({', '.join(self.wanted)})",
            name,
        )  # fmt: skip
        return name, [*indexes.drop_leftover(relation, name), build]

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
            add = f"ADD CONSTRAINT {name} {indexes.CONSTRAINTS[self.kind]} ({self._columns})"
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
        return f"ADD CONSTRAINT {name} {indexes.CONSTRAINTS[self.kind]} USING INDEX {identifier(index)}"

    def _change(
        self, identity: str, relation: Relation, actions: Sequence[str], makes: Sequence[names.Made] = ()
    ) -> Statement:
        sql = f"ALTER TABLE {relation.target} {', '.join(actions)}"
        return statement(identity, self.whole.name, "key", sql, self.reason, makes=makes)


def findings(state: State, model: Model) -> list[Finding]:
    """Return whether the keys and indexes per tenant are there, and no global key is left."""
    return [item for table in tables(state, model) for item in _findings_of(state, model, table)]


def _findings_of(state: State, model: Model, table: Table) -> list[Finding]:
    document, found = catalog.required(state, table.name), []
    for key in model.tenant_keys(table):
        present = catalog.unique_key(document, (model.column, *key))
        found.append(finding(f"key ({', '.join((model.column, *key))})", table.name, True, present is not None))
    for key in table.natural_keys:
        remains = [index["name"] for index in document["indexes"] if index["unique"] and tuple(index["names"]) == key]
        found.append(finding(f"global key ({', '.join(key)}) left", table.name, [], remains))
    for index in table.indexes:
        wanted = [(model.column, False), *((item.name, item.descending) for item in index)]
        words = f"index ({', '.join(name for name, _ in wanted)})"
        found.append(finding(words, table.name, True, catalog.has_index(document, wanted)))
    parts = catalog.partitions(state, model, table)
    lacking = [part.name for part in parts if not all(index["valid"] for index in part.document["indexes"])]
    found += [finding("partitions without valid indexes", table.name, [], lacking)] if parts else []
    invalid = [index["name"] for index in document["indexes"] if not index["valid"]]
    return [*found, finding("invalid indexes", table.name, [], invalid)]


def rollback(back: Rollback) -> list[Statement]:
    """Return the statements that drop the keys and indexes per tenant, and bring those of the snapshot back."""
    return [statement for item in back.relations for statement in _back_of_relation(back, item)]


def _back_of_relation(back: Rollback, item: RelationRollback) -> list[Statement]:
    now, before, planned = by_name(item.now["indexes"]), by_name(item.before["indexes"]), []
    for name in sorted(_own(back, item)):
        if name in before and made(now[name]) == made(before[name]):
            continue
        if item.relation.is_partition and now[name]["root"]:
            # The table's takes it along.
            continue
        constraint, reason = now[name]["constraint"], "Drop the keys and indexes per tenant"
        planned.append(
            item.alter(f"key.drop.{name}", "key", f"DROP CONSTRAINT {identifier(constraint)}", reason)
            if constraint is not None
            else item.statement(
                f"index.drop.{name}", "key", f"DROP INDEX {qualified(item.relation.schema, name)}", reason
            )
        )
    reasons = {"comment": "Bring the comments of before back"}
    for index in _of_before(back, item):
        planned += [
            item.statement(identity, phase, sql, reasons.get(phase, "Bring the keys and indexes of before back"))
            for phase, identity, sql in indexes.recreate(item.relation, index)
        ]
    return planned


def _own(back: Rollback, item: RelationRollback) -> set[str]:
    return {index["name"] for index in indexes.of_migration(back.model, item.relation)}


def _of_before(back: Rollback, item: RelationRollback) -> list[Document]:
    now, ours = by_name(item.now["indexes"]), _own(back, item)
    return [
        index
        for index in item.before["indexes"]
        if (name := index["name"]) not in now or (name in ours and made(now[name]) != made(index))
    ]


def _shared(back: Rollback, item: RelationRollback) -> list[str]:
    """Return the keys of all tenants that rows of several tenants share by now."""
    again = [set(index["names"]) for index in _of_before(back, item) if index["unique"] and index["plain"]]
    return [
        f"({', '.join(shared['columns'])}) of {item.title} was unique in all tenants, and {shared['rows']:,} rows "
        f"share {shared['keys']:,} values of it by now: change or delete them first, or use rollback_mode=restore."
        for shared in back.state["hazards"]["shared"]
        if shared["table"] == item.table.name and not item.relation.is_partition and set(shared["columns"]) in again
    ]


def rollback_obstacles(back: Rollback) -> list[str]:
    """Return what of an ordinary role would run if the indexes came back, and what rows could not share any more."""
    found = [text for item in back.relations for text in _shared(back, item)]
    for item in back.relations:
        for index in _of_before(back, item):
            if not index["plain"]:
                texts = [index["definition"], index["constraint_definition"]]
                what = f"The index {index['name']} of {item.title}"
                found += definitions.expressions(back.state, what, texts, back.path)
    return found


def rollback_findings(back: Rollback) -> list[Finding]:
    """Return whether every key and index of the snapshot is there, and none of the migration's."""
    found = []
    for item in back.known:
        lost = missing(item.before["indexes"], item.now["indexes"])
        left = _own(back, item) - by_name(item.before["indexes"]).keys()
        found += [
            finding(f"indexes{item.where} of before that are missing", item.table.name, [], lost),
            finding(f"indexes{item.where} of the migration that are left", item.table.name, [], sorted(left)),
        ]
    return found


CHANGE = Change(
    phases=frozenset({"build", "key", "attach", "comment"}),
    obstacles=obstacles,
    hazards=nothing,
    plan=plan,
    findings=findings,
    rollback=rollback,
    rollback_obstacles=rollback_obstacles,
    rollback_findings=rollback_findings,
    # Keys stay.
    row_security_off=nothing,
    row_security_off_findings=nothing,
    ended_errors=(Ended("key", ("42P10",)),),
    audit_rules=frozenset({"unique-key"}),
)
