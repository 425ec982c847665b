"""The isolation proof: attempts of the application role to reach another tenant's rows in the real database.

An attempt is one statement, with the outcomes that it may have: a number of rows or an SQLSTATE. The application role
makes it with row security on. ``proof.sql`` makes the attempts, ``transaction`` rolls back their effects, and this
module decides which outcomes are allowed. Each kind of attempt has a positive control, which must succeed. A proof in
which every attempt fails proves nothing.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...module_utils import sessions
from ...module_utils.quoting import identifier, literal, qualified
from ..catalog import state as catalog
from ..catalog import unique_keys
from ..catalog.state import Relation
from ..changes.statement import State
from ..model.model import ForeignKey, Model, Table, View
from . import samples
from .samples import Sample

RUNNER = Path(__file__).with_name("proof.sql")

Attempt = dict[str, Any]
Document = Mapping[str, Any]
Outcomes = tuple[str, ...]
# Identity, sentence, statement, allowed outcomes.
Row = tuple[str, str, str, Outcomes]
# Table, privilege, and the columns that need it; no columns if any column is enough.
Need = tuple[Table, str, Sequence[str]]

# Outcomes as proof.sql reports them; PostgreSQL manual, appendix A.
NOTHING, ONE = ("0 rows",), ("1 rows",)
REFUSED, POINTS_NOWHERE = ("error 42501",), ("error 23503",)
NOTHING_OR_REFUSED = (*NOTHING, *REFUSED)
REFUSED_WITHOUT_TENANT = (*REFUSED, "error 23502")
# The service's login has a search path of its own: an operator in another schema could replace PostgreSQL's.
EQUAL = "OPERATOR(pg_catalog.=)"
# Extensions such as safeupdate refuse an UPDATE or DELETE without a condition.
EVERY = " WHERE true"
# The number of rows to read from a table that is too large to count while it is locked.
PROBED = 1000


def lacks(document: Document, privilege: str, columns: Sequence[str] = ()) -> bool:
    """Return whether the application role lacks a privilege on the table.

    With ``columns``, it must have the privilege on all of them; without, on any column. A role that does not exist yet
    lacks nothing: the plan grants its privileges before the service uses it.
    """
    if document["rights"] is None or document["rights"][privilege] is True:
        return False
    allowed: list[str] = document["rights"][privilege]
    return not (set(columns) <= set(allowed) if columns else allowed)


@dataclass(frozen=True)
class Means:
    """The application role's privileges on each table, and the limits that triggers set for every role.

    ``documents`` are the tables' parts of the state, by name. A table without a document has every privilege and no
    trigger. ``samples`` are the tables' sample rows, by name.
    """

    model: Model
    documents: Mapping[str, Document]
    samples: Mapping[str, Sample]

    def values(self, table: Table) -> Mapping[str, str]:
        """Return the columns of the sample row with their SQL."""
        return self.samples[table.name].values

    def updated(self, table: Table) -> str:
        """Return a column that an attempt changes."""
        document = self.documents.get(table.name, {})

        def may(column: str) -> bool:
            return not any(self.lacks(table, privilege, (column,)) for privilege in ("UPDATE", "SELECT"))

        return samples.updated(self.model, table, self.samples[table.name], document, may)

    def lacks(self, table: Table, privilege: str, columns: Sequence[str] = ()) -> bool:
        """Return whether the role lacks a privilege."""
        document = self.documents.get(table.name)
        return document is not None and lacks(document, privilege, columns)

    def allows(self, outcomes: Outcomes, *needs: Need) -> Outcomes:
        """Return the allowed outcomes of a statement: permission denied if the role lacks one of ``needs``."""
        return REFUSED if any(self.lacks(*need) for need in needs) else outcomes

    def inserts(self, table: Table) -> list[Need]:
        """Return the privileges to store the sample: on its columns, and on the keys that it references."""
        parents = [(self._table(key.references), "SELECT", key.key) for key in table.foreign_keys]
        return [(table, "INSERT", sorted(self.values(table))), *parents]

    def stores(self, table: Table) -> bool:
        """Return whether the role can store the sample and the rows that it references."""
        lacking: list[Need] = [(table, "INSERT", (name,)) for name in self.samples[table.name].missing]
        return (
            not any(self.lacks(*need) for need in [*self.inserts(table), *lacking])
            # A table may reference itself.
            and all(
                self.stores(self._table(key.references)) for key in table.foreign_keys if key.references != table.name
            )
        )

    def arbiters(self, table: Table) -> list[tuple[str, ...]]:
        """Return the natural keys that ON CONFLICT can name."""
        document = {"indexes": [], **self.documents.get(table.name, {})}
        return unique_keys.arbiters(document, self.model, table)

    def defers(self, table: Table) -> bool:
        """Say whether a key is checked later: PostgreSQL refuses ON CONFLICT DO NOTHING then (55000)."""
        return any(unique_keys.is_key(index) and index["key"]["deferrable"] for index in self._indexes(table))

    def _indexes(self, table: Table) -> Sequence[Document]:
        found: Sequence[Document] = self.documents.get(table.name, {}).get("indexes", [])
        return found

    def rows(self, table: Table) -> int:
        """Return the number of rows that a tenant has after the samples are stored."""
        return sum(
            self.stores(writer) for writer in self.model.tables if writer is table or self._writes(writer, table)
        )

    def forbids(self, table: Table, command: str, outcomes: Outcomes) -> Outcomes:
        """Return the outcomes of ``command`` (update or delete) on a tenant's own rows, which a trigger may forbid."""
        raised = table.append_only.get(command)
        # Instead of raising an error, a trigger may return NULL, which skips the row.
        return (f"error {raised}", *NOTHING) if raised is not None else outcomes

    def besides(self, table: Table, command: str, outcomes: Outcomes) -> Outcomes:
        """Return the outcomes of a ``command`` that must affect no row.

        A statement-level trigger fires even then, so its error is allowed. A row-level trigger fires only for an
        affected row, so its error is not allowed.
        """
        raised = table.append_only.get(command)
        triggers = self.documents.get(table.name, {}).get("triggers", [])
        once = any(trigger["enabled"] and not trigger["row"] for trigger in triggers)
        return (*outcomes, f"error {raised}") if raised is not None and once else outcomes

    def _table(self, name: str) -> Table:
        return next(table for table in self.model.tables if table.name == name)

    @staticmethod
    def _writes(writer: Table, table: Table) -> bool:
        return table.name in writer.sample_writes


