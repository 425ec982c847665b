"""The isolation proof: attempts of the application role to reach another tenant's rows, made on the real database.

An attempt is one statement, made as the application role with row security on, and what may come of it: a number of
rows or an SQLSTATE. ``roles/tenancy/files/proof.sql`` makes the attempts and takes back whatever they write. Each kind
has a positive control, which must succeed: a proof in which everything fails has proved nothing.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from . import state as catalog
from .model import ForeignKey, Model, Table, View
from .quoting import identifier, literal, qualified
from .state import Relation
from .statement import State

Attempt = dict[str, Any]
# Identity, sentence, statement, allowed outcomes.
Row = tuple[str, str, str, tuple[str, ...]]

# Outcomes as proof.sql reports them; PostgreSQL manual, appendix A.
NOTHING, ONE = ("0 rows",), ("1 rows",)
REFUSED, POINTS_NOWHERE = ("error 42501",), ("error 23503",)
NOTHING_OR_REFUSED = (*NOTHING, *REFUSED)
REFUSED_WITHOUT_TENANT = (*REFUSED, "error 23502")


def synthetic_tenants(state: State, model: Model) -> tuple[str, str]:
    """Return two tenants that have no rows."""
    documents = [catalog.table(state, table.name) for table in model.tables]
    columns = [document["column"] for document in documents if document and document["column"]]
    used = {tenant for column in columns for tenant in column["tenants"]} | {str(model.default_tenant)}
    one, other = itertools.islice((tenant for tenant in model.kind.nobodys() if tenant not in used), 2)
    return one, other


def before(state: State, model: Model, max_rows: int) -> list[str]:
    """Return the statement that keeps what the tables of the default tenant hold, to run before any change.

    Tables of more than ``max_rows`` rows are probed instead of read in full.
    """
    parts = []
    for table in model.tables:
        column = catalog.tenant_column(state, table.name)
        tenant = identifier(model.column)
        where = f" WHERE coalesce({tenant}, {literal(model.default_tenant)}) = {literal(model.default_tenant)}"
        parts.append(f"{literal(table.name)}, ({_content(state, model, table, max_rows, where if column else '')})")
    return [f"SELECT set_config('tenancy_runbook.before', jsonb_build_object({', '.join(parts)})::text, true)"]


def after(state: State, model: Model, max_rows: int, runner: str) -> list[str]:
    """Return the statements that make the proof with ``runner``, which is proof.sql."""
    given = {
        "role": model.application_role,
        "setting": model.setting,
        "default_tenant": str(model.default_tenant),
        "attempts": attempts(model, *synthetic_tenants(state, model), partitions(state, model)),
        "contents": {table.name: _content(state, model, table, max_rows) for table in model.tables},
    }
    return [
        f"SELECT set_config('tenancy_runbook.input', {literal(json.dumps(given))}, true)",
        runner,
    ]


def _content(state: State, model: Model, table: Table, max_rows: int, where: str = "") -> str:
    """Return the query for rows and hash of the old columns: independent of order, TimeZone and DateStyle."""
    document = catalog.required(state, table.name)
    target = qualified(model.schema, table.name)
    if document["rows"] > max_rows:
        return f"SELECT jsonb_build_object('probed', count(*)) FROM (SELECT FROM {target}{where} LIMIT 1000) AS probe"
    columns = ", ".join(
        identifier(name) + (f"::{document['casts'][name]}" if name in document["casts"] else "")
        for name in document["columns"]
        if name != model.column
    )
    # hash_record_extended came with PostgreSQL 14.
    row = f"ROW({columns})"
    digest = (
        f"hash_record_extended({row}, 0)"
        if state["server_version_num"] >= 140000
        else f"hashtextextended({row}::text, 0)"
    )
    return (
        f"SELECT jsonb_build_object('rows', count(*), 'hash', coalesce(sum({digest}::numeric), 0)) FROM {target}{where}"
    )


def partitions(state: State, model: Model) -> dict[str, list[Relation]]:
    """Return the partitions of each table that has some, by the table's name."""
    found = {
        table.name: catalog.partitions(state, model, table)
        for table in model.tables
        if catalog.table(state, table.name) is not None
    }
    return {name: parts for name, parts in found.items() if parts}


