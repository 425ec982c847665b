"""The plan: the ordered statements that turn the state of a database into the model.

An empty plan is the only meaning of "already migrated". Every statement is planned from what the
catalogs say, so a half-migrated database simply needs fewer of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from . import bridge, foreign_keys, indexes, online, views
from . import state as catalog
from .errors import UnsafeStateError
from .model import Function, Model, Table
from .quoting import derived_name, dollar_quoted, identifier, literal, qualified
from .state import Relation
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
        _column, indexes.planned, foreign_keys.planned, _privileges, _default, _policies, _row_security,
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

    ``lock_timeout`` is how long each may wait for a lock, in PostgreSQL's units; ``before`` and ``after`` are SQL
    around the statements: the proof's, or what refuses other tenants' rows. The last query selects findings, rows and
    the seconds since the beginning; rows are left out where they are not to be ``counted``, which takes the longer the
    more there are.
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
    if document.get("partition_of"):
        found.append(f"{name} is a partition of {document['partition_of']}: name that in tenancy_tables instead.")
    elif document["kind"] not in ("r", "p"):
        found.append(f"{name} is not an ordinary table (kind {document['kind']!r}): it cannot be planned for.")
    found += [
        f"{part.schema}.{part.name}, a partition of {name}, is no table (kind {part.document['kind']!r}) and has no "
        "row security: detach it first."
        for part in catalog.partitions(state, model, table)
        if part.document["kind"] not in ("r", "p")
    ]
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
    return [*found, *indexes.obstacles(state, model, table), *foreign_keys.obstacles(state, model, table)]


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
        relations = catalog.relations(state, model, table)
        holders = [relation.target for relation in catalog.holders(state, model, table)]
        # A row whose tenant decides where it lies moves, which only an update of the whole table does.
        moves = any(model.column in (relation.document["partition_key"] or ()) for relation in relations)
        planned.append(
            statement(
                f"{table.name}.backfill", table.name, "backfill",
                f"UPDATE {target} SET {column} = {model.default_constant} WHERE {column} IS NULL",
                f"Assign {now['nulls']} rows without a tenant to tenant {model.default_tenant}",
                "",
                [] if moves
                else online.backfill(target, holders, model.column, now["default"], model.default_constant),
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
    role, planned = identifier(model.application_role), []
    for relation in catalog.relations(state, model, table):
        granted = relation.document["granted_excess"]
        if not granted:
            continue
        privileges = ", ".join(sorted(granted))
        planned.append(
            statement(
                f"{table.name}.revoke{relation.suffix}", table.name, "privilege",
                f"REVOKE {privileges} ON {relation.target} FROM {role}",
                f"Revoke {privileges}, which row security does not hold back",
                f"GRANT {privileges} ON {relation.target} TO {role}",
            )
        )  # fmt: skip
    return planned


def _wants_bridge(state: State, model: Model) -> bool:
    """Say whether the bridge belongs to the plan: while row security is being brought in, and until it is removed.

    Enforcing removes it for good: a table that joins those which are isolated already does not bring it back.
    """
    isolated = any(
        (document := catalog.required(state, table.name))["rls"]["enabled"]
        and document["rls"]["forced"]
        and any(policy["name"] == table.policy for policy in document["policies"])
        for table in model.tables
    )
    return model.bridge and (
        not isolated or any(role in state["bridges"] for role in (model.application_role, model.replaced_role))
    )


def _default(state: State, model: Model, table: Table) -> list[Statement]:
    column, planned = identifier(model.column), []
    relations = catalog.relations(state, model, table)
    # The partitions get a new column's along with the table; of one that was there each may have another.
    is_new = catalog.tenant_column(state, table.name) is None
    for relation in relations[:1] if is_new else relations:
        now, target = relation.document["column"], relation.target if is_new else relation.alone
        if now is not None and catalog.is_session_default(now["default"], model):
            continue
        before = now["default"] if now else model.default_constant
        planned.append(
            statement(
                f"{table.name}.default{relation.suffix}", table.name, "default",
                f"ALTER TABLE {target} ALTER COLUMN {column} SET DEFAULT {model.session_tenant}",
                "Give a row that names no tenant the session's; refuse it where there is none",
                f"ALTER TABLE {target} ALTER COLUMN {column} "
                + (f"SET DEFAULT {before}" if before is not None else "DROP DEFAULT"),
            )
        )  # fmt: skip
    return planned


def _policies(state: State, model: Model, table: Table) -> list[Statement]:
    return [item for relation in catalog.relations(state, model, table) for item in _policies_of(relation, model)]


def _policies_of(relation: Relation, model: Model) -> list[Statement]:
    table, planned, wanted = relation.table, [], False
    for policy in relation.document["policies"]:
        if catalog.is_wanted_policy(policy, model, table):
            wanted = True
        elif policy["permissive"] or policy["name"] == table.policy:
            planned.append(
                statement(
                    f"{table.name}.policy.drop.{policy['name']}{relation.suffix}", table.name, "policy",
                    f"DROP POLICY {identifier(policy['name'])} ON {relation.target}",
                    "Drop a policy that would show more: permissive ones are combined with OR",
                    catalog.policy_sql(policy, relation.target),
                )
            )  # fmt: skip
    if not wanted:
        planned.append(
            statement(
                f"{table.name}.policy{relation.suffix}", table.name, "policy",
                f"CREATE POLICY {identifier(table.policy)} ON {relation.target} FOR ALL "
                f"TO {identifier(model.application_role)} "
                f"USING ({model.predicate}) WITH CHECK ({model.predicate})",
                "Show and accept only the session tenant's rows",
                f"DROP POLICY {identifier(table.policy)} ON {relation.target}",
            )
        )  # fmt: skip
    return planned


def _row_security(state: State, model: Model, table: Table) -> list[Statement]:
    planned = []
    for relation in catalog.relations(state, model, table):
        now = relation.document["rls"]
        if not now["enabled"]:
            planned.append(
                statement(
                    f"{table.name}.enable{relation.suffix}", table.name, "enable",
                    f"ALTER TABLE {relation.target} ENABLE ROW LEVEL SECURITY",
                    "Switch row-level security on",
                    f"ALTER TABLE {relation.target} DISABLE ROW LEVEL SECURITY",
                )
            )  # fmt: skip
        if not now["forced"]:
            planned.append(
                statement(
                    f"{table.name}.force{relation.suffix}", table.name, "force",
                    f"ALTER TABLE {relation.target} FORCE ROW LEVEL SECURITY",
                    "Hold the owner of the table to it as well (FORCE)",
                    f"ALTER TABLE {relation.target} NO FORCE ROW LEVEL SECURITY",
                )
            )  # fmt: skip
    return planned