def gaps(state: State, model: Model) -> list[str]:
    """Return what the proof cannot show because of privileges or triggers, as sentences."""
    means = _means(state, model)
    return [text for table in model.tables for text in _gaps(model, means, table)]


def _gaps(model: Model, means: Means, table: Table) -> list[str]:
    name, role = f"{model.schema}.{table.name}", model.application_role
    if means.lacks(table, "SELECT"):
        return [f"{role} may not read {name}: the proof there shows only which statements are refused."]
    found = []
    if not means.stores(table):
        found.append(
            f"{role} may not store the sample in {name}: the proof there cannot use a tenant's own rows. It shows "
            "only that the default tenant reads its rows."
        )
    refused = [command for command in ("UPDATE", "DELETE") if means.lacks(table, command)]
    refused += [f"{command.upper()} (append_only)" for command in table.append_only]
    if refused:
        found.append(f"{' and '.join(refused)} in {name} must be refused, also for a tenant's own rows.")
    return found + [
        f"The proof does not try to reference another tenant's row by {name} ({', '.join(key.columns)}): it cannot "
        "store or delete rows there."
        for key in table.foreign_keys
        if not _can_point(model, means, table, key)
    ]


def _means(state: State, model: Model) -> Means:
    documents = {table.name: catalog.table(state, table.name) for table in model.tables}
    found = {name: document for name, document in documents.items() if document is not None}
    return _of_documents(model, found, state["types"])


def _of_documents(model: Model, documents: Mapping[str, Document], types: Mapping[str, Document]) -> Means:
    rows = {table.name: samples.of(model, table, documents.get(table.name, {}), types) for table in model.tables}
    return Means(model, documents, rows)


def synthetic_tenants(state: State, model: Model) -> tuple[str, str]:
    """Return two tenants that have no rows."""
    documents = [catalog.table(state, table.name) for table in model.tables]
    columns = [document["column"] for document in documents if document and document["column"]]
    used = {tenant for column in columns for tenant in column["tenants"]} | {str(model.default_tenant)}
    one, other = itertools.islice((tenant for tenant in model.tenant_type.unused_tenants() if tenant not in used), 2)
    return one, other


