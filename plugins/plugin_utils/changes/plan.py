"""The plan: the ordered statements that turn the state of a database into the model.

An empty plan is the only meaning of "already migrated". Every statement is planned from what the
catalogs say, so a half-migrated database simply needs fewer of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ...module_utils.errors import UnsafeStateError
from ...module_utils.quoting import derived_name, dollar_quoted, identifier, literal, qualified
from ..catalog import state as catalog
from ..catalog.state import Relation
from ..model.model import Model, Table
from ..proof import samples
from . import bridge, foreign_keys, functions, hazards, indexes, names, online, views
from .statement import State, Statement, statement, step

# The order is fixed by how PostgreSQL works: rows before NOT NULL, keys before the functions that rely on them and
# between the foreign keys that need the old and the new ones, policies before row security is switched on.
PHASES = (
    "column", online.BACKFILL, "not_null", "build", "unlink", "key", "link", "function", "view", "privilege", "bridge",
    "default", "policy", "enable", "force",
)  # fmt: skip


def build(state: State, model: Model, url_options: str = "", *, careful: bool = True) -> list[Statement]:
    """Return the statements that turn ``state`` into ``model``, in the order in which they run.

    ``url_options`` are the options of DATABASE_URL; ``careful`` says whether what would make the change fail is
    refused: whoever asks what was done already wants no refusal.

    Raises UnsafeStateError, with every obstacle in it, where the state cannot be reconciled safely.
    """
    obstacles = [text for table in model.tables for text in _obstacles(state, model, table)]
    obstacles += [*views.obstacles(state, model), *functions.obstacles(state, model)]
    # A login that the run provides does not exist before the run.
    if catalog.application_role(state) is None and model.replaced_role is None:
        obstacles.append(
            f"The application role {model.application_role!r} does not exist on this server: "
            "check the user in DATABASE_URL."
        )
    statements = [] if obstacles else _statements(state, model)
    # Nothing is in the way of a change that is made already.
    if careful and (obstacles or statements):
        obstacles += [
            *hazards.obstacles(state, model, url_options), *names.obstacles(state, model, statements),
            *bridge.obstacles(state, model),
        ]  # fmt: skip
    if obstacles:
        raise UnsafeStateError(obstacles)
    return statements


def _statements(state: State, model: Model) -> list[Statement]:
    planners: tuple[Callable[[State, Model, Table], list[Statement]], ...] = (
        _column, indexes.planned, foreign_keys.planned, _privileges, _default, _policies, _row_security,
    )  # fmt: skip
    statements = [item for table in model.tables for planner in planners for item in planner(state, model, table)]
    statements += [item for function in model.functions for item in functions.planned(state, model, function)]
    statements += views.planned(state, model)
    if bridge.is_enforced(state, model):
        statements += bridge.keep_removed(state, model)
    elif model.bridge:
        statements += bridge.bring(state, model)
        statements += bridge.forget(state, model, model.replaced_role)
    return sorted(statements, key=lambda item: PHASES.index(item["phase"]))


def document(
    statements: Sequence[Statement],
    model: Model,
    lock_timeout: str,
    seconds: float,
    *,
    checks: Sequence[str] = (),
    proof: Mapping[str, Any] | None = None,
    counted: bool = True,
) -> dict[str, Any]:
    """Return what ``transaction.run`` runs: the one transaction around ``statements``, as plain data.

    ``lock_timeout`` is how long each may wait for a lock, in PostgreSQL's units, and ``seconds`` how long the whole
    may take; ``checks`` is SQL that raises where the statements must not run. The rows are ``counted`` where
    nobody writes any more; that takes the longer the more there are.
    """
    tables = {table.name: qualified(model.schema, table.name) for table in model.tables}
    # All at once: a REVOKE changes a table's entry without locking the table, and an autovacuum that is at work
    # there and waits for that entry would be a deadlock with the next ALTER TABLE.
    mode = "ACCESS EXCLUSIVE" if statements else "ACCESS SHARE"
    return {
        "begin": [
            f"SET LOCAL lock_timeout = {literal(lock_timeout)}",
            # A read or a backfill that row security would filter must fail instead of seeing no rows.
            "SET LOCAL row_security = off",
            # Compiling the reads of the catalogs takes thirty times as long as making them.
            "SET LOCAL jit = off",
            # A body's names are those of the service's sessions, not of this one; the proof runs it.
            "SET LOCAL check_function_bodies = off",
            # ALTER TABLE fails while a deferred constraint has pending events.
            "SET CONSTRAINTS ALL IMMEDIATE",
            # Two runs at once: the second waits here, and fails with the lock timeout.
            "SELECT pg_advisory_xact_lock(hashtextextended('aimemory.tenancy', 0))",
            f"LOCK TABLE {', '.join(tables.values())} IN {mode} MODE",
        ],
        "tables": tables,
        "counts": {name: f"SELECT count(*) FROM {target}" for name, target in tables.items()} if counted else {},
        "checks": list(checks),
        "statements": [
            {name: item[name] for name in ("id", "table", "phase", "sql")} | {"checks": _refused_nulls(item, model)}
            for item in statements
            if item["phase"] != online.BACKFILL
        ],
        "proof": None if proof is None else dict(proof, lock_timeout=lock_timeout),
        "seconds": seconds,
    }


def transaction(statements: Sequence[Statement], model: Model, lock_timeout: str) -> list[str]:
    """Return the SQL of the transaction around ``statements``, without a proof."""
    made = document(statements, model, lock_timeout, 0)
    return [*made["begin"], *(sql for item in made["statements"] for sql in (*item["checks"], item["sql"]))]


def _refused_nulls(item: Statement, model: Model) -> list[str]:
    """Return the SQL that raises before a column is made NOT NULL, where rows came without a value meanwhile."""
    if item["phase"] != "not_null":
        return []
    problem = (
        f"Rows without {model.column} were stored in {item['table']} since the others got theirs: stop what stores "
        "NULL there, and run it again."
    )
    rows = f"SELECT FROM {qualified(model.schema, item['table'])} WHERE {identifier(model.column)} IS NULL"
    block = f"BEGIN IF EXISTS ({rows}) THEN RAISE USING MESSAGE = {literal(problem)}; END IF; END"
    return [f"DO {dollar_quoted(block)}"]


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
    found += samples.refused(model, table, document)
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
                [step(sql)],
            )
        ]  # fmt: skip
    planned = []
    if now["nulls"]:
        planned.append(
            statement(
                f"{table.name}.backfill", table.name, online.BACKFILL,
                f"UPDATE {target} SET {column} = {model.default_constant} WHERE {column} IS NULL",
                f"Assign {now['nulls']} rows without a tenant to tenant {model.default_tenant} before the stop",
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
                online.not_null(target, model.column, check),
                [] if left else [names.check(catalog.relation(state, model, table), check)],
            )
        )  # fmt: skip
    return planned


def check_name(model: Model, table: Table) -> str:
    """Return the name of the check that stands in for NOT NULL while the rows are looked at."""
    return derived_name(table.name, model.column, "not_null_check")


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
            )
        )  # fmt: skip
    return planned


def _default(state: State, model: Model, table: Table) -> list[Statement]:
    column, planned = identifier(model.column), []
    relations = catalog.relations(state, model, table)
    # The partitions get a new column's along with the table; of one that was there each may have another.
    is_new = catalog.tenant_column(state, table.name) is None
    for relation in relations[:1] if is_new else relations:
        now, target = relation.document["column"], relation.target if is_new else relation.alone
        if now is not None and catalog.is_session_default(now["default"], model):
            continue
        planned.append(
            statement(
                f"{table.name}.default{relation.suffix}", table.name, "default",
                f"ALTER TABLE {target} ALTER COLUMN {column} SET DEFAULT {model.session_tenant}",
                "Give a row that names no tenant the session's; refuse it where there is none",
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
                )
            )  # fmt: skip
        if not now["forced"]:
            planned.append(
                statement(
                    f"{table.name}.force{relation.suffix}", table.name, "force",
                    f"ALTER TABLE {relation.target} FORCE ROW LEVEL SECURITY",
                    "Hold the owner of the table to it as well (FORCE)",
                )
            )  # fmt: skip
    return planned
