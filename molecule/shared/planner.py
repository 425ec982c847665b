"""The production planner and SQL on a database of the lab, without Ansible around them."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator
from typing import Any

import psycopg2
import psycopg2.extensions

from ansible_collections.aimemory.tenancy.plugins.module_utils import (
    audit,
    findings,
    model,
    online,
    plan,
    proof,
    schema,
    session_test,
)
from ansible_collections.aimemory.tenancy.plugins.module_utils.finding import Finding
from ansible_collections.aimemory.tenancy.plugins.module_utils.statement import Statement
from ansible_collections.aimemory.tenancy.plugins.modules import postgresql_online
from lab import OWNER, Host
from production import ROOT, model_source

FILES = ROOT / "roles/tenancy/files"
NAME = "ai_memory_states"
MAX_ROWS = 100_000
State = dict[str, Any]
# How online steps wait, in the units of postgresql_online.
WAITS = {
    "lock_timeout": 100, "attempts": 20, "patience": 20, "long_transaction": 5, "max_waiting": 5, "max_lag": 2**26,
}  # fmt: skip


class Database:
    """A copy of the unmigrated database, in one transaction."""

    def __init__(
        self, connection: psycopg2.extensions.connection, name: str = NAME, wanted: model.Model | None = None
    ) -> None:
        """Use ``connection`` to the database ``name``, which is to be AI-Memory's or what is ``wanted``."""
        self.model = wanted or model.parse(model_source(name))
        self._cursor = connection.cursor()

    def run(self, *statements: str) -> None:
        """Run statements that take no arguments."""
        for statement in statements:
            self._cursor.execute(statement)

    def value(self, statement: str) -> Any:
        """Return the only value that ``statement`` selects."""
        self._cursor.execute(statement)
        row = self._cursor.fetchone()
        assert row is not None
        return row[0]

    def state(self) -> State:
        """Return the state document."""
        self._cursor.execute((FILES / "state.sql").read_text(), self._arguments())
        state: State = self._cursor.fetchone()[0]
        # Sizes and estimates differ between two ways to the same schema.
        for table in state["tables"].values():
            table.pop("bytes", None)
            table.pop("estimated_rows", None)
        return state

    def _arguments(self) -> dict[str, str]:
        names = json.dumps([table.name for table in self.model.tables])
        return {
            "schema": self.model.schema, "tables": names, "column": self.model.column,
            "views": json.dumps([view.name for view in self.model.views]),
            "setting": self.model.setting, "application_role": self.model.application_role,
        }  # fmt: skip

    def plan(self) -> list[Statement]:
        """Return what is left to do."""
        return plan.build(self.state(), self.model)

    def migrate(self) -> list[Finding]:
        """Apply the plan as the tenancy role does, and return the findings of the isolation proof."""
        return self._transaction(self.plan())

    def steps(self) -> list[dict[str, Any]]:
        """Return the steps that can be carried out while the service works."""
        return online.steps(self.plan())

    def carry_out(self, steps: Iterable[dict[str, Any]], waits: dict[str, int] = WAITS) -> None:
        """Carry online steps out, each in a transaction of its own; ``waits`` are those of postgresql_online."""
        connection = self._cursor.connection
        connection.commit()
        connection.autocommit = True
        try:
            for step in steps:
                postgresql_online.carry_out(self._cursor, step, waits)
        finally:
            connection.autocommit = False

    def back_to(self, snapshot: State) -> list[Finding]:
        """Go back to the schema of ``snapshot``, and return the findings that do not hold then."""
        rows = {name: table["rows"] for name, table in self.state()["tables"].items()}
        self.run(*plan.transaction(schema.build(self.state(), self.model, snapshot), self.model, "5s"))
        return [item for item in schema.findings(self.state(), self.model, snapshot, rows) if not item["ok"]]

    def prove(self) -> list[Finding]:
        """Make the isolation proof alone and return its findings."""
        return self._transaction([])

    def audit(self, url_options: str = "", readable: Iterable[str] = ()) -> list[audit.Entry]:
        """Return what the audit finds; ``readable`` are further relations that the service may read."""
        readable = [*readable, *(f"{self.model.schema}.{view.name}" for view in self.model.views)]
        self._cursor.execute((FILES / "audit.sql").read_text(), self._arguments() | {"readable": json.dumps(readable)})
        facts = self._cursor.fetchone()[0]
        given = self._arguments() | {"tables": [table.name for table in self.model.tables]}
        self._cursor.execute("SELECT set_config('tenancy_runbook.input', %s, false)", (json.dumps(given),))
        self._cursor.execute((FILES / "statements.sql").read_text(), {})
        facts |= self.value("SELECT current_setting('tenancy_runbook.statements')::json")
        return audit.collect(facts, self.state(), self.model, url_options)

    def transaction(self, statements: list[Statement], *, counted: bool = True) -> list[str]:
        """Return the SQL of the transaction around ``statements``, with the isolation proof."""
        state = self.state()
        before = proof.before(state, self.model, MAX_ROWS)
        after = proof.after(state, self.model, MAX_ROWS, (FILES / "proof.sql").read_text())
        return plan.transaction(statements, self.model, "5s", before, after, counted=counted)

    def _transaction(self, statements: list[Statement]) -> list[Finding]:
        self.run(*self.transaction(statements))
        found: list[Finding] = self._cursor.fetchone()[0]
        return found

    def commit(self) -> None:
        """Commit what was done so far."""
        self._cursor.connection.commit()

    def roll_back(self) -> None:
        """Take back what was done since the last commit."""
        self._cursor.connection.rollback()

    @contextlib.contextmanager
    def another(self) -> Iterator[Database]:
        """Yield the same database in another session; whatever is done in it is rolled back."""
        with contextlib.closing(psycopg2.connect(self._cursor.connection.dsn)) as connection:
            yield Database(connection, self.model.database)
            connection.rollback()

    def failures(self, before: State) -> list[Finding]:
        """Return the findings that do not hold; ``before`` is the state that the migration found."""
        after = self.state()
        rows = {name: table["rows"] for name, table in before["tables"].items()}
        found = findings.collect(after, self.model, rows)
        given = json.dumps(session_test.session_input(after, self.model))
        self._cursor.execute("SELECT set_config('tenancy_runbook.input', %s, true)", (given,))
        self._cursor.execute((FILES / "session_test.sql").read_text(), {})
        found += json.loads(self.value("SELECT current_setting('tenancy_runbook.findings')"))
        return [item for item in found if not item["ok"]]


@contextlib.contextmanager
def unmigrated(machine: Host) -> Iterator[Database]:
    """Yield the copy; whatever is done to it is rolled back."""
    with contextlib.closing(machine.connect(NAME)) as connection:
        connection.autocommit = False
        database = Database(connection)
        # Two copies at once would wait for each other for ever.
        database.run("SET lock_timeout = '10s'")
        yield database
        connection.rollback()


@contextlib.contextmanager
def committed(machine: Host, statements: Iterable[str]) -> Iterator[Database]:
    """Yield a copy of its own in which ``statements`` are committed, as what is done in it is at the end."""
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