def document(state: State, model: Model, max_rows: int, seconds: float, url_options: str = "") -> dict[str, Any]:
    """Return the proof as ``transaction.run`` needs it, as plain data.

    ``seconds`` limits the time of all attempts together. ``url_options`` are the options of the service's
    DATABASE_URL. In tables of more than ``max_rows`` rows, the default tenant's rows are probed instead of counted.
    """
    means = _means(state, model)
    compared = [table for table in model.tables if not means.lacks(table, "SELECT", (model.column,))]
    made = attempts(model, *synthetic_tenants(state, model), partitions(state, model), means.documents, state["types"])
    return {
        "runner": RUNNER.read_text(),
        "role": model.application_role,
        "role_name": identifier(model.application_role),
        "seconds": seconds,
        "setting": model.setting,
        "setting_name": ".".join(map(identifier, model.setting.split("."))),
        "url_settings": sessions.parse_options(url_options),
        "attempts": made + [_content_attempt(state, model, table, max_rows) for table in compared],
        "tables": [qualified(model.schema, table.name) for table in model.tables],
        "contents": {table.name: _content(state, model, table, max_rows) for table in compared},
    }


def _content_attempt(state: State, model: Model, table: Table, max_rows: int) -> Attempt:
    """Return the attempt that counts the rows visible to the default tenant: its outcome is a value."""
    return {
        "id": f"{table.name}.content", "table": table.name, "tenant": str(model.default_tenant), "value": True,
        "sentence": f"Tenant {model.default_tenant} reads all of its rows and no others",
        "sql": _content(state, model, table, max_rows, as_owner=False), "expected": [], "keep": False,
    }  # fmt: skip


def _content(state: State, model: Model, table: Table, max_rows: int, *, as_owner: bool = True) -> str:
    """Return the query that counts the default tenant's rows: as the owner, who sees all, or as the tenant."""
    target, default = qualified(model.schema, table.name), literal(model.default_tenant)
    column = identifier(model.column)
    # A row without a tenant counts as the default tenant's: if that tenant cannot read it, it is missing.
    where = f" WHERE coalesce({column}, {default}) {EQUAL} {default}" if as_owner else ""
    others = f"pg_catalog.count(*) FILTER (WHERE ({column} {EQUAL} {default}) IS NOT TRUE)" if not as_owner else "0"
    part = f"(SELECT {column} FROM {target}{where} LIMIT {PROBED}) AS probe"
    is_probed = catalog.required(state, table.name)["rows"] > max_rows
    source, counted = (part, "probed") if is_probed else (f"{target}{where}", "rows")
    return f"SELECT pg_catalog.jsonb_build_object('{counted}', pg_catalog.count(*), 'others', {others}) FROM {source}"


def partitions(state: State, model: Model) -> dict[str, list[Relation]]:
    """Return the partitions of each partitioned table, by the table's name."""
    found = {
        table.name: catalog.partitions(state, model, table)
        for table in model.tables
        if catalog.table(state, table.name) is not None
    }
    return {name: parts for name, parts in found.items() if parts}


def attempts(
    model: Model,
    one: str,
    other: str,
    parted: Mapping[str, Sequence[Relation]] | None = None,
    documents: Mapping[str, Document] | None = None,
    types: Mapping[str, Document] | None = None,
) -> list[Attempt]:
    """Return the attempts of two tenants without rows, in their order.

    An attempt is a dict: id, table, sentence, tenant (None: RESET), sql, expected (the allowed outcomes), keep (whether
    later attempts see its rows). A few have ``theirs``, a query that runs first as another tenant; its result is $1 of
    sql.

    ``parted`` are the partitions of partitioned tables, and ``types`` are the types of the state. ``documents`` are the
    tables' parts of the state, with the application role's privileges. An attempt without a privilege must be refused,
    even on the tenant's own rows.
    """
    means = _of_documents(model, documents or {}, types or {})
    relations: list[Table | View] = [*model.tables, *model.views]
    # A session can be without a tenant setting only before it first sets one.
    made = [attempt for relation in relations for attempt in _unset(model, means, relation)]
    made += [attempt for table in model.tables for attempt in _stored(means, table, one, other)]
    for table in model.tables:
        made += _of_table(model, means, table, one, other, (parted or {}).get(table.name, []))
    for view in model.views:
        made += _of_view(model, view, one, other)
    return made


def _made(table: Table | View, tenant: str | None, found: Iterable[Row], *, keep: bool = False) -> list[Attempt]:
    return [
        {
            "id": f"{table.name}.{identity}", "table": table.name, "sentence": sentence,
            "tenant": tenant, "sql": sql, "expected": list(expected), "keep": keep,
        }
        for identity, sentence, sql, expected in found
    ]  # fmt: skip


