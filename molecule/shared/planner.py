"""Run the production planner and its SQL on a lab database, without Ansible."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import psycopg2
import psycopg2.extensions

from ansible_collections.aimemory.tenancy.plugins.module_utils import backfill_login, sessions, transaction
from ansible_collections.aimemory.tenancy.plugins.modules import postgresql_backfill, postgresql_online
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.audit import audit
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.changes import (
    backfill,
    findings,
    hazards,
    online,
    plan,
    schema,
)
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.changes.finding import Finding
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.changes.statement import Statement
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.model import model
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.proof import proof
from lab import OWNER, Host
from production import ROOT, production_source

FILES = ROOT / "plugins/plugin_utils/catalog"
NAME = "ai_memory_states"
MAX_ROWS = 100_000
State = dict[str, Any]
# The limits for the waits of online steps, in the units of postgresql_online's options.
WAITS = {
    "lock_timeout": 100, "attempts": 20, "patience": 20, "long_transaction": 5, "max_waiting": 5, "max_lag": 2**26,
    "step_timeout": 60,
}  # fmt: skip


class Database:
    """A copy of the unmigrated database, in one transaction."""

    def __init__(
        self, connection: psycopg2.extensions.connection, name: str = NAME, wanted: model.Model | None = None
    ) -> None:
        """Initialize with a connection to the database ``name``, and the model ``wanted`` (AI-Memory's by default)."""
        self.model = wanted or model.parse(production_source(name))
        self._cursor = connection.cursor()

    def adopt(self) -> None:
        """Set ``adopt`` in the model, so that existing columns with the tenant column's name count as tenant
        columns."""
        tables = tuple(dataclasses.replace(table, adopt=True) for table in self.model.tables)
        self.model = dataclasses.replace(self.model, tables=tables)

    def run(self, *statements: str) -> None:
        """Run statements without arguments."""
        for statement in statements:
            self._cursor.execute(statement)

    def value(self, statement: str) -> Any:
        """Return the single value that ``statement`` selects."""
        self._cursor.execute(statement)
        row = self._cursor.fetchone()
        assert row is not None
        return row[0]

    @contextlib.contextmanager
    def _as_administrator(self) -> Iterator[None]:
        """Use the administrator's search path. The tests' own statements cannot use it, because they omit schemas."""
        path = self.value("SELECT pg_catalog.current_setting('search_path')")
        self.run(f"SET search_path = {sessions.SETTINGS['search_path']}")
        try:
            yield
        finally:
            usable = (psycopg2.extensions.TRANSACTION_STATUS_INTRANS, psycopg2.extensions.TRANSACTION_STATUS_IDLE)
            if self._cursor.connection.info.transaction_status in usable:
                self.run(f"SET search_path = {path}")

    def state(self, *, of_earlier: bool = False) -> State:
        """Return the state document. With ``of_earlier``, use the session's search path, as earlier versions did."""
        # As in the playbooks' sessions, JIT is off, because compiling the queries takes far longer than running them.
        self.run("SET jit = off")
        with contextlib.nullcontext() if of_earlier else self._as_administrator():
            self._cursor.execute((FILES / "state.sql").read_text(), self._arguments())
            state: State = self._cursor.fetchone()[0]
            self._cursor.execute((FILES / "hazards.sql").read_text(), self._arguments())
            state["hazards"] = self._cursor.fetchone()[0]
        # The snapshot's xmin is not part of the schema.
        state.pop("snapshot_xmin")
        if of_earlier:
            assert state.pop("qualified") is False
        # Sizes and estimates differ between databases that reached the same schema in different ways.
        for table in state["tables"].values():
            table.pop("bytes", None)
            table.pop("estimated_rows", None)
        # The number of attributes also counts dropped columns, so equal schemas may have different numbers.
        for relation in state["hazards"]["relations"]:
            if relation["attributes"] < hazards.MAX_COLUMNS:
                relation["attributes"] = 0
        return state

    def _arguments(self) -> dict[str, str]:
        names = json.dumps([table.name for table in self.model.tables])
        return {
            "schema": self.model.schema, "tables": names, "column": self.model.column,
            "views": json.dumps([view.name for view in self.model.views]),
            "setting": self.model.setting, "application_role": self.model.application_role,
            "functions": json.dumps([function.name for function in self.model.functions]),
            "backfill_role": backfill_login.role(self.model.database),
            "natural_keys": json.dumps(hazards.natural_keys(self.model)),
            "keys": json.dumps(hazards.keys(self.model)), "default_tenant": str(self.model.default_tenant or ""),
            "tenants": self.model.tenants.name if self.model.tenants else "",
            "tenants_key": self.model.tenants.key if self.model.tenants else "",
            "shared_keys": json.dumps(hazards.shared_keys(self.model)),
            "links": json.dumps(hazards.links(self.model)),
        }  # fmt: skip

    def plan(self) -> list[Statement]:
        """Return the statements that migrate the database from its current state."""
        return plan.build(self.state(), self.model)

    def migrate(self) -> list[Finding]:
        """Apply the plan as the apply role does, and return the findings of the isolation proof."""
        statements = self.plan()
        # The backfill's login would not see this transaction. Only the tests of the backfill use that login.
        self.run(*(item["sql"] for item in statements if item["phase"] == online.BACKFILL))
        return self._transaction(statements)

    def backfill(self, table: str) -> None:
        """Assign the default tenant to rows of ``table`` as the backfill does, but without its login."""
        (item,) = [item for item in backfill.items(self.state(), self.model) if item["table"] == table]
        assert item["nulls"] > 0
        if item["default"] is not None:
            self.run(item["default"])
        block = int(self.value("SELECT pg_catalog.current_setting('block_size')"))

        def pages(relation: str) -> int:
            return int(self.value(f"SELECT pg_catalog.pg_relation_size('{relation}')")) // block

        changed = postgresql_backfill.change(self._cursor, item, pages, lambda: threading.Timer(0, bool))
        assert changed == item["nulls"]

    def steps(self) -> list[dict[str, Any]]:
        """Return the online steps, which run while the service is running."""
        return online.steps(self.plan())

    def carry_out(self, steps: Iterable[dict[str, Any]], waits: dict[str, int] = WAITS) -> None:
        """Run online steps, each in its own transaction; ``waits`` are postgresql_online's limits."""
        connection = self._cursor.connection
        connection.commit()
        connection.autocommit = True
        try:
            for step in steps:
                with self._as_administrator(), contextlib.closing(psycopg2.connect(connection.dsn)) as guard:
                    postgresql_online.carry_out(self._cursor, step, waits, guard)
        finally:
            connection.autocommit = False

    def back_to(self, snapshot: State, *, lone: bool = True) -> list[Finding]:
        """Roll back to the schema of ``snapshot``, and return the failed findings.

        With ``lone``, the rollback is refused if another tenant has rows.
        """
        rows = {name: table["rows"] for name, table in self.state()["tables"].items()}
        statements = schema.build(self.state(), self.model, snapshot, lone=lone)
        lacking = plan.lacking(self.state(), self.model)
        self.execute(plan.document(statements, self.model, "5s", 60, lacking=lacking))
        return [item for item in schema.findings(self.state(), self.model, snapshot, rows) if not item["ok"]]

    def prove(self, options: str = "") -> list[Finding]:
        """Run only the isolation proof and return its findings. ``options`` are the options in DATABASE_URL."""
        return self.execute(self.transaction([], options=options))

    def audit(self, url_options: str = "", readable: Iterable[str] = ()) -> list[audit.Entry]:
        """Return the audit's findings; ``readable`` lists further relations that the service can read."""
        return audit.collect(self.audit_facts(readable), self.state(), self.model, url_options)

    def audit_facts(self, readable: Iterable[str] = ()) -> dict[str, list[str]]:
        """Return the objects that the audit's queries find for each rule."""
        named = [view.name for view in self.model.views] + [
            one.name for one in (self.model.tenants,) if one is not None
        ]
        readable = [*readable, *(f"{self.model.schema}.{name}" for name in named)]
        with self._as_administrator():
            self._cursor.execute(audit.query(), self._arguments() | {"readable": json.dumps(readable)})
            facts: dict[str, list[str]] = self._cursor.fetchone()[0]
            given = self._arguments() | {
                "tables": [table.name for table in self.model.tables], "replaced_role": self.model.replaced_role,
                "natural_keys": hazards.natural_keys(self.model),
            }  # fmt: skip
            self._cursor.execute("SELECT set_config('tenancy_runbook.input', %s, false)", (json.dumps(given),))
            self._cursor.execute(audit.statements_query(), {})
            facts |= self.value("SELECT current_setting('tenancy_runbook.statements')::json")
        return facts

    def transaction(self, statements: list[Statement], *, counted: bool = True, options: str = "") -> dict[str, Any]:
        """Return a transaction document with ``statements`` and the isolation proof."""
        made = proof.document(self.state(), self.model, MAX_ROWS, 60, options)
        return plan.document(statements, self.model, "5s", 60, proof=made, counted=counted)

    def _transaction(self, statements: list[Statement]) -> list[Finding]:
        return self.execute(self.transaction(statements))

    def execute(self, document: dict[str, Any]) -> list[Finding]:
        """Run a transaction document inside the test's transaction, and return the findings of the proof."""
        found: list[Finding] = self.work(document)["findings"]
        return found

    def work(self, document: dict[str, Any]) -> dict[str, Any]:
        """Run a transaction document inside the test's transaction, and return the result of ``transaction.work``."""
        with self._as_administrator(), contextlib.closing(psycopg2.connect(self._cursor.connection.dsn)) as guard:
            guard.autocommit = True
            with sessions.bounded(self._cursor.connection, guard, document["seconds"], "The transaction"):
                return transaction.work(self._cursor, guard, document)

    def commit(self) -> None:
        """Commit all changes so far."""
        self._cursor.connection.commit()

    def roll_back(self) -> None:
        """Roll back all changes since the last commit."""
        self._cursor.connection.rollback()

    @contextlib.contextmanager
    def another(self) -> Iterator[Database]:
        """Yield the same database in another session, whose changes are rolled back."""
        with contextlib.closing(psycopg2.connect(self._cursor.connection.dsn)) as connection:
            yield Database(connection, self.model.database)
            connection.rollback()

    def failures(self, before: State) -> list[Finding]:
        """Return the failed findings; ``before`` is the state before the migration."""
        after = self.state()
        adopted = {table.name for table in self.model.tables if self.model.adopted}
        rows = {
            name: table["column"]["tenants"] if name in adopted and table["column"] else table["rows"]
            for name, table in before["tables"].items()
        }
        found = findings.collect(after, self.model, rows)
        return [item for item in found if not item["ok"]]


def run_document(
    where: Mapping[str, Any], document: Mapping[str, Any], check: Callable[[Any], None] | None = None
) -> dict[str, Any]:
    """Run a transaction document in sessions like those of the modules, and return the result of ``transaction.run``.

    ``where`` contains the superuser's connection parameters.
    """
    options = sessions.options(None, "writing", transaction.SETTINGS)
    with (
        contextlib.closing(psycopg2.connect(**where, options=options)) as connection,
        contextlib.closing(psycopg2.connect(**where)) as guard,
    ):
        guard.autocommit = True
        return transaction.run(connection, guard, document, check=check)


@contextlib.contextmanager
def unmigrated(machine: Host) -> Iterator[Database]:
    """Yield the copied database. All changes to the copy are rolled back."""
    with contextlib.closing(machine.connect(NAME)) as connection:
        connection.autocommit = False
        database = Database(connection)
        # Without this limit, two simultaneous copies would wait for each other forever.
        database.run("SET lock_timeout = '10s'")
        yield database
        # A test may have terminated its own session.
        if not connection.closed:
            connection.rollback()


@contextlib.contextmanager
def committed(machine: Host, statements: Iterable[str]) -> Iterator[Database]:
    """Yield a separate copy in which ``statements`` are committed. Later changes are committed at the end."""
    name = f"{NAME}_committed"
    machine.sql(f"CREATE DATABASE {name} TEMPLATE ai_memory_template OWNER {OWNER}", database="postgres")
    try:
        with contextlib.closing(machine.connect(name)) as connection:
            connection.autocommit = False
            database = Database(connection, name)
            database.run(*statements)
            connection.commit()
            yield database
            connection.commit()
    finally:
        machine.sql(f"DROP DATABASE {name} WITH (FORCE)", database="postgres")