def attempts(
    model: Model, one: str, other: str, parted: Mapping[str, Sequence[Relation]] = MappingProxyType({})
) -> list[Attempt]:
    """Return the attempts of two tenants without rows, in the order in which they are made: id, table, sentence,
    tenant (None: reset), sql, expected (the allowed outcomes), keep (whether what was written stays for the others).

    ``parted`` are the partitions of the tables that have some.
    """
    made: list[Attempt] = []

    def add(table: Table | View, tenant: str | None, found: Iterable[Row], *, keep: bool = False) -> None:
        made.extend(
            {
                "id": f"{table.name}.{identity}", "table": table.name, "sentence": sentence,
                "tenant": tenant, "sql": sql, "expected": list(expected), "keep": keep,
            }
            for identity, sentence, sql, expected in found
        )  # fmt: skip

    # "Never set" can be tried only before the session first sets it.
    relations: list[Table | View] = [*model.tables, *model.views]
    for relation in relations:
        add(relation, None, [("read.unset", "A session that names no tenant reads", _read(model, relation), NOTHING)])
    for table in model.tables:
        add(table, one, [("own.insert", "A tenant stores a row", _insert(model, table), ONE)], keep=True)
        sentence = "Another tenant stores a row with the same keys"
        add(table, other, [("own.insert.same", sentence, _insert(model, table), ONE)], keep=True)
    for table in model.tables:
        add(table, one, _own(model, table))
        add(table, one, _towards(model, table, one, other))
        add(table, one, _pointing(model, table, one, other))
        add(table, one, _around(model, table))
        add(table, one, _written(model, table))
        add(table, other, _written(model, table, ".same"))
        add(table, None, _without("reset", "A session that reset its tenant", model, table, ()))
        add(table, "", _without("empty", "A session whose tenant is empty", model, table, ()))
        for identity, who, setting, errors in model.kind.wrong():
            add(table, setting, _without(identity, who, model, table, errors))
        parts = parted.get(table.name, [])
        add(table, one, _in_partitions(model, table, parts, other))
        add(table, None, [_from_partition(part, "reset", "A session that reset its tenant") for part in parts])
        add(table, "", [_from_partition(part, "empty", "A session whose tenant is empty") for part in parts])
    for view in model.views:
        through = (f"{view.sample_rows} rows",)
        add(view, one, [("own.read", "A tenant reads its own rows through the view", _read(model, view), through)])
        sentence = "Another tenant reads its own rows through the view"
        add(view, other, [("own.read.same", sentence, _read(model, view), through)])
        add(view, None, [("read.reset", "A session that reset its tenant reads", _read(model, view), NOTHING)])
        add(view, "", [("read.empty", "A session whose tenant is empty reads", _read(model, view), NOTHING)])
        for identity, who, setting, errors in model.kind.wrong():
            add(view, setting, [(f"read.{identity}", f"{who} reads", _read(model, view), (*NOTHING, *errors))])
    return made


def _read(model: Model, table: Table | View, where: str = "") -> str:
    return f"SELECT FROM {qualified(model.schema, table.name)}{where}"


def _insert(model: Model, table: Table, extra: Mapping[str, Any] | None = None, clause: str = "") -> str:
    values = _sample(model, table) | {name: literal(value) for name, value in (extra or {}).items()}
    return _insert_values(model, table, values) + clause


def _insert_values(model: Model, table: Table, values: Mapping[str, str]) -> str:
    return (
        f"INSERT INTO {qualified(model.schema, table.name)} ({', '.join(map(identifier, values))}) "
        f"VALUES ({', '.join(values.values())})"
    )


def _sample(model: Model, table: Table) -> dict[str, str]:
    """Return the columns of the sample with their SQL: foreign keys point to the session's own sample row."""
    values = {name: literal(value) for name, value in table.sample.items()}
    for key in table.foreign_keys:
        target, order = qualified(model.schema, key.references), ", ".join(map(identifier, key.key))
        for column, pointed in zip(key.columns, key.key, strict=True):
            own = f"(SELECT {identifier(pointed)} FROM {target} ORDER BY {order} LIMIT 1)"
            values.setdefault(column, own)
    return values


def _upsert(model: Model, key: tuple[str, ...]) -> str:
    wanted = ", ".join(map(identifier, (model.column, *key)))
    return f" ON CONFLICT ({wanted}) DO UPDATE SET {identifier(key[0])} = excluded.{identifier(key[0])}"