def _unset(model: Model, means: Means, relation: Table | View) -> list[Attempt]:
    """Return the attempt of a session that never named a tenant."""
    allowed = means.allows(NOTHING, (relation, "SELECT", ())) if isinstance(relation, Table) else NOTHING
    read = ("read.unset", "A session that names no tenant reads", _read(model, relation), allowed)
    return _made(relation, None, [read])


def _stored(means: Means, table: Table, one: str, other: str) -> list[Attempt]:
    """Return the attempts of two tenants to store the same row, which later attempts see."""
    stored = means.allows(ONE, *means.inserts(table))
    # If the role has the privilege, but a referenced row or a value is missing, the attempt shows nothing.
    if stored != REFUSED and not means.stores(table):
        return []
    sentence = "Another tenant stores a row with the same keys"
    return [
        *_made(table, one, [("own.insert", "A tenant stores a row", _insert(means, table), stored)], keep=True),
        *_made(table, other, [("own.insert.same", sentence, _insert(means, table), stored)], keep=True),
    ]


def _of_table(
    model: Model, means: Means, table: Table, one: str, other: str, parts: Sequence[Relation]
) -> list[Attempt]:
    """Return the attempts on one table and its partitions after both tenants have stored their rows."""
    keys = [key for key in table.foreign_keys if _can_point(model, means, table, key)]
    pointing = _made(table, one, [_pointing(model, means, table, key) for key in keys])
    made = [
        *_made(table, one, _own(model, means, table)),
        *_made(table, one, _towards(model, means, table, one, other)),
        *(
            {**attempt, "theirs": {"tenant": other, "sql": _theirs(model, key)}}
            for attempt, key in zip(pointing, keys, strict=True)
        ),
        *_made(table, one, _around(model, table)),
        *_made(table, one, _written(model, means, table)),
        *_made(table, other, _written(model, means, table, ".same")),
        *_made(table, None, _without("reset", "A session that reset its tenant", model, means, table, ())),
        *_made(table, "", _without("empty", "A session whose tenant is empty", model, means, table, ())),
    ]
    for identity, who, setting, errors in model.tenant_type.invalid_settings():
        made += _made(table, setting, _without(identity, who, model, means, table, errors))
    made += _made(table, one, _in_partitions(model, means, table, parts, other))
    made += _made(table, None, [_from_partition(part, "reset", "A session that reset its tenant") for part in parts])
    return made + _made(
        table, "", [_from_partition(part, "empty", "A session whose tenant is empty") for part in parts]
    )


def _of_view(model: Model, view: View, one: str, other: str) -> list[Attempt]:
    """Return the attempts on one view."""
    read, through = _read(model, view), (f"{view.sample_rows} rows",)
    sentence = "Another tenant reads its own rows through the view"
    made = [
        *_made(view, one, [("own.read", "A tenant reads its own rows through the view", read, through)]),
        *_made(view, other, [("own.read.same", sentence, read, through)]),
        *_made(view, None, [("read.reset", "A session that reset its tenant reads", read, NOTHING)]),
        *_made(view, "", [("read.empty", "A session whose tenant is empty reads", read, NOTHING)]),
    ]
    for identity, who, setting, errors in model.tenant_type.invalid_settings():
        made += _made(view, setting, [(f"read.{identity}", f"{who} reads", read, (*NOTHING, *errors))])
    return made


def _read(model: Model, table: Table | View, where: str = "") -> str:
    return f"SELECT FROM {qualified(model.schema, table.name)}{where}"


def _insert(means: Means, table: Table, extra: Mapping[str, Any] | None = None, clause: str = "") -> str:
    values = {**means.values(table)} | {name: literal(value) for name, value in (extra or {}).items()}
    return _insert_values(means.model, table, values) + clause


def _insert_values(model: Model, table: Table, values: Mapping[str, str]) -> str:
    columns = f"({', '.join(map(identifier, values))}) VALUES ({', '.join(values.values())})"
    return f"INSERT INTO {qualified(model.schema, table.name)} {columns if values else 'DEFAULT VALUES'}"


def _upsert(model: Model, key: tuple[str, ...]) -> str:
    wanted = ", ".join(map(identifier, (model.column, *key)))
    return f" ON CONFLICT ({wanted}) DO UPDATE SET {identifier(key[0])} = excluded.{identifier(key[0])}"


