"""The migration, both rollbacks and the online migration of each application on every PostgreSQL version."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from ansible_collections.aimemory.tenancy.plugins.plugin_utils.changes import enforce, plan, revert
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.changes.statement import Statement
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.describe import draft, text
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.model import model
from applications import GIVEN, OWNERS, made
from described import dumped, parsed, prepare, read
from lab import OWNER
from planner import Database, State
from production import production_source, rental_source
from schemas import refused
from server import Server

# The applications with an existing model: production's, or the unit tests'. Other applications get a drafted model.
MODELS = {"ai_memory": production_source, "boat_rental": rental_source}
# Obstacles before PostgreSQL 15: part of each message, and the statements that the message recommends.
BEFORE_15 = {
    "boat_rental": {
        "The foreign key leaves from of rental.trips is ON DELETE SET NULL": [
            'ALTER TABLE rental.trips DROP CONSTRAINT "leaves from"',
            'ALTER TABLE rental.trips ADD CONSTRAINT "leaves from" FOREIGN KEY (pier, number) REFERENCES rental.berths',
        ],
        "View rental.boats_out reads with its owner's privileges": ["DROP VIEW rental.boats_out"],
    },
    "workshop": {
        "The foreign key employees_manager_id_fkey of workshop.employees is ON DELETE SET NULL": [
            "ALTER TABLE workshop.employees DROP CONSTRAINT employees_manager_id_fkey",
            "ALTER TABLE workshop.employees ADD FOREIGN KEY (manager_id) REFERENCES workshop.employees (id)",
        ],
        "The foreign key customers_favourite_id_fkey of workshop.customers is ON DELETE SET NULL": [
            "ALTER TABLE workshop.customers DROP CONSTRAINT customers_favourite_id_fkey",
            "ALTER TABLE workshop.customers ADD FOREIGN KEY (favourite_id) REFERENCES workshop.bicycles (id)",
        ],
        "The foreign key events_2025_caller_fkey of workshop.events_2025 is ON DELETE SET NULL": [
            "ALTER TABLE workshop.events_2025 DROP CONSTRAINT events_2025_caller_fkey",
            "ALTER TABLE workshop.events_2025 ADD FOREIGN KEY (caller) REFERENCES workshop.customers (id)",
        ],
        "View workshop.open_repairs reads with its owner's privileges": ["DROP VIEW workshop.open_repairs"],
    },
}  # fmt: skip


def source(server: Server, case: str) -> dict[str, Any]:
    """Return an application's model. If a draft provides it, first run the statements that the draft requires."""
    if case in MODELS:
        return MODELS[case](case)
    decided = draft.build(read(server, case), GIVEN[case])
    prepare(server, case, decided)
    return parsed(text.tenancy(decided), case, OWNERS[case])


@contextlib.contextmanager
def unmigrated(server: Server, case: str) -> Iterator[tuple[Database, list[str]]]:
    """Yield an application's database, and the relations that its service can read."""
    with made(server, case):
        given = source(server, case)
        with contextlib.closing(server.connect(case)) as connection:
            connection.autocommit = False
            database = Database(connection, case, model.parse(given))
            if server.major < 15:
                remove_what_is_refused(database, case)
            yield database, given.get("readable", [])
            connection.rollback()


def remove_what_is_refused(database: Database, case: str) -> None:
    """Check that the plan refuses exactly the objects that need PostgreSQL 15, and apply the remedies."""
    remedies = BEFORE_15.get(case, {})
    if not remedies:
        return
    obstacles = refused(database)
    assert len(obstacles) == len(remedies)
    for refusal, statements in remedies.items():
        (found,) = [obstacle for obstacle in obstacles if refusal in obstacle]
        assert "PostgreSQL 15" in found
        database.run(*statements)
    database.model = dataclasses.replace(database.model, views=())
    database.commit()


def migrate(database: Database, before: State, readable: list[str]) -> None:
    """Migrate and commit, and check that every attempt and finding holds and the audit has no error."""
    proved = database.migrate()
    # In a real run, the end of the session drops the temporary functions.
    database.run("DISCARD TEMP")
    database.commit()
    assert len(proved) > 100
    assert [item for item in proved if not item["ok"]] == []
    hold(database, before, readable)


def hold(database: Database, before: State, readable: list[str]) -> None:
    """Check that every finding holds, that the audit has no error, and that the next plan is empty."""
    assert database.failures(before) == []
    assert database.plan() == []
    assert [entry for entry in database.audit(readable=readable) if entry["severity"] == "error"] == []


def carry_out(database: Database, statements: list[Statement]) -> None:
    """Run and commit the statements of enforce or of a rollback, as the playbooks do."""
    assert statements != []
    database.execute(plan.document(statements, database.model, "5s", 60))
    database.commit()


def roll_back_policies(database: Database) -> None:
    """Roll back the policies, and check the findings of that rollback."""
    rows: Mapping[str, Any] = {name: table["rows"] for name, table in database.state()["tables"].items()}
    carry_out(database, revert.policies(database.state(), database.model))
    found = revert.policies_findings(database.state(), database.model, rows)
    assert found != []
    assert [item for item in found if not item["ok"]] == []


@pytest.mark.parametrize("case", GIVEN)
def test_the_whole_way(server: Server, case: str) -> None:
    with unmigrated(server, case) as (database, readable):
        before, dump = database.state(), dumped(server, case)
        database.commit()

        migrate(database, before, readable)
        # An application that already has the tenant column sets its tenant, so it needs no bridge.
        if database.model.bridge:
            carry_out(database, enforce.build(database.state(), database.model))
            assert [item for item in database.prove() if not item["ok"]] == []
            hold(database, before, readable)
        roll_back_policies(database)
        migrate(database, before, readable)
        assert database.back_to(before) == []
        database.commit()
        assert dumped(server, case) == dump
        assert database.state() == before

        database.carry_out(database.steps())
        migrate(database, before, readable)
        assert database.back_to(before) == []
        database.commit()
        assert dumped(server, case) == dump
        assert database.state() == before


@pytest.mark.parametrize("value", ["off", "f", "of", "fal", "n", "0"])
def test_row_security_that_is_off_is_found_as_postgresql_reads_it(database: Database, value: str) -> None:
    database.run(f"ALTER ROLE {OWNER} SET row_security = '{value}'")
    assert [entry["subject"] for entry in database.audit() if entry["rule"] == "row-security-off"] == [f"role {OWNER}"]


@pytest.mark.parametrize("value", ["on", "t", "y"])
def test_row_security_that_is_on_is_right(server: Server, database: Database, value: str) -> None:
    database.run(f"ALTER ROLE {OWNER} SET row_security = '{value}'")
    if server.major >= 15:
        database.run("CREATE VIEW v AS SELECT * FROM memories", f"ALTER VIEW v SET (security_invoker = {value})")
    found = {entry["rule"] for entry in database.audit()}
    assert "row-security-off" not in found
    assert "view-definer" not in found
