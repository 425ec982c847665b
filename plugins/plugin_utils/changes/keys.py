"""Unique keys that contain the tenant column, on a table and on the partitions that store its rows.

The new key has the definition of the old key in the catalogs, with the tenant column as its first column. Therefore
rows of the same tenant conflict as before. The key keeps its name, comments and marks (replica identity and
clustering).

PostgreSQL cannot use an existing index of a partitioned table for a constraint. Therefore the partitions get their keys
first, which are then attached to the key of the table (PostgreSQL manual, 5.12.2.2 "Partition Maintenance").
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ...module_utils.quoting import derived_name, identifier, qualified
from ..catalog import definitions, unique_keys
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
)
from .finding import Finding, finding
from .statement import State, Statement, statement

# Alternatives to the index methods that allow only one column.
SINGLE = {"hash": "EXCLUDE USING btree, or a unique key", "spgist": "EXCLUDE USING gist"}


def obstacles(state: State, model: Model) -> list[str]:
    """Return the reasons why unique keys of the tables and their partitions cannot contain the tenant column."""
    found = []
    for table in catalog.tables(state, model):
        whole = catalog.relations(state, model, table)
        found += [
            text
            for relation in whole
            for index in relation.document["indexes"]
            if unique_keys.is_key(index)
            for text in _of_index(state, model, relation, index)
        ]
        found += [text for relation in whole for text in _of_partition_key(state, model, relation)]
    return found


def _of_partition_key(state: State, model: Model, relation: Relation) -> list[str]:
    """Return one obstacle for each new key that lacks a column of the partition key. PostgreSQL rejects such a key."""
    table, name = relation.table, relation.title
    return [
        f"The key ({', '.join(wanted)}) of {model.schema}.{table.name} must contain the columns that partition {name} "
        f"({', '.join(column or 'an expression' for column in columns)}): list a key with all of them under "
        "natural_keys."
        for key in _new_keys(state, model, table)
        for wanted in [(model.column, *key)]
        if (columns := relation.document["partition_key"] or []) and not {*columns} <= {*wanted}
    ]


def _of_index(state: State, model: Model, relation: Relation, index: Document) -> list[str]:
    table, name, key = relation.table, relation.title, index["name"]
    is_part = relation.is_partition and index["root"] is not None
    # The key of the table represents the keys of its partitions.
    if not is_part and not _is_known(index, model, table):
        return [_unnamed(name, index)]
    if not unique_keys.is_global(index, model, table):
        return []
    root = catalog.index_named(catalog.required(state, table.name), index["root"]) if is_part else None
    if root is not None and root["constraint"] is None and index["constraint"] is not None:
        held = (
            f"The key {key} of {name} is attached to the index {index['root']} of {model.schema}.{table.name}. The "
            "plan must replace this index, but PostgreSQL cannot drop it while the key exists: detach the partition, "
            "drop its key, and attach the partition again."
        )
        return [held]
    return [*_dependents(state, model, name, index), *([] if is_part else _impossible(state, model, relation, index))]


def _unnamed(name: str, index: Document) -> str:
    key, words = index["name"], ", ".join(index["key"]["columns"])
    if index["constraint_type"] == "x":
        return (
            f"The exclusion constraint {key} of {name} on ({words}) is not in the model, and reveals one tenant's "
            "values to another: list its columns under natural_keys of that table."
        )
    return (
        f"The unique key {key} of {name} on ({words}) is not in the model: list its columns under "
        "surrogate_keys (random values) or natural_keys of that table."
    )


def _dependents(state: State, model: Model, name: str, index: Document) -> list[str]:
    # The plan replaces the foreign keys of the model together with the key.
    dependents = [text for text in index["dependents"] if text not in foreign_keys.descriptions(state, model)]
    if not dependents:
        return []
    refusal = (
        f"The key {index['name']} of {name} must be replaced, but {', '.join(dependents)} depends on it: list a "
        "foreign key under foreign_keys of its tenant table, or change or drop the dependent object first."
    )
    return [refusal]


def _impossible(state: State, model: Model, relation: Relation, index: Document) -> list[str]:
    """Return the reasons why PostgreSQL cannot create the key with the tenant column."""
    name, key, method = relation.title, index["name"], index["method"]
    place = f"The key {key} of {name} must also contain {model.column}, but"
    if method in SINGLE:
        return [f"{place} an index of the method {method} can have only one column: make it {SINGLE[method]} first."]
    found = []
    columns = len(index["key"]["elements"]) + len(index["key"]["include"])
    if columns >= unique_keys.MAX_COLUMNS:
        found.append(
            f"{place} has {columns} columns, and PostgreSQL allows at most {unique_keys.MAX_COLUMNS}: remove "
            "one first, for example an included column."
        )
    if method == "gist" and model.column_type not in state["gist_types"]:
        found.append(
            f"{place} GiST cannot compare {model.column_type} for equality without the extension btree_gist: CREATE "
            "EXTENSION btree_gist first."
        )
    if unique_keys.is_made_with_constraint(index) and relation.is_partitioned:
        found.append(
            f"{place} PostgreSQL cannot attach a partition to an exclusion constraint: drop the constraint first, "
            f"and add it with {model.column} WITH = after the migration."
        )
    found += [
        f"The key {key} of {name} must be replaced, and contains a value of {title}. This type is a domain that an "
        "ordinary role owns, or contains such a domain, whose CHECK would run with the privileges of a superuser: "
        "review the CHECK, and make a superuser the owner of the domain first."
        for title in definitions.domains(state, _texts(index), None)
    ]
    return found


def _texts(index: Document) -> list[str]:
    """Return the expressions of a key, as PostgreSQL prints them."""
    key = index["key"]
    found = [item["sql"] for item in key["elements"] if item["column"] is None]
    return found + ([key["predicate"]] if key["predicate"] is not None else [])


def _is_known(index: Document, model: Model, table: Table) -> bool:
    return (
        unique_keys.holds_tenant(index, model.column)
        or unique_keys.is_surrogate(index, model, table)
        or unique_keys.is_natural(index, model, table)
    )


def plan(state: State, model: Model) -> list[Statement]:
    """Return the statements that build the indexes and replace the keys."""
    planned = []
    for table in catalog.tables(state, model):
        planned += [item for index in table.indexes for item in indexes.planned(state, model, table, index)]
        for relation, index in _global_keys(state, model, table):
            planned += _Exchange(state, model, relation, index).statements()
        for key in _new_keys(state, model, table):
            planned += _NewKey(state, model, table, key).statements()
    return planned


def _global_keys(state: State, model: Model, table: Table) -> list[tuple[Relation, Document]]:
    """Return the keys to replace, each with its table or partition. Keys that are attached to the key of a table are
    omitted."""
    return [
        (relation, index)
        for relation in catalog.relations(state, model, table)
        for index in relation.document["indexes"]
        if unique_keys.is_global(index, model, table) and not (relation.is_partition and index["root"])
    ]


def _new_keys(state: State, model: Model, table: Table) -> list[tuple[str, ...]]:
    """Return the columns of the keys that the table lacks, even after its existing keys have been replaced."""
    return [key for key in model.tenant_keys(table) if not _serving(state, model, table, key)]


def _serving(state: State, model: Model, table: Table, key: tuple[str, ...]) -> list[Document]:
    """Return the keys on the columns ``key`` that contain the tenant column, or that the plan replaces with such a key.

    A foreign key can only reference a key of the whole table. Any other natural key may exist only on a partition.
    """
    pointed, words = key in _pointed(model, table), _words(model, table, key)
    return [
        index
        for relation in catalog.relations(state, model, table)
        if not (relation.is_partition and pointed)
        for index in relation.document["indexes"]
        if not (relation.is_partition and index["root"])
        # An index with this name has been built, but no key uses it yet.
        if index["name"] != _new_name(relation.name, model, words)
        if unique_keys.serves(index, model, key, pointed=pointed)
        if (unique_keys.holds_tenant(index, model.column) and index["valid"])
        or (unique_keys.is_global(index, model, table) and not is_leftover(relation, index))
    ]


def _pointed(model: Model, table: Table) -> set[tuple[str, ...]]:
    """Return the keys of the table that foreign keys reference."""
    return {key.key for other in model.tables for key in other.foreign_keys if key.references == table.name}


def is_leftover(relation: Relation, index: Document) -> bool:
    """Return whether an interrupted build left this index. A dump does not contain such an index, and the index may
    never become valid."""
    return not index["valid"] and index["constraint"] is None and not relation.is_partitioned


def _words(model: Model, table: Table, key: tuple[str, ...]) -> tuple[str, ...]:
    """Return the parts of the name of a new key."""
    keys = model.tenant_keys(table)
    return names.words(key, keys[: keys.index(key)])


def _new_name(relation: str, model: Model, words: Iterable[str]) -> str:
    return derived_name(relation, model.column, *words, "tenant_key")


def temporary_name(name: str) -> str:
    """Return the name under which the plan builds the replacement of the key ``name``."""
    return derived_name(name, "tenant_key")


def _key_change(
    identity: str,
    relation: Relation,
    actions: Sequence[str],
    reason: str,
    makes: Sequence[names.Made] = (),
    scans: str = "",
) -> Statement:
    sql = f"ALTER TABLE {relation.target} {', '.join(actions)}"
    return statement(identity, relation.table.name, "key", sql, reason, makes=makes, scans=scans)


class _Exchange:
    """The replacement of a key with the same key plus the tenant column, on a table or an individual partition."""

    def __init__(self, state: State, model: Model, relation: Relation, index: Document) -> None:
        """Find the relations that get the key, and derive the ids of its statements."""
        self.column, self.index, self.whole = model.column, index, relation
        self.partitions = [
            part
            for part in catalog.partitions(state, relation.table)
            if part.target != relation.target and (not relation.is_partition or self._part(part))
        ]
        self.identity = f"{relation.table.name}.key.{index['name']}{relation.suffix}"
        words = ", ".join(index["columns"])
        self.reason = f"Make ({words}) unique per tenant instead of globally"

    def statements(self) -> list[Statement]:
        """Return the statements that build the new key and replace the old one with it."""
        if is_leftover(self.whole, self.index):
            return [self._drop("Remove an invalid index that an interrupted build left")]
        if self._is_of_a_rollback():
            return [self._drop("Remove an index that an interrupted rollback built")]
        present = self._present()
        if present is not None:
            reason = f"Drop the global key {self.index['name']}, which reveals one tenant's values to another"
            return [self._drop(reason), *self._marked(self.whole, indexes.table_marks(self.whole, self.index, present))]
        if unique_keys.is_made_with_constraint(self.index):
            return self._made_with_constraint()
        return self._in_parts() if self.whole.is_partitioned else self._of_table()

    def _is_of_a_rollback(self) -> bool:
        """Return whether an interrupted rollback built this index to restore the original key."""
        names_there = [index["name"] for index in self.whole.document["indexes"]]
        return self.index["constraint"] is None and self.index["name"] in map(indexes.original_name, names_there)

    def _present(self) -> str | None:
        """Return the name of an existing key that equals this key plus the tenant column, or None."""
        wanted = unique_keys.meaning(self.index, self.column)
        kinds = {"p": ("p",), "u": ("p", "u"), "x": ("x",)}.get(self.index["constraint_type"] or "")
        return next(
            (
                index["name"]
                for index in self.whole.document["indexes"]
                if unique_keys.is_key(index) and unique_keys.holds_tenant(index, self.column) and index["valid"]
                if index["name"] != temporary_name(self.index["name"])
                if kinds is None or index["constraint_type"] in kinds
                if unique_keys.meaning(index, self.column) == wanted
            ),
            None,
        )

    def _of_table(self) -> list[Statement]:
        name, constraint = self.index["name"], self.index["constraint"]
        taken, builds = self._index_to_take(self.whole, name)
        if constraint is None:
            rename = self._renamed(self.whole, taken, name)
            return [*builds, self._drop(self.reason), rename, *self._marked_as_before(self.whole, self.index)]
        actions = [f"DROP CONSTRAINT {identifier(constraint)}", self._using(self.index, taken)]
        makes = [names.key(self.whole, constraint, taken, [name])]
        exchange = _key_change(self.identity, self.whole, actions, self.reason, makes)
        return [*builds, exchange, *self._marked_as_before(self.whole, self.index)]

    def _made_with_constraint(self) -> list[Statement]:
        name = identifier(self.index["constraint"])
        add = f"ADD CONSTRAINT {name} {indexes.constraint(self.index, self.column)}"
        scans = indexes.made_with_constraint(self.index)
        exchange = _key_change(self.identity, self.whole, [f"DROP CONSTRAINT {name}", add], self.reason, scans=scans)
        return [exchange, *self._marked_as_before(self.whole, self.index)]

    def _in_parts(self) -> list[Statement]:
        """Return the statements that replace the key of a partitioned table.

        Dropping the old key also drops the keys of the partitions. The partitions get new keys, which are then
        attached to the new key of the table.
        """
        builds, takes = [], []
        for relation in (*self.partitions, self.whole):
            own = self._own(relation)
            if own is not None and (own["constraint"] is not None or relation.is_partitioned):
                # This key is attached to the parent's key as it is.
                continue
            part = self._part(relation)
            name = part["name"] if part else derived_name(relation.name, self.index["name"])
            if relation.is_partitioned:
                takes += [self._above(relation, name, part or self.index)]
            else:
                taken, built = self._index_to_take(relation, name)
                builds += built
                takes += [self._attached(relation, name, taken, part or self.index)]
            takes += self._marked_as_before(relation, part) if part else []
        return [*builds, self._drop(self.reason), *takes]

    def _above(self, relation: Relation, name: str, part: Document) -> Statement:
        """Return the statement that creates the key of a partitioned table, and attaches the keys of its partitions."""
        identity = f"{self.identity}{relation.suffix}"
        if part["constraint"] is None:
            sql = indexes.create(relation.target, name, part, self.column)
            return statement(identity, self.whole.table.name, "key", sql, self.reason)
        add = f"ADD CONSTRAINT {identifier(name)} {indexes.constraint(part, self.column)}"
        return _key_change(identity, relation, [add], self.reason)

    def _attached(self, relation: Relation, name: str, taken: str, part: Document) -> Statement:
        if part["constraint"] is None:
            return self._renamed(relation, taken, name)
        makes = [names.key(relation, name, taken, [name])]
        identity = f"{self.identity}{relation.suffix}"
        using = self._using({**part, "constraint": name}, taken)
        return _key_change(identity, relation, [using], self.reason, makes)

    def _part(self, relation: Relation) -> Document | None:
        """Return the key to replace on a relation: the old key, or a partition's key that is attached to the old key.

        Return None if the partition has no such key.
        """
        if relation.target == self.whole.target:
            return self.index
        return next((index for index in relation.document["indexes"] if index["root"] == self.index["name"]), None)

    def _own(self, relation: Relation) -> Document | None:
        """Return an existing index for the new key: a key that exists only on the partition, or an index without a
        constraint.

        The index becomes part of the new key, so dropping that key also drops the index.
        """
        own = [
            index
            for index in relation.document["indexes"]
            if index["unique"] and index["valid"] and unique_keys.holds_tenant(index, self.column)
            if (index["constraint"] is None if relation.target == self.whole.target else index["root"] is None)
            if unique_keys.definition(index, self.column) == unique_keys.definition(self.index, self.column)
            if self.index["constraint"] is None or _sorts_by_default(index)
        ]
        return min(own, key=lambda index: index["constraint"] is None, default=None)

    def _index_to_take(self, relation: Relation, name: str) -> tuple[str, list[Statement]]:
        """Return the index that becomes the key of a relation with rows, and the statements that build the index."""
        own = self._own(relation)
        if own is not None:
            return str(own["name"]), []
        temporary = temporary_name(name)
        build = indexes.build(
            f"{self.identity}.build{relation.suffix}", relation,
            indexes.create(relation.target, temporary, self._part(relation) or self.index, self.column),
            f"Build the key {name} with {self.column}",
            temporary,
        )  # fmt: skip
        return temporary, [*indexes.drop_leftover(relation, temporary), build]

    def _using(self, index: Document, taken: str) -> str:
        kind = indexes.CONSTRAINTS[index["constraint_type"]]
        name = identifier(index["constraint"])
        return f"ADD CONSTRAINT {name} {kind} USING INDEX {identifier(taken)}{indexes.deferrable(index)}"

    def _renamed(self, relation: Relation, taken: str, name: str) -> Statement:
        sql = f"ALTER INDEX {qualified(relation.schema, taken)} RENAME TO {identifier(name)}"
        return statement(f"{self.identity}.rename{relation.suffix}", self.whole.table.name, "key", sql, self.reason)

    def _drop(self, reason: str) -> Statement:
        name, constraint = self.index["name"], self.index["constraint"]
        identity = f"{self.identity}.drop"
        if constraint is not None:
            return _key_change(identity, self.whole, [f"DROP CONSTRAINT {identifier(constraint)}"], reason)
        sql = f"DROP INDEX {qualified(self.whole.schema, name)}"
        return statement(identity, self.whole.table.name, "key", sql, reason)

    def _marked_as_before(self, relation: Relation, index: Document) -> list[Statement]:
        return self._marked(relation, indexes.marks(relation, index, shift=1))

    def _marked(self, relation: Relation, marks: Iterable[tuple[str, str]]) -> list[Statement]:
        return [
            statement(f"{self.identity}.{what}{relation.suffix}", self.whole.table.name, "key", sql,
                      "Keep the comments and marks of the key")
            for what, sql in marks
        ]  # fmt: skip


def _sorts_by_default(index: Document) -> bool:
    return not any(item["descending"] or item["nulls_first"] for item in index["key"]["elements"])


class _NewKey:
    """A key with the tenant column, for a table that has no form of this key yet."""

    def __init__(self, state: State, model: Model, table: Table, key: tuple[str, ...]) -> None:
        """Find the relations that get the key, and derive the ids of its statements."""
        self.model, self.wanted, self.words = model, (model.column, *key), _words(model, table, key)
        self.whole, self.holders = catalog.relation(state, model, table), catalog.holders(state, model, table)
        self.identity = f"{table.name}.key.{'_'.join(self.words)}"
        self.reason = (
            f"Make ({', '.join(key)}) unique per tenant"
            if key in table.natural_keys
            else f"Let foreign keys reference ({', '.join(key)}) together with the tenant"
        )

    def statements(self) -> list[Statement]:
        """Return the statements that build the key."""
        builds, takes = [], []
        for relation in self.holders:
            name, built = self._index_to_take(relation)
            builds += built
            takes += [(relation, name)] if name is not None else []
        planned = [
            _key_change(
                f"{self.identity}{relation.suffix}", relation,
                [f"ADD CONSTRAINT {self._name(relation)} UNIQUE USING INDEX {identifier(name)}"],
                self.reason, [self._makes(relation, name)],
            )
            for relation, name in takes
        ]  # fmt: skip
        if self.whole.is_partitioned:
            add = f"ADD CONSTRAINT {self._name(self.whole)} UNIQUE ({self._columns})"
            planned.append(_key_change(self.identity, self.whole, [add], self.reason, [self._makes(self.whole, "")]))
        return [*builds, *planned]

    def _own(self, relation: Relation) -> Document | None:
        own = [
            index
            for index in relation.document["indexes"]
            if index["unique"] and index["valid"] and index["plain"] and index["names"] == list(self.wanted)
            if (index["root"] is None if relation.is_partition else index["constraint"] is None)
        ]
        return min(own, key=lambda index: index["constraint"] is None, default=None)

    def _index_to_take(self, relation: Relation) -> tuple[str | None, list[Statement]]:
        """Return the index that becomes the key of a relation with rows, and the statements that build the index.

        The index is None if a partition already has such a key, which is attached to the table's key.
        """
        own = self._own(relation)
        if own is not None:
            return (str(own["name"]) if own["constraint"] is None else None), []
        name = _new_name(relation.name, self.model, self.words)
        build = indexes.build(
            f"{self.identity}.build{relation.suffix}", relation,
            f"CREATE UNIQUE INDEX {identifier(name)} ON {relation.target} ({self._columns})",
            f"Build the key ({', '.join(self.wanted)})",
            name,
        )  # fmt: skip
        return name, [*indexes.drop_leftover(relation, name), build]

    @property
    def _columns(self) -> str:
        return ", ".join(map(identifier, self.wanted))

    def _name(self, relation: Relation) -> str:
        return identifier(self._plain_name(relation))

    def _plain_name(self, relation: Relation) -> str:
        return derived_name(relation.name, self.model.column, *self.words, "key")

    def _makes(self, relation: Relation, index: str) -> names.Made:
        return names.key(relation, self._plain_name(relation), index, [])


def findings(state: State, model: Model) -> list[Finding]:
    """Return findings that show whether the keys and indexes per tenant exist, and whether global keys remain."""
    return [item for table in catalog.tables(state, model) for item in _findings_of(state, model, table)]


def _findings_of(state: State, model: Model, table: Table) -> list[Finding]:
    document, found = catalog.required(state, table.name), []
    for key in model.tenant_keys(table):
        there = _serving(state, model, table, key)
        present = any(unique_keys.holds_tenant(index, model.column) for index in there)
        found.append(finding(f"key ({', '.join((model.column, *key))})", table.name, True, present))
    remains = [index for _, index in _global_keys(state, model, table)]
    for key in table.natural_keys:
        left = [index["name"] for index in remains if unique_keys.columns(index, model.column) == frozenset(key)]
        found.append(finding(f"global key ({', '.join(key)}) left", table.name, [], left))
    found += [
        finding(f"global key {index['name']} left", table.name, [], [index["name"]])
        for index in remains
        if not unique_keys.columns(index, model.column)
    ]
    for index in table.indexes:
        wanted = [(model.column, False), *((item.name, item.descending) for item in index)]
        words = f"index ({', '.join(name for name, _ in wanted)})"
        found.append(finding(words, table.name, True, catalog.has_index(document, wanted)))
    parts = catalog.partitions(state, table)
    lacking = [part.name for part in parts if not all(index["valid"] for index in part.document["indexes"])]
    found += [finding("partitions without valid indexes", table.name, [], lacking)] if parts else []
    invalid = [index["name"] for index in document["indexes"] if not index["valid"]]
    return [*found, finding("invalid indexes", table.name, [], invalid)]


def rollback(back: Rollback) -> list[Statement]:
    """Return the statements that drop the keys and indexes per tenant, and restore those of the snapshot."""
    planned = [statement for item in back.relations for statement in _dropped(back, item)]
    restored = [(item, index) for item in back.relations for index in _of_before(back, item)]
    # If a partition has several equal keys, PostgreSQL attaches the first to the key of the table. Therefore each key
    # of a table is restored together with the keys of its partitions, before the next key.
    wholes = list(dict.fromkeys(_whole(item, index) for item, index in restored))
    for item, index in sorted(restored, key=lambda pair: wholes.index(_whole(*pair))):
        planned += _restored(item, index)
    return planned


def _whole(item: RelationRollback, index: Document) -> tuple[str, str]:
    """Return the name of the table, and the name of the table's key to which an index belongs."""
    return item.table.name, index.get("root") or index["name"]


