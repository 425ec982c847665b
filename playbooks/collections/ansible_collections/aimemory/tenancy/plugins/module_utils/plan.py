"""The plan: the ordered statements that turn the state of a database into the model.

An empty plan is the only meaning of "already migrated". Every statement is planned from what the
catalogs say, so a half-migrated database simply needs fewer of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from . import bridge, foreign_keys, online, views
from . import state as catalog
from .errors import UnsafeStateError
from .model import Function, Model, Table
from .quoting import derived_name, dollar_quoted, identifier, literal, qualified
from .statement import State, Statement, statement, step

# The order is fixed by how PostgreSQL works: rows before NOT NULL, keys before the functions that rely on them and
# between the foreign keys that need the old and the new ones, policies before row security is switched on.
PHASES = (
    "column", "backfill", "not_null", "build", "unlink", "key", "link", "function", "view", "privilege", "bridge",
    "default", "policy", "enable", "force",
)  # fmt: skip


def build(state: State, model: Model) -> list[Statement]:
    """Return the statements that turn ``state`` into ``model``, in the order in which they run.

    Raises UnsafeStateError, with every obstacle in it, where the state cannot be reconciled safely.
    """
    obstacles = [text for table in model.tables for text in _obstacles(state, model, table)]
    obstacles += views.obstacles(state, model)
    # A login that the run provides does not exist before the run.
    if catalog.application_role(state) is None and model.replaced_role is None:
        obstacles.append(
            f"The application role {model.application_role!r} does not exist on this server: "
            "check the user in DATABASE_URL."
        )
    if obstacles:
        raise UnsafeStateError(obstacles)
    planners: tuple[Callable[[State, Model, Table], list[Statement]], ...] = (
        _column, _indexes, _keys, foreign_keys.planned, _privileges, _default, _policies, _row_security,
    )  # fmt: skip
    statements = [item for table in model.tables for planner in planners for item in planner(state, model, table)]
    statements += [item for function in model.functions for item in _function(state, model, function)]
    statements += views.planned(state, model)
    if _wants_bridge(state, model):
        statements += bridge.bring(state, model)
        statements += bridge.forget(state, model, model.replaced_role)
    return sorted(statements, key=lambda item: PHASES.index(item["phase"]))


def transaction(
    statements: Sequence[Statement],
    model: Model,
    lock_timeout: str,
    before: Sequence[str] = (),
    after: Sequence[str] = (),
    *,
    counted: bool = True,
) -> list[str]:
    """Return the SQL of one transaction that runs ``statements``: whatever raises, PostgreSQL has changed nothing.

    ``lock_timeout`` is how long each may wait for a lock, in PostgreSQL's units; ``before`` and ``after`` are the
    proof's SQL around the statements. The last query selects findings, rows and the seconds since the beginning; rows
    are left out where they are not to be ``counted``, which takes the longer the more there are.
    """
    findings = "current_setting('tenancy_runbook.findings')" if after else "'[]'"
    tables = [qualified(model.schema, table.name) for table in model.tables]
    counts = ", ".join(
        f"{literal(table.name)}, (SELECT count(*) FROM {qualified(model.schema, table.name)})"
        for table in model.tables
        if counted
    )
    return [
        f"SET LOCAL lock_timeout = {literal(lock_timeout)}",
        # A read or a backfill that row security would filter must fail instead of seeing no rows.
        "SET LOCAL row_security = off",
        # Compiling the reads of the catalogs takes thirty times as long as making them.
        "SET LOCAL jit = off",
        # ALTER TABLE fails while a deferred constraint has pending events.
        "SET CONSTRAINTS ALL IMMEDIATE",
        # Two runs at once: the second waits here, and fails with the lock timeout.
        "SELECT pg_advisory_xact_lock(hashtextextended('aimemory.tenancy', 0))",
        # All at once: a REVOKE changes a table's entry without locking the table, and an autovacuum that is at work
        # there and waits for that entry would be a deadlock with the next ALTER TABLE.
        *([f"LOCK TABLE {', '.join(tables)} IN ACCESS EXCLUSIVE MODE"] if statements else []),
        # Counted where nobody writes any more: the service did until it was stopped.
        f"SELECT set_config('tenancy_runbook.rows', jsonb_build_object({counts})::text, true)",
        *before,
        *(item["sql"] for item in statements),
        *after,
        # Where a proof was to be made, one that left no findings is an error.
        (
            f"SELECT {findings}::json AS findings, current_setting('tenancy_runbook.rows')::json AS rows,"
            " extract(epoch FROM clock_timestamp() - transaction_timestamp())::float AS seconds"
        ),
    ]


def undo(statements: Sequence[Statement]) -> list[Statement]:
    """Return the statements that take ``statements`` back, in the order in which they run."""
    return [{**item, "sql": item["undo"]} for item in reversed(statements) if item["undo"]]


def _obstacles(state: State, model: Model, table: Table) -> list[str]:
    document = catalog.table(state, table.name)
    name = f"{model.schema}.{table.name}"
    if document is None:
        return [f"Table {name} does not exist: correct tenancy_tables or the database."]
    found = []
    if document["kind"] == "p":
        found.append(
            f"{name} is not an ordinary table but a partitioned one, whose policies do not hold for whoever reads a "
            "partition: it cannot be planned for. Make it an ordinary table first."
        )
    elif document["kind"] != "r":
        found.append(f"{name} is not an ordinary table (kind {document['kind']!r}): it cannot be planned for.")
    column = document["column"]
    if column and column["type"] != model.column_type:
        found.append(
            f"{name}.{model.column} exists with type {column['type']}, the model wants {model.column_type}: "
            "rename or convert that column by hand first."
        )
    if column and column["generated"]:
        found.append(f"{name}.{model.column} is an identity or generated column: drop that property first.")
    missing = sorted(table.columns - set(document["columns"]))
    if missing:
        found.append(f"{name} has no column {', '.join(missing)}: correct its entry in tenancy_tables.")
    for index in document["indexes"]:
        if index["unique"] and not _is_known(index, model, table):
            found.append(
                f"The unique key {index['name']} of {name} on ({', '.join(index['columns'])}) is not named in the "
                "model: name its columns under surrogate_keys (random values) or natural_keys of that table."
            )
        elif _is_global(index, table):
            # Foreign keys that the model names are exchanged along with it.
            dependents = [text for text in index["dependents"] if text not in foreign_keys.descriptions(state, model)]
            if dependents:
                found.append(
                    f"The key {index['name']} of {name} has to be replaced, but {', '.join(dependents)} "
                    "depends on it: name it under foreign_keys of its tenant table, or change or drop it first."
                )
            if index["replica_identity"] or index["clustered"]:
                found.append(
                    f"The key {index['name']} of {name} has to be replaced, but it is the table's replica identity "
                    "or CLUSTER index: move that mark to the surrogate key first."
                )
    return found + foreign_keys.obstacles(state, model, table)


def _is_known(index: Mapping[str, Any], model: Model, table: Table) -> bool:
    columns = tuple(index["names"])
    tenant_keys = tuple((model.column, *key) for key in table.natural_keys)
    return (
        columns in table.surrogate_keys
        or _is_global(index, table)
        or columns in tenant_keys
        # A unique key that begins with the tenant column tells a tenant nothing about another.
        or columns[:1] == (model.column,)
    )


def _is_global(index: Mapping[str, Any], table: Table) -> bool:
    return bool(index["unique"]) and bool(index["plain"]) and tuple(index["names"]) in table.natural_keys


def _column(state: State, model: Model, table: Table) -> list[Statement]:
    target, column = qualified(model.schema, table.name), identifier(model.column)
    now = catalog.tenant_column(state, table.name)
    if now is None:
        sql = f"ALTER TABLE {target} ADD COLUMN {column} {model.column_type} NOT NULL DEFAULT {model.default_constant}"
        return [
            statement(
                f"{table.name}.column", table.name, "column", sql,
                f"Add {model.column}; existing rows belong to tenant {model.default_tenant} (no table rewrite)",
                f"ALTER TABLE {target} DROP COLUMN {column}", [step(sql)],
            )
        ]  # fmt: skip
    planned = []
    if now["nulls"]:
        planned.append(
            statement(
                f"{table.name}.backfill", table.name, "backfill",
                f"UPDATE {target} SET {column} = {model.default_constant} WHERE {column} IS NULL",
                f"Assign {now['nulls']} rows without a tenant to tenant {model.default_tenant}",
                "", online.backfill(target, model.column, now["default"], model.default_constant),
            )
        )  # fmt: skip
    if not now["not_null"]:
        check = check_name(model, table)
        # A run that was interrupted while the service worked may have left it.
        left = f", DROP CONSTRAINT {identifier(check)}" if catalog.depends(state, table.name, check) else ""
        planned.append(
            statement(
                f"{table.name}.not_null", table.name, "not_null",
                f"ALTER TABLE {target} ALTER COLUMN {column} SET NOT NULL{left}",
                f"Refuse rows without {model.column}",
                f"ALTER TABLE {target} ALTER COLUMN {column} DROP NOT NULL",
                online.not_null(target, model.column, check),
            )
        )  # fmt: skip
    return planned


def check_name(model: Model, table: Table) -> str:
    """Return the name of the check that stands in for NOT NULL while the rows are looked at."""
    return derived_name(table.name, model.column, "not_null_check")


def _build(identity: str, table: str, sql: str, reason: str, undo: str) -> Statement:
    return statement(identity, table, "build", sql, reason, undo, online.concurrently(sql))


def _indexes(state: State, model: Model, table: Table) -> list[Statement]:
    target = qualified(model.schema, table.name)
    planned = []
    for index in table.indexes:
        columns = [(model.column, False), *((column.name, column.descending) for column in index)]
        if catalog.has_index(state, table.name, columns):
            continue
        name = derived_name("idx", table.name, model.column, *(column.name for column in index))
        planned += _drop_leftover(state, model, table, name)
        planned.append(
            _build(
                f"{table.name}.index.{'_'.join(column.name for column in index)}", table.name,
                f"CREATE INDEX {identifier(name)} ON {target} "
                f"({', '.join([identifier(model.column), *(column.sql for column in index)])})",
                "Serve the service's queries within one tenant",
                f"DROP INDEX {qualified(model.schema, name)}",
            )
        )  # fmt: skip
    return planned


def _drop_leftover(state: State, model: Model, table: Table, name: str) -> list[Statement]:
    """Plan to drop an index that bears the wanted name but is not what it says (an interrupted build)."""
    leftover = catalog.index_named(state, table.name, name)
    if leftover is None:
        return []
    return [
        _build(
            f"{table.name}.leftover.{name}", table.name,
            f"DROP INDEX {qualified(model.schema, name)}",
            "Remove an index of that name that is invalid or covers other columns",
            f"{leftover['definition']}",
        )
    ]  # fmt: skip


def _keys(state: State, model: Model, table: Table) -> list[Statement]:
    target = qualified(model.schema, table.name)
    planned: list[Statement] = []
    for key in model.tenant_keys(table):
        old = [
            index
            for index in catalog.indexes(state, table.name)
            if _is_global(index, table) and tuple(index["names"]) == key
        ]
        primary = any(index["constraint_type"] == "p" for index in old)
        wanted = (model.column, *key)
        identity = f"{table.name}.key.{'_'.join(key)}"
        drops = [
            f"DROP CONSTRAINT {identifier(index['constraint'])}" for index in old if index["constraint"] is not None
        ]
        bare = [index for index in old if index["constraint"] is None]
        present = catalog.unique_key(state, table.name, wanted)
        adds = []
        undo = [
            f"ADD CONSTRAINT {identifier(index['constraint'])} {index['constraint_definition']}"
            for index in old
            if index["constraint"] is not None
        ]
        if (
            present is None
            or (present["constraint"] is None and (drops or not bare))
            or (primary and present["constraint_type"] != "p")
        ):
            kind = "PRIMARY KEY" if primary else "UNIQUE"
            name = next(
                (index["constraint"] for index in old if index["constraint_type"] == "p"),
                derived_name(table.name, *wanted, "key"),
            )
            if present is None or present["constraint"] is not None:
                build_name = derived_name(table.name, *wanted, "tenant_key")
                planned += _drop_leftover(state, model, table, build_name)
                planned.append(
                    _build(
                        f"{identity}.build", table.name,
                        f"CREATE UNIQUE INDEX {identifier(build_name)} ON {target} "
                        f"({', '.join(identifier(column) for column in wanted)})",
                        f"Build the key ({', '.join(wanted)})",
                        # The key takes the index over, and takes it along when it goes.
                        f"DROP INDEX IF EXISTS {qualified(model.schema, build_name)}",
                    )
                )  # fmt: skip
            else:
                build_name = present["name"]
            adds = [f"ADD CONSTRAINT {identifier(name)} {kind} USING INDEX {identifier(build_name)}"]
            undo = [f"DROP CONSTRAINT {identifier(name)}", *undo]
        if drops or adds:
            reason = (
                f"Make ({', '.join(key)}) unique per tenant instead of globally"
                if key in table.natural_keys
                else f"Let foreign keys point to ({', '.join(key)}) together with the tenant"
            )
            planned.append(
                statement(
                    identity, table.name, "key",
                    f"ALTER TABLE {target} {', '.join([*drops, *adds])}",
                    reason,
                    f"ALTER TABLE {target} {', '.join(undo)}" if undo else "",
                )
            )  # fmt: skip
        planned += [
            statement(
                f"{identity}.drop.{index['name']}", table.name, "key",
                f"DROP INDEX {qualified(model.schema, index['name'])}",
                f"Drop the global key ({', '.join(key)}), which tells one tenant what another has",
                index["definition"],
            )
            for index in bare
        ]  # fmt: skip
    return planned


def _function(state: State, model: Model, function: Function) -> list[Statement]:
    now = catalog.function(state, function.name, function.identity)
    name = qualified(model.schema, function.name)
    body = dollar_quoted("\n" + function.body.strip() + "\n")
    if now is None:
        sql = f"CREATE FUNCTION {name}({function.arguments}) RETURNS {function.returns} LANGUAGE plpgsql AS {body}"
        undo = f"DROP FUNCTION {name}({function.identity})"
    else:
        # The header as the catalogs give it keeps SECURITY, volatility and SET clauses, which
        # CREATE OR REPLACE would otherwise put back to their defaults.
        header = now["definition"][: now["definition"].index("\nAS $")]
        sql, undo = f"{header}\nAS {body}", now["definition"]
    identity = f"function.{function.name}({function.identity})"
    planned = []
    if now is None or now["body"].strip() != function.body.strip():
        planned.append(
            statement(identity, "", "function", sql, f"Make {function.name} work within one tenant", undo),
        )
    if now is None or not now["granted"]:
        signature, role = f"{name}({function.identity})", identifier(model.application_role)
        planned.append(
            statement(
                f"{identity}.grant", "", "privilege", f"GRANT EXECUTE ON FUNCTION {signature} TO {role}",
                "Let the service execute the functions by a right of its own",
                f"REVOKE EXECUTE ON FUNCTION {signature} FROM {role}",
            )
        )  # fmt: skip
    return planned


def _privileges(state: State, model: Model, table: Table) -> list[Statement]:
    granted = catalog.required(state, table.name)["granted_excess"]
    if not granted:
        return []
    target, role = qualified(model.schema, table.name), identifier(model.application_role)
    privileges = ", ".join(sorted(granted))
    return [
        statement(
            f"{table.name}.revoke", table.name, "privilege",
            f"REVOKE {privileges} ON {target} FROM {role}",
            f"Revoke {privileges}, which row security does not hold back",
            f"GRANT {privileges} ON {target} TO {role}",
        )
    ]  # fmt: skip


def _wants_bridge(state: State, model: Model) -> bool:
    """Say whether the bridge belongs to the plan: while row security is being brought in, and until it is removed.

    Enforcing removes it for good: a table that joins those which are isolated already does not bring it back.
    """
    isolated = any(
        catalog.is_forced(state, table.name)
        and any(policy["name"] == table.policy for policy in catalog.policies(state, table.name))
        for table in model.tables
    )
    return model.bridge and (
        not isolated or any(role in state["bridges"] for role in (model.application_role, model.replaced_role))
    )


def _default(state: State, model: Model, table: Table) -> list[Statement]:
    now = catalog.tenant_column(state, table.name)
    if now is not None and catalog.is_session_default(now["default"], model):
        return []
    target, column = qualified(model.schema, table.name), identifier(model.column)
    before = now["default"] if now else model.default_constant
    return [
        statement(
            f"{table.name}.default", table.name, "default",
            f"ALTER TABLE {target} ALTER COLUMN {column} SET DEFAULT {model.session_tenant}",
            "Give a row that names no tenant the session's; refuse it where there is none",
            f"ALTER TABLE {target} ALTER COLUMN {column} "
            + (f"SET DEFAULT {before}" if before is not None else "DROP DEFAULT"),
        )
    ]  # fmt: skip


def _policies(state: State, model: Model, table: Table) -> list[Statement]:
    target = qualified(model.schema, table.name)
    planned = []
    wanted = False
    for policy in catalog.policies(state, table.name):
        if catalog.is_wanted_policy(policy, model, table):
            wanted = True
        elif policy["permissive"] or policy["name"] == table.policy:
            planned.append(
                statement(
                    f"{table.name}.policy.drop.{policy['name']}", table.name, "policy",
                    f"DROP POLICY {identifier(policy['name'])} ON {target}",
                    "Drop a policy that would show more: permissive ones are combined with OR",
                    catalog.policy_sql(policy, target),
                )
            )  # fmt: skip
    if not wanted:
        planned.append(
            statement(
                f"{table.name}.policy", table.name, "policy",
                f"CREATE POLICY {identifier(table.policy)} ON {target} FOR ALL "
                f"TO {identifier(model.application_role)} "
                f"USING ({model.predicate}) WITH CHECK ({model.predicate})",
                "Show and accept only the session tenant's rows",
                f"DROP POLICY {identifier(table.policy)} ON {target}",
            )
        )  # fmt: skip
    return planned


def _row_security(state: State, model: Model, table: Table) -> list[Statement]:
    target = qualified(model.schema, table.name)
    now = catalog.required(state, table.name)["rls"]
    planned = []
    if not now["enabled"]:
        planned.append(
            statement(
                f"{table.name}.enable", table.name, "enable",
                f"ALTER TABLE {target} ENABLE ROW LEVEL SECURITY",
                "Switch row-level security on",
                f"ALTER TABLE {target} DISABLE ROW LEVEL SECURITY",
            )
        )  # fmt: skip
    if not now["forced"]:
        planned.append(
            statement(
                f"{table.name}.force", table.name, "force",
                f"ALTER TABLE {target} FORCE ROW LEVEL SECURITY",
                "Hold the owner of the table to it as well (FORCE)",
                f"ALTER TABLE {target} NO FORCE ROW LEVEL SECURITY",
            )
        )  # fmt: skip
    return planned