def _own(model: Model, table: Table) -> list[Row]:
    """Return the positive controls: what a tenant does with its own rows, and with no others."""
    target, column = qualified(model.schema, table.name), identifier(next(iter(table.sample)))
    every = _every(model, table)
    # What points to them has to go before.
    delete = "; ".join(_delete(model, [*_pointers(model, table), table.name]))
    return [
        ("own.read", "A tenant reads its own rows and no others", _read(model, table), every),
        ("own.update", "A tenant updates its own rows and no others",
         f"UPDATE {target} SET {column} = {column}", every),
        ("own.delete", "A tenant deletes its own rows and no others", delete, every),
        *(
            row
            for key in table.natural_keys
            for row in (
                (f"own.upsert.{'_'.join(key)}", "A tenant updates its own row by ON CONFLICT DO UPDATE",
                 _insert(model, table, None, _upsert(model, key)), ONE),
                (f"own.skip.{'_'.join(key)}", "A tenant's own key is found by ON CONFLICT DO NOTHING",
                 _insert(model, table, None, " ON CONFLICT DO NOTHING"), NOTHING),
            )
        ),
    ]  # fmt: skip


def _every(model: Model, table: Table) -> tuple[str, ...]:
    """Return the outcome of reading all that a tenant has after the samples."""
    return (f"{1 + sum(table.name in writer.sample_writes for writer in model.tables)} rows",)


def _in_partitions(model: Model, table: Table, parts: Sequence[Relation], other: str) -> list[Row]:
    """Return what a tenant tries with the partitions by their names, which the service need have no right to."""
    held = [f"SELECT 1 FROM {part.target}" for part in parts if not part.is_partitioned]
    if not held:
        return []
    found: list[Row] = [
        ("own.read.partitions", "A tenant reads its own rows in the partitions and no others",
         " UNION ALL ".join(held), (*_every(model, table), *REFUSED))
    ]  # fmt: skip
    column = identifier(next(iter(table.sample)))
    for part in parts:
        found.append((f"truncate{part.suffix}", "A tenant empties a partition", f"TRUNCATE {part.target}", REFUSED))
        for whose, tenant in (("another", other), ("the default", model.default_tenant)):
            where = f" WHERE {identifier(model.column)} = {literal(tenant)}"
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


def _towards(model: Model, table: Table, one: str, other: str) -> list[Row]:
    """Return what a tenant tries with the rows of another, and of the default tenant."""
    target, tenant = qualified(model.schema, table.name), identifier(model.column)
    column, columns = identifier(next(iter(table.sample))), ", ".join(map(identifier, _sample(model, table)))
    theirs, foreign = {model.column: other}, f"{literal(other)}::{model.column_type}"
    found: list[Row] = []
    for whose, number in (("another", other), ("the default", model.default_tenant)):
        where, name = f" WHERE {tenant} = {literal(number)}", whose.split()[-1]
        found += [
            (f"read.{name}", f"A tenant reads rows of {whose} tenant", _read(model, table, where), NOTHING),
            (f"lock.{name}", f"A tenant locks rows of {whose} tenant",
             _read(model, table, f"{where} FOR UPDATE"), NOTHING),
            (f"update.{name}", f"A tenant updates rows of {whose} tenant",
             f"UPDATE {target} SET {column} = {column}{where}", NOTHING),
            (f"take.{name}", f"A tenant makes rows of {whose} tenant its own",
             f"UPDATE {target} SET {tenant} = {literal(one)}{where}", NOTHING),
            (f"delete.{name}", f"A tenant deletes rows of {whose} tenant", f"DELETE FROM {target}{where}", NOTHING),
        ]  # fmt: skip
    found += [
        ("insert", "A tenant stores a row for another", _insert(model, table, theirs), REFUSED),
        ("insert.select", "A tenant copies its rows to another",
         f"INSERT INTO {target} ({columns}, {tenant}) SELECT {columns}, {foreign} FROM {target}", REFUSED),
        ("update.tenant", "A tenant gives its rows to another",
         f"UPDATE {target} SET {tenant} = {literal(other)}", REFUSED),
        ("skip", "A tenant asks by ON CONFLICT DO NOTHING what another has",
         _insert(model, table, theirs, " ON CONFLICT DO NOTHING"), REFUSED),
    ]  # fmt: skip
    found += [
        (f"upsert.{'_'.join(key)}", "A tenant overwrites another's row by ON CONFLICT DO UPDATE",
         _insert(model, table, theirs, _upsert(model, key)), REFUSED)
        for key in table.natural_keys
    ]  # fmt: skip
    return found