def _own(model: Model, means: Means, table: Table) -> list[Row]:
    """Return the positive controls: a tenant works with its own rows, and with no others."""
    target, name = qualified(model.schema, table.name), means.updated(table)
    column, every = identifier(name), _every(means, table)
    # Rows that reference them must be deleted first.
    gone = [item for other in _pointers(model, table) for item in model.tables if item.name == other] + [table]
    delete = "; ".join(_delete(model, [item.name for item in gone]))
    deleted = every
    for item in gone:
        deleted = means.forbids(item, "delete", deleted)
    updates: list[Need] = [(table, "UPDATE", (name,)), (table, "SELECT", (name,))]
    found = [
        ("own.read", "A tenant reads its own rows and no others", _read(model, table),
         means.allows(every, (table, "SELECT", ()))),
        ("own.update", "A tenant updates its own rows and no others", f"UPDATE {target} SET {column} = {column}{EVERY}",
         means.allows(means.forbids(table, "update", every), *updates)),
        ("own.delete", "A tenant deletes its own rows and no others", delete,
         means.allows(deleted, *((item, "DELETE", ()) for item in gone))),
    ]  # fmt: skip
    # If the tenant has no row of its own, no row has the key.
    for key in means.arbiters(table) if means.stores(table) else ():
        upserts: list[Need] = [
            *means.inserts(table), (table, "UPDATE", key[:1]), (table, "SELECT", (model.column, *key)),
        ]  # fmt: skip
        found += [
            (f"own.upsert.{'_'.join(key)}", "A tenant updates its own row by ON CONFLICT DO UPDATE",
             _insert(means, table, None, _upsert(model, key)),
             means.allows(means.forbids(table, "update", ONE), *upserts)),
        ]  # fmt: skip
        if means.defers(table):
            continue
        found += [
            (f"own.skip.{'_'.join(key)}", "A tenant's own key is found by ON CONFLICT DO NOTHING",
             _insert(means, table, None, " ON CONFLICT DO NOTHING"), means.allows(NOTHING, *means.inserts(table))),
        ]  # fmt: skip
    return found


def _every(means: Means, table: Table) -> Outcomes:
    """Return the outcome of reading all rows of a tenant after the samples are stored."""
    return (f"{means.rows(table)} rows",)


def _in_partitions(model: Model, means: Means, table: Table, parts: Sequence[Relation], other: str) -> list[Row]:
    """Return a tenant's attempts on the partitions by name, on which the service needs no privilege."""
    held = [f"SELECT 1 FROM {part.target}" for part in parts if not part.is_partitioned]
    if not held:
        return []
    found: list[Row] = [
        ("own.read.partitions", "A tenant reads its own rows in the partitions and no others",
         " UNION ALL ".join(held), (*_every(means, table), *REFUSED))
    ]  # fmt: skip
    column = identifier(means.updated(table))
    for part in parts:
        found.append((f"truncate{part.suffix}", "A tenant empties a partition", f"TRUNCATE {part.target}", REFUSED))
        for whose, tenant in (("another", other), ("the default", model.default_tenant)):
            where = f" WHERE {identifier(model.column)} {EQUAL} {literal(tenant)}"
            end = f"{whose.split()[-1]}{part.suffix}"
            found += [
                (f"read.{end}", f"A tenant reads rows of {whose} tenant in a partition",
                 f"SELECT FROM {part.target}{where}", NOTHING_OR_REFUSED),
                (f"update.{end}", f"A tenant updates rows of {whose} tenant in a partition",
                 f"UPDATE {part.target} SET {column} = {column}{where}", NOTHING_OR_REFUSED),
                (f"delete.{end}", f"A tenant deletes rows of {whose} tenant in a partition",
                 f"DELETE FROM {part.target}{where}", NOTHING_OR_REFUSED),
            ]  # fmt: skip
    return found


def _from_partition(part: Relation, identity: str, who: str) -> Row:
    return (f"read.{identity}{part.suffix}", f"{who} reads a partition", f"SELECT FROM {part.target}",
            NOTHING_OR_REFUSED)  # fmt: skip


