"""Statements of the service that a new column breaks are named, and nothing of their text."""

from __future__ import annotations

import io
from collections.abc import Iterator

import psycopg2.extensions
import pytest

from lab import Host
from planner import NAME, Database, unmigrated
from service import a_login

BROKEN = {"copy-without-columns", "select-star"}
STATEMENTS: dict[str, set[str]] = {
    "COPY memories TO STDOUT": {"copy-without-columns"},
    'copy public."memories" to stdout': {"copy-without-columns"},
    "COPY memories (k, type) TO STDOUT": set(),
    "SELECT * FROM memories WHERE k = 'a'": {"select-star"},
    "SELECT m.* FROM public.memories AS m": {"select-star"},
    "UPDATE memories SET k = k WHERE false RETURNING *": {"select-star"},
    "SELECT count(*) FROM memories": set(),
    "SELECT k FROM memories": set(),
}


@pytest.fixture(scope="module")
def service(machine: Host, copy: None) -> Iterator[psycopg2.extensions.cursor]:
    """Return a session of the service in the copy."""
    with a_login(machine, NAME) as cursor:
        yield cursor


@pytest.mark.parametrize("statement", STATEMENTS)
def test_a_statement_that_the_new_column_breaks_is_named(
    service: psycopg2.extensions.cursor, database: Database, statement: str
) -> None:
    if statement.lower().startswith("copy"):
        service.copy_expert(statement, io.StringIO())
    else:
        service.execute(statement)
    named = {(entry["rule"], entry["subject"]) for entry in database.audit() if entry["rule"] in BROKEN}
    assert named == {(rule, "memories") for rule in STATEMENTS[statement]}
    database.migrate()
    assert BROKEN & {entry["rule"] for entry in database.audit()} == set()


@pytest.fixture
def recorded(machine: Host) -> Iterator[None]:
    """Let PostgreSQL record statements, in the copy."""
    machine.sql("ALTER SYSTEM SET shared_preload_libraries = pg_stat_statements")
    machine.run("sudo systemctl restart postgresql")
    yield
    machine.sql("ALTER SYSTEM RESET shared_preload_libraries")
    machine.run("sudo systemctl restart postgresql && sudo systemctl restart ai-memory")
    machine.wait_until_healthy()


@pytest.mark.by_turns
def test_a_statement_of_the_past_is_named_where_they_are_recorded(machine: Host, copy: None, recorded: None) -> None:
    machine.sql("CREATE SCHEMA elsewhere", database=NAME)
    machine.sql("CREATE EXTENSION pg_stat_statements SCHEMA elsewhere", database=NAME)
    with a_login(machine, NAME) as cursor:
        cursor.copy_expert("COPY memories TO STDOUT", io.StringIO())
        cursor.execute("SELECT 1")
    with unmigrated(machine) as database:
        assert ("copy-without-columns", "memories") in {(item["rule"], item["subject"]) for item in database.audit()}


@pytest.mark.by_turns
def test_a_record_that_cannot_be_read_is_passed_over(database: Database) -> None:
    database.run("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
    assert BROKEN & {entry["rule"] for entry in database.audit()} == set()


@pytest.mark.by_turns
def test_logins_within_each_other_leave_no_way_in(machine: Host, copy: None) -> None:
    before = machine.run("sudo cat $(sudo -u postgres psql -Atc 'SHOW hba_file')")
    with a_login(machine, NAME), a_login(machine, NAME):
        pass
    assert machine.run("sudo cat $(sudo -u postgres psql -Atc 'SHOW hba_file')") == before