def _pointers(model: Model, table: Table) -> list[str]:
    """Return the tables whose rows point to the table's, directly or through others, in the order to delete from."""
    found = [table.name]
    for other in model.tables:
        if other.name not in found and any(key.references in found for key in other.foreign_keys):
            found.append(other.name)
    return found[:0:-1]


def _pointing(model: Model, table: Table, one: str, other: str) -> list[Row]:
    """Return the attempts of a tenant to point its rows to another's."""
    return [
        (f"point.{'_'.join(key.columns)}", f"A tenant points to a row of another in {key.references}",
         _point(model, table, key, one, other), POINTS_NOWHERE)
        for key in table.foreign_keys
    ]  # fmt: skip


def _point(model: Model, table: Table, key: ForeignKey, one: str, other: str) -> str:
    """Return the statements of one attempt: read the key as the other tenant, and use it as oneself.

    Where the tenant has the same key, its own rows go before, or the attempt would point to them.
    """
    target = qualified(model.schema, key.references)
    parent = next(item for item in model.tables if item.name == key.references)
    pairs = ", ".join(
        part
        for column, pointed in zip(key.columns, key.key, strict=True)
        for part in (literal(column), identifier(pointed))
    )
    # A row of the table's own type takes each value back as what it was.
    theirs = (
        f"(json_populate_record(NULL::{qualified(model.schema, table.name)}, "
        "current_setting('tenancy_runbook.theirs')::json))"
    )
    own = [*_pointers(model, parent), parent.name] if key.key in parent.natural_keys else []
    values = _sample(model, table) | {column: f"{theirs}.{identifier(column)}" for column in key.columns}
    keep = f"set_config('tenancy_runbook.theirs', json_build_object({pairs})::text, true)"
    return "; ".join(
        (
            _name_tenant(model, other),
            f"SELECT {keep} FROM {target} LIMIT 1",
            _name_tenant(model, one),
            *_delete(model, own),
            _insert_values(model, table, values),
        )
    )


def _delete(model: Model, names: Iterable[str]) -> list[str]:
    return [f"DELETE FROM {qualified(model.schema, name)}" for name in names]


def _name_tenant(model: Model, tenant: str) -> str:
    return f"SELECT set_config({literal(model.setting)}, {literal(tenant)}, true)"


def _around(model: Model, table: Table) -> list[Row]:
    """Return what row security does not hold back, and what would switch it off."""
    target = qualified(model.schema, table.name)
    return [
        ("truncate", "A tenant empties the table", f"TRUNCATE {target}", REFUSED),
        ("copy.out", "A tenant copies the table into a file of the server", f"COPY {target} TO '/dev/null'", REFUSED),
        ("copy.in", "A tenant copies a file of the server into the table", f"COPY {target} FROM '/dev/null'", REFUSED),
        ("copy.program", "A tenant hands the table to a program", f"COPY {target} TO PROGRAM 'true'", REFUSED),
        ("off", "A tenant switches row security off", f"SET LOCAL row_security = off; {_read(model, table)}", REFUSED),
    ]


def _written(model: Model, table: Table, suffix: str = "") -> list[Row]:
    """Return the controls of the triggers: what they wrote belongs to the tenant of the row."""
    targets = [other for other in model.tables if other.name in table.sample_writes]
    return [
        (f"own.trigger.{target.name}{suffix}", f"The trigger writes {target.name} for the tenant of the row",
         _read(model, target, "".join(
             f" {word} {identifier(name)} = {literal(table.sample[name])}"
             for word, name in zip(("WHERE", *["AND"] * len(table.sample)),
                                   [name for name in table.sample if name in target.sample], strict=False))),
         ONE)
        for target in targets
    ]  # fmt: skip


def _without(identity: str, who: str, model: Model, table: Table, errors: tuple[str, ...]) -> list[Row]:
    """Return what a session without a usable tenant tries."""
    return [
        (f"read.{identity}", f"{who} reads", _read(model, table), (*NOTHING, *errors)),
        (f"insert.{identity}", f"{who} stores a row", _insert(model, table), (*REFUSED_WITHOUT_TENANT, *errors)),
    ]