def _dropped(back: Rollback, item: RelationRollback) -> list[Statement]:
    now, before, planned = by_name(item.now["indexes"]), by_name(item.before["indexes"]), []
    for name in sorted(_own(back, item)):
        if name in before and made(now[name]) == made(before[name]):
            continue
        if item.relation.is_partition and now[name]["root"]:
            # Dropping the key of the table also drops this index.
            continue
        constraint, reason = now[name]["constraint"], "Drop the keys and indexes per tenant"
        planned.append(
            item.alter(f"key.drop.{name}", "key", f"DROP CONSTRAINT {identifier(constraint)}", reason)
            if constraint is not None
            else item.statement(
                f"index.drop.{name}", "key", f"DROP INDEX {qualified(item.relation.schema, name)}", reason
            )
        )
    return planned


def _restored(item: RelationRollback, index: Document) -> list[Statement]:
    reasons = {"comment": "Restore the original comments"}
    return [
        item.statement(
            one.identity,
            one.phase,
            one.sql,
            reasons.get(one.phase, "Restore the original keys and indexes"),
            scans=one.scans,
            online=one.online,
        )
        for one in indexes.recreate(item.relation, index)
    ]


def _own(back: Rollback, item: RelationRollback) -> set[str]:
    return {index["name"] for index in indexes.of_migration(back.model, item.relation)}


