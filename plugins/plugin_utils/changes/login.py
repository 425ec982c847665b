"""Attempts, as the service's login, to become other roles, and to reach rows with COPY or without a tenant."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ...module_utils.contents import YOUNG_ROWS
from ...module_utils.quoting import identifier, literal, qualified
from ..catalog import state as catalog
from ..model.model import Model, Table
from ..proof import samples
from ..proof.attempt import EQUAL, NOTHING, ONE, REFUSED, Attempt
from ..proof.proof import lacks, synthetic_tenants
from . import bridge, bridge_record
from .statement import State

# COPY FROM is not supported with row security (PostgreSQL manual, "COPY").
NOT_SUPPORTED = ("error 0A000",)


def becoming(role: str, bypassing: Iterable[str]) -> list[Attempt]:
    """Return the attempts by ``role`` to become each of the roles ``bypassing``, which bypass policies.

    The first attempt is a control: it shows that the session runs as ``role``.
    """
    name = literal(role)
    made = [
        _attempt("login", "", "The session runs as the service's role", ONE,
                 f"SELECT FROM (VALUES (1)) AS one WHERE current_user {EQUAL} {name} AND session_user {EQUAL} {name}")
    ]  # fmt: skip
    for other in bypassing:
        if other == role:
            continue
        made += [
            _attempt(f"login.role.{other}", "", f"The service becomes {other} with SET ROLE", REFUSED,
                     f"SET LOCAL ROLE {identifier(other)}"),
            _attempt(f"login.session.{other}", "", f"The service becomes {other} with SET SESSION AUTHORIZATION",
                     REFUSED,
                     f"SET LOCAL SESSION AUTHORIZATION {identifier(other)}"),
        ]  # fmt: skip
    return made


def reaching(state: State, model: Model, writes: bool) -> list[Attempt]:
    """Return the attempts to reach rows with COPY, and those to reach rows without setting a tenant.

    Tables without the tenant column are omitted, because findings already report them. If ``writes`` is true, the
    result also contains the attempts that write, which lock the table.
    """
    unused_tenant = synthetic_tenants(state, model)[0]
    tables = [table for table in catalog.tables(state, model) if catalog.tenant_column(state, table.name) is not None]
    # The tenant that a session has after its login can be tested only before the session sets a tenant.
    return _sessions(state, model, tables, unused_tenant) + [
        attempt for table in tables for attempt in _of_table(state, model, table, unused_tenant, writes)
    ]


def _sessions(state: State, model: Model, tables: Sequence[Table], unused_tenant: str) -> list[Attempt]:
    """Return the attempts of Test 1 in the guide: a session counts visible rows without a tenant, with a tenant, and
    after RESET.

    With the bridge, a session that sets no tenant has the default tenant. The query also counts the rows that are newer
    than the state, because the state does not count them. While a long transaction runs, every row looks new. Therefore
    a row of another tenant is an error even if it looks new.
    """
    default = _looked_at(state, model, tables)
    bridged = bridge.value(state, model) is not None
    reset = f"RESET {'.'.join(map(identifier, model.setting.split('.')))}; "
    young = YOUNG_ROWS.format(since=state["snapshot_xmin"] % 2**32)
    made = []
    for title, tenant, first, owns in (
        ("no tenant set: rows visible", None, "", bridged),
        ("default tenant: rows visible", default, "", True),
        ("after RESET: rows visible", default, reset, bridged),
        ("empty tenant: rows visible", "", "", False),
        ("tenant without rows: rows visible", unused_tenant, "", False),
    ):
        for table in tables:
            tenants = (catalog.tenant_column(state, table.name) or {})["tenants"]
            rows = tenants.get(default, 0) if owns else 0
            own = f"(t.{identifier(model.column)} {EQUAL} {literal(default)}) IS TRUE" if owns else "false"
            forbidden = f"pg_catalog.count(*) FILTER (WHERE NOT ({own}))"
            target = qualified(model.schema, table.name)
            sql = f"{first}SELECT pg_catalog.count(*), {young}, {forbidden} FROM {target} AS t"
            made.append(
                _attempt(f"{table.name}.{title}", table.name, f"A session with {title.partition(':')[0]} reads",
                         (f"{rows} rows",), sql, visible=rows, **({} if tenant is None else {"tenant": tenant}))
            )  # fmt: skip
    return made


def _looked_at(state: State, model: Model, tables: Sequence[Table]) -> str:
    """Return the default tenant, or a tenant that has rows, or an unused tenant if no tenant has rows."""
    known = [catalog.known_tenant(model, catalog.required(state, table.name)) for table in tables]
    return next((tenant for tenant in known if tenant is not None), synthetic_tenants(state, model)[1])


def unnamed(model: Model) -> list[Attempt]:
    """Return the attempt that tests the usage record of the bridge: it records a use for every kind of statement.

    The attempt calls the record's function directly. A statement records nothing if the table has no row of the tenant.
    """
    note = qualified(model.schema, bridge_record.NOTE)
    noted = " AND ".join(f"{note}({literal(kind['sequence'])})" for kind in bridge_record.kinds(model))
    return [_attempt("login.unnamed", "", "A session sets no tenant", ONE, f"SELECT WHERE {noted}", writes=True)]


def _of_table(state: State, model: Model, table: Table, unused_tenant: str, writes: bool) -> list[Attempt]:
    target, tenant = qualified(model.schema, table.name), identifier(model.column)
    column = catalog.tenant_column(state, table.name) or {}
    default = _looked_at(state, model, [table])
    own = ONE if column["tenants"].get(default) else NOTHING
    document = catalog.required(state, table.name)
    reads = REFUSED if lacks(document, "SELECT") else None
    of_tenant = REFUSED if lacks(document, "SELECT", (model.column,)) else NOTHING
    made = [
        _attempt(f"{table.name}.login.copy", table.name, "A session copies another tenant's rows to the client",
                 of_tenant, f"COPY {target} ({tenant}) TO STDOUT", tenant=unused_tenant),
        _attempt(f"{table.name}.login.copy.own", table.name, "A session copies a row of its tenant to the client",
                 reads or own, f"COPY (SELECT 1 FROM {target} LIMIT 1) TO STDOUT", tenant=default),
        _attempt(f"{table.name}.login.unnamed.other", table.name,
                 "A session that sets no tenant reads rows of a tenant other than the default one", of_tenant,
                 f"SELECT FROM {target} WHERE {tenant} OPERATOR(pg_catalog.<>) {literal(default)} LIMIT 1"),
        _attempt(f"{table.name}.login.unnamed", table.name,
                 "A session that sets no tenant reads the rows that the bridge shows",
                 reads or (own if bridge.value(state, model) is not None else NOTHING),
                 f"SELECT FROM {target} LIMIT 1"),
    ]  # fmt: skip
    if writes:
        others = {one.name: catalog.table(state, one.name) or {} for one in model.tables}
        columns = (*samples.of(model, table, document, state["types"], others).values, model.column)
        made.append(
            _attempt(f"{table.name}.login.copy.in", table.name, "A session copies rows into another tenant",
                     REFUSED if lacks(document, "INSERT", columns) else NOT_SUPPORTED,
                     f"COPY {target} ({', '.join(map(identifier, columns))}) FROM STDIN",
                     tenant=unused_tenant, data="", writes=True)
        )  # fmt: skip
    return made


def _attempt(identity: str, table: str, sentence: str, expected: Iterable[str], sql: str, **more: Any) -> Attempt:
    return {"id": identity, "table": table, "sentence": sentence, "sql": sql, "expected": list(expected), **more}