def _towards(model: Model, means: Means, table: Table, one: str, other: str) -> list[Row]:
    """Return a tenant's attempts on the rows of another tenant and of the default tenant."""
    target, tenant = qualified(model.schema, table.name), identifier(model.column)
    first = means.updated(table)
    column, columns = identifier(first), [identifier(name) for name in means.values(table)]
    theirs, foreign = {model.column: other}, f"{literal(other)}::{model.column_type}"
    copied, given_away = ", ".join([*columns, tenant]), ", ".join([*columns, foreign])
    reads: Need = (table, "SELECT", (model.column,))
    updated, deleted = means.besides(table, "update", NOTHING), means.besides(table, "delete", NOTHING)
    found: list[Row] = []
    for whose, number in (("another", other), ("the default", model.default_tenant)):
        where, name = f" WHERE {tenant} {EQUAL} {literal(number)}", whose.split()[-1]
        found += [
            (f"read.{name}", f"A tenant reads rows of {whose} tenant", _read(model, table, where),
             means.allows(NOTHING, reads)),
            (f"lock.{name}", f"A tenant locks rows of {whose} tenant",
             _read(model, table, f"{where} FOR UPDATE"), means.allows(NOTHING, reads, (table, "UPDATE", ()))),
            (f"update.{name}", f"A tenant updates rows of {whose} tenant",
             f"UPDATE {target} SET {column} = {column}{where}",
             means.allows(updated, reads, (table, "SELECT", (first,)), (table, "UPDATE", (first,)))),
            (f"take.{name}", f"A tenant makes rows of {whose} tenant its own",
             f"UPDATE {target} SET {tenant} = {literal(one)}{where}",
             means.allows(updated, reads, (table, "UPDATE", (model.column,)))),
            (f"delete.{name}", f"A tenant deletes rows of {whose} tenant", f"DELETE FROM {target}{where}",
             means.allows(deleted, reads, (table, "DELETE", ()))),
        ]  # fmt: skip
    # A tenant without rows gives no rows away.
    given = REFUSED if means.rows(table) else NOTHING_OR_REFUSED
    raised = table.append_only.get("update")
    found += [
        ("insert", "A tenant stores a row for another", _insert(means, table, theirs), REFUSED),
        ("insert.select", "A tenant copies its rows to another",
         f"INSERT INTO {target} ({copied}) SELECT {given_away} FROM {target}", given),
        ("update.tenant", "A tenant gives its rows to another",
         f"UPDATE {target} SET {tenant} = {literal(other)}{EVERY}",
         # The trigger or the policy refuses, whichever comes first.
         (*given, *(() if raised is None else means.forbids(table, "update", ())))),
        ("skip", "A tenant looks for another's keys by ON CONFLICT DO NOTHING",
         _insert(means, table, theirs, " ON CONFLICT DO NOTHING"), REFUSED),
    ]  # fmt: skip
    found += [
        (f"upsert.{'_'.join(key)}", "A tenant overwrites another's row by ON CONFLICT DO UPDATE",
         _insert(means, table, theirs, _upsert(model, key)), means.besides(table, "update", REFUSED))
        for key in means.arbiters(table)
    ]  # fmt: skip
    return found


def _pointers(model: Model, table: Table) -> list[str]:
    """Return the tables that reference the table, directly or through others, in the order to delete from."""
    found = [table.name]
    for other in model.tables:
        if other.name not in found and any(key.references in found for key in other.foreign_keys):
            found.append(other.name)
    return found[:0:-1]


def _can_point(model: Model, means: Means, table: Table, key: ForeignKey) -> bool:
    """Return whether a row exists that the table can reference, and whether the tenant's own rows can be deleted.

    If the foreign key contains a surrogate key of the table, the other tenant's own row already uses the value.
    """
    if any(set(surrogate) <= set(key.columns) for surrogate in table.surrogate_keys):
        return False
    parent = next(item for item in model.tables if item.name == key.references)
    own = _in_the_way(model, table, key)
    return means.stores(parent) and not any("delete" in item.append_only for item in model.tables if item.name in own)


def _in_the_way(model: Model, table: Table, key: ForeignKey) -> list[str]:
    """Return the tables from which to delete the tenant's own rows first, in the order to delete from.

    The tenant's own parent row may have the same key, and the row would reference that one. The tenant's own row may
    have the same natural keys.
    """
    parent = next(item for item in model.tables if item.name == key.references)
    first = [parent] if key.key in parent.natural_keys else []
    first += [table] if any(set(natural).isdisjoint(key.columns) for natural in table.natural_keys) else []
    gone = {name for item in first for name in (item.name, *_pointers(model, item))}
    # A table comes after the tables that it references.
    return [item.name for item in reversed(model.tables) if item.name in gone]