def _kept(item: RelationRollback) -> list[Document]:
    """Return the indexes of the snapshot, except those that an interrupted build left."""
    return [index for index in item.before["indexes"] if not is_leftover(item.relation, index)]


def _of_before(back: Rollback, item: RelationRollback) -> list[Document]:
    now, ours = by_name(item.now["indexes"]), _own(back, item)
    return [
        index
        for index in _kept(item)
        if (name := index["name"]) not in now or (name in ours and made(now[name]) != made(index))
    ]


def _shared(back: Rollback, item: RelationRollback) -> list[str]:
    """Return an obstacle for each key that was unique across all tenants, if several tenants now share its values."""
    again = [set(index["names"]) for index in _of_before(back, item) if index["unique"] and index["plain"]]
    return [
        f"({', '.join(shared['columns'])}) of {item.title} was unique across all tenants, but now {shared['rows']:,} "
        f"rows share {shared['keys']:,} of its values: change or delete these rows first, or use rollback_mode=restore."
        for shared in back.state["hazards"]["shared"]
        if shared["table"] == item.table.name and not item.relation.is_partition and set(shared["columns"]) in again
    ]


def rollback_obstacles(back: Rollback) -> list[str]:
    """Return an obstacle for each object of an ordinary role whose code restored indexes may run, and for rows that
    violate restored keys."""
    found = [text for item in back.relations for text in _shared(back, item)]
    for item in back.relations:
        for index in _of_before(back, item):
            if index["plain"]:
                continue
            texts, what = [index["definition"], index["constraint_definition"]], f"The index {index['name']}"
            # PostgreSQL already evaluates the expressions of an existing key, so only the literals are checked.
            judge = definitions.literals if _is_held(item, index) else definitions.expressions
            found += judge(back.state, f"{what} of {item.title}", texts, back.path)
    return found


