"""The plan: the ordered statements that turn the state of a database into the model.

A database counts as migrated only if its plan is empty. Every statement is planned from the catalogs, so a partly
migrated database needs fewer statements.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from ...module_utils.errors import UnsafeStateError
from ...module_utils.quoting import identifier, literal, qualified
from ..catalog import state as catalog
from ..model.model import Model, Table
from ..proof import samples
from . import column, hazards, names, online
from .registry import CHANGES
from .statement import State, Statement

# PostgreSQL requires this order. Rows get a tenant before NOT NULL. Old foreign keys are dropped before keys are
# replaced, and new ones are added afterwards. Keys come before the functions that rely on them, and policies before row
# security.
PHASES = (
    "column", "tenant", online.BACKFILL, "not_null", "build", "unlink", "key", "link", "function", "view", "privilege",
    "bridge", "default", "policy", "enable", "force",
)  # fmt: skip
# While the service runs, an autovacuum must release its lock early. PostgreSQL cancels the autovacuum when the
# deadlock_timeout of the waiting session expires, which is 1 s by default.
YIELDING = {"deadlock_timeout": "20ms"}
# While the service runs, no query may take longer on a larger table. Therefore PostgreSQL must read each row through an
# index. With these costs, it chooses the index that reads the fewest rows, even in a small table. Parallel workers are
# off, because the transaction cannot count the rows that they read.
LIVE = {
    "enable_seqscan": "off",
    "enable_bitmapscan": "off",
    "cpu_tuple_cost": "100",
    "cpu_index_tuple_cost": "100",
    "max_parallel_workers_per_gather": "0",
    "max_parallel_maintenance_workers": "0",
}


def build(state: State, model: Model, url_options: str = "", *, careful: bool = True) -> list[Statement]:
    """Return the statements that turn ``state`` into ``model``, in the order in which they run.

    ``url_options`` is the options parameter of DATABASE_URL. If ``careful`` is false, hazards are ignored: use this to
    compare an existing database with the model.

    Raises UnsafeStateError with all obstacles if the state cannot be migrated safely.
    """
    obstacles = [text for table in model.tables for text in _obstacles(state, model, table)]
    obstacles += [text for change in CHANGES for text in change.obstacles(state, model)]
    # A login that the run itself creates does not exist yet.
    if catalog.application_role(state) is None and model.replaced_role is None:
        obstacles.append(
            f"The application role {model.application_role!r} does not exist on this server: "
            "check the user in DATABASE_URL."
        )
    statements = [] if obstacles else [item for change in CHANGES for item in change.plan(state, model)]
    # If the transaction fills the tenant column of a table, no index on the column can be built before the transaction.
    filled = {item["table"] for item in statements if item["phase"] == "tenant"}
    statements = [{**item, "online": []} if item["table"] in filled else item for item in statements]
    # Hazards matter only if statements are needed. If there are obstacles, statements are needed.
    if careful and (obstacles or statements):
        obstacles += hazards.obstacles(state, model, url_options) + names.obstacles(state, model, statements)
        obstacles += [text for change in CHANGES for text in change.hazards(state, model)]
    if obstacles:
        raise UnsafeStateError(obstacles)
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
    patience: float = 0,
    lacking: Collection[str] = (),
    live: bool = False,
) -> dict[str, Any]:
    """Return the input of ``transaction.run`` as plain data, which describes the single transaction around
    ``statements``.

    ``lock_timeout`` limits the wait for each lock, in PostgreSQL's units. ``seconds`` limits the whole transaction.
    ``patience`` is the number of seconds for which the transaction is retried if a lock is not free. ``checks`` is SQL
    that raises an error if the statements must not run. ``counted`` is true if the rows are counted. Count them only if
    the service does not write, because counting a large table takes a long time. ``lacking`` contains the tables
    without the tenant column.

    ``live`` is true if the service keeps running during the transaction. In this case, no query of the transaction may
    read a whole table, and every row that it reads is counted: see ``transaction.run``.
    """
    tables = {table.name: qualified(model.schema, table.name) for table in model.guarded}
    # Compilation (JIT) of the catalog queries and of the proof takes far longer than their execution.
    planner = {"jit": "off", **(LIVE if live else {})}
    return {
        "begin": _begin(statements, tables, lock_timeout, {**planner, **(YIELDING if live else {})}),
        "schema": model.schema,
        "tables": tables,
        "counts": {
            name: _count(statements, model, name, target, lacking) for name, target in tables.items() if counted
        },
        "rewritten": sorted({item["table"] for item in statements if item["phase"] == "tenant"}),
        "checks": list(checks),
        "statements": [
            {name: item[name] for name in ("id", "table", "phase", "sql")}
            | {"checks": column.refused_nulls(item, model)}
            for item in statements
            if item["phase"] != online.BACKFILL
        ],
        "proof": None if proof is None else dict(proof, lock_timeout=lock_timeout, planner=planner),
        "seconds": seconds,
        "patience": patience,
    }


def _begin(
    statements: Sequence[Statement], tables: Mapping[str, str], lock_timeout: str, settings: Mapping[str, str]
) -> list[str]:
    """Return the first statements of the transaction, which set its ``settings`` and lock the tables."""
    # The transaction locks all tables first. Otherwise, a REVOKE would update the table's row in pg_class without
    # locking the table. If an autovacuum of the table then waited for this row, the next ALTER TABLE would deadlock
    # with the autovacuum.
    mode = "ACCESS EXCLUSIVE" if statements else "ACCESS SHARE"
    return [
        f"SET LOCAL lock_timeout = {literal(lock_timeout)}",
        # A read or a backfill that row security would filter must fail instead of silently skipping rows.
        "SET LOCAL row_security = off",
        # The names in a function body are resolved in the sessions of the service, not in this session. The proof runs
        # the body.
        "SET LOCAL check_function_bodies = off",
        *(f"SET LOCAL {name} = {literal(value)}" for name, value in settings.items()),
        # ALTER TABLE fails if a deferred constraint has pending trigger events.
        "SET CONSTRAINTS ALL IMMEDIATE",
        # If two runs start at the same time, the second waits here and fails with the lock timeout.
        "SELECT pg_advisory_xact_lock(hashtextextended('aimemory.tenancy', 0))",
        f"LOCK TABLE {', '.join(tables.values())} IN {mode} MODE",
    ]


def lacking(state: State, model: Model) -> list[str]:
    """Return the tables of the model that have no tenant column."""
    return [table.name for table in model.tables if catalog.tenant_column(state, table.name) is None]


def _count(statements: Sequence[Statement], model: Model, name: str, target: str, without: Collection[str]) -> str:
    """Return the query that counts the rows of a table, for each tenant if the tenant column existed before the
    migration."""
    added = name in without or any(
        item["table"] == name and item["phase"] in ("column", "tenant") for item in statements
    )
    is_tenants = model.tenants is not None and model.tenants.name == name
    if not model.adopted or added or is_tenants:
        return f"SELECT count(*) FROM {target}"
    grouped = f"SELECT format('%s', {identifier(model.column)}) AS tenant, count(*) AS n FROM {target} GROUP BY 1"
    return f"SELECT coalesce(json_object_agg(tenant, n), '{{}}') FROM ({grouped}) AS t"


def transaction(statements: Sequence[Statement], model: Model, lock_timeout: str) -> list[str]:
    """Return the SQL of the transaction around ``statements``, without a proof."""
    made = document(statements, model, lock_timeout, 0)
    return [*made["begin"], *(sql for item in made["statements"] for sql in (*item["checks"], item["sql"]))]


def _obstacles(state: State, model: Model, table: Table) -> list[str]:
    document = catalog.table(state, table.name)
    name = f"{model.schema}.{table.name}"
    if document is None:
        return [f"Table {name} does not exist: correct tenancy_tables or the database."]
    found = []
    if document.get("partition_of"):
        found.append(f"{name} is a partition of {document['partition_of']}: list that table in tenancy_tables instead.")
    elif document["kind"] not in ("r", "p"):
        found.append(f"{name} is not an ordinary table (kind {document['kind']!r}): remove it from tenancy_tables.")
    found += [
        f"{part.title}, a partition of {name}, is not a table (kind {part.document['kind']!r}) and has no "
        "row security: detach it first."
        for part in catalog.partitions(state, table)
        if part.document["kind"] not in ("r", "p")
    ]
    missing = sorted(table.columns - set(document["columns"]))
    if missing:
        found.append(f"{name} has no column {', '.join(missing)}: correct its entry in tenancy_tables.")
    return found + samples.refused(model, table, document)