def _pointing(model: Model, means: Means, table: Table, key: ForeignKey) -> Row:
    """Return the attempt of a tenant to reference another tenant's row."""
    return (
        f"point.{'_'.join(key.columns)}", f"A tenant references a row of another in {key.references}",
        _point(means, table, key), means.allows(POINTS_NOWHERE, *_points(model, means, table, key)),
    )  # fmt: skip


def _points(model: Model, means: Means, table: Table, key: ForeignKey) -> list[Need]:
    own = _in_the_way(model, table, key)
    return [*means.inserts(table), *((item, "DELETE", ()) for item in model.tables if item.name in own)]


def _theirs(model: Model, key: ForeignKey) -> str:
    """Return the query for a key of the other tenant: a JSON object by the names of the referencing columns."""
    pairs = ", ".join(
        part
        for column, pointed in zip(key.columns, key.key, strict=True)
        for part in (literal(column), identifier(pointed))
    )
    return f"SELECT pg_catalog.json_build_object({pairs}) FROM {qualified(model.schema, key.references)} LIMIT 1"


def _point(means: Means, table: Table, key: ForeignKey) -> str:
    """Return the statements of one attempt: reference the other tenant's key, which is $1, as the tenant itself."""
    model = means.model
    # json_populate_record converts each value to the type of its column.
    theirs = f"(pg_catalog.json_populate_record(NULL::{qualified(model.schema, table.name)}, $1))"
    values = {**means.values(table)} | {column: f"{theirs}.{identifier(column)}" for column in key.columns}
    return "; ".join((*_delete(model, _in_the_way(model, table, key)), _insert_values(model, table, values)))


def _delete(model: Model, names: Iterable[str]) -> list[str]:
    return [f"DELETE FROM {qualified(model.schema, name)}{EVERY}" for name in names]


def _around(model: Model, table: Table) -> list[Row]:
    """Return the attempts to use statements that row security does not restrict, or to switch it off."""
    target = qualified(model.schema, table.name)
    return [
        ("truncate", "A tenant empties the table", f"TRUNCATE {target}", REFUSED),
        ("copy.out", "A tenant copies the table to a file on the server", f"COPY {target} TO '/dev/null'", REFUSED),
        ("copy.in", "A tenant copies a file on the server into the table", f"COPY {target} FROM '/dev/null'", REFUSED),
        ("copy.program", "A tenant copies the table to a program", f"COPY {target} TO PROGRAM 'true'", REFUSED),
        ("off", "A tenant switches row security off", f"SET LOCAL row_security = off; {_read(model, table)}", REFUSED),
    ]


def _written(model: Model, means: Means, table: Table, suffix: str = "") -> list[Row]:
    """Return the controls of the triggers: rows that they write belong to the tenant of the row."""
    targets = [other for other in model.tables if other.name in table.sample_writes and means.stores(table)]
    return [
        (f"own.trigger.{target.name}{suffix}", f"The trigger writes {target.name} for the tenant of the row",
         _read(model, target, _of_the_trigger(means, table, shared)),
         means.allows(ONE if shared else _every(means, target), (target, "SELECT", shared)))
        for target in targets
        for shared in [_shared(means, table, target)]
    ]  # fmt: skip


def _of_the_trigger(means: Means, table: Table, shared: Sequence[str]) -> str:
    """Return the condition for the row that a trigger wrote, which has the sample's values."""
    return "".join(
        f" {word} {identifier(name)} {EQUAL} {means.values(table)[name]}"
        for word, name in zip(("WHERE", *["AND"] * len(shared)), shared, strict=False)
    )


def _shared(means: Means, table: Table, target: Table) -> list[str]:
    """Return the columns of the target's natural keys that the table's sample also has."""
    return [name for name in dict.fromkeys(itertools.chain(*target.natural_keys)) if name in means.values(table)]


def _without(identity: str, who: str, model: Model, means: Means, table: Table, errors: tuple[str, ...]) -> list[Row]:
    """Return the attempts of a session without a valid tenant."""
    read = means.allows((*NOTHING, *errors), (table, "SELECT", ()))
    return [
        (f"read.{identity}", f"{who} reads", _read(model, table), read),
        (f"insert.{identity}", f"{who} stores a row", _insert(means, table), (*REFUSED_WITHOUT_TENANT, *errors)),
    ]