def _is_held(item: RelationRollback, before: Document) -> bool:
    """Return whether the existing key with this name has all expressions of the original key."""
    now = catalog.index_named(item.now, before["name"])
    if now is None or now.get("key") is None or before.get("key") is None:
        return False
    return set(_texts(before)) <= set(_texts(now))


def rollback_findings(back: Rollback) -> list[Finding]:
    """Return findings that show whether every key and index of the snapshot exists, and whether those of the migration
    remain."""
    found = []
    for item in back.known:
        lost = missing(_kept(item), item.now["indexes"])
        left = _own(back, item) - by_name(item.before["indexes"]).keys()
        found += [
            finding(f"original indexes{item.where} that are missing", item.table.name, [], lost),
            finding(f"indexes{item.where} of the migration that are left", item.table.name, [], sorted(left)),
        ]
    return found


# rollback_mode=policies keeps the keys.
CHANGE = Change(
    phases=frozenset({"build", "key", "attach", "comment"}),
    obstacles=obstacles,
    plan=plan,
    findings=findings,
    rollback=rollback,
    rollback_obstacles=rollback_obstacles,
    rollback_findings=rollback_findings,
    ended_errors=(Ended("key", ("42P10",)),),
    audit_rules=frozenset({"unique-key", "on-conflict"}),
)
