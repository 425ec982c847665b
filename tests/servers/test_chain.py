"""Migration and rollback with the production planner and SQL, on PostgreSQL versions that no lab host has."""

from __future__ import annotations

import pytest

from lab import OWNER
from planner import NAME, Database
from server import Server


def dumped(server: Server) -> str:
    return server.run("pg_dump", "--schema-only", "--create", "--restrict-key=same", NAME)


def test_migration_and_rollback(server: Server, database: Database) -> None:
    before, dump = database.state(), dumped(server)
    proved = database.migrate()
    database.commit()
    assert len(proved) > 100
    assert [item for item in proved if not item["ok"]] == []
    assert database.failures(before) == []
    assert database.plan() == []
    assert database.back_to(before) == []
    database.commit()
    assert dumped(server) == dump


def test_online_and_back(server: Server, database: Database) -> None:
    before, dump = database.state(), dumped(server)
    database.carry_out(database.steps())
    assert [item for item in database.migrate() if not item["ok"]] == []
    database.commit()
    assert database.failures(before) == []
    assert database.plan() == []
    assert database.back_to(before) == []
    database.commit()
    assert dumped(server) == dump


@pytest.mark.parametrize("value", ["off", "f", "of", "fal", "n", "0"])
def test_row_security_that_is_off_is_found_as_postgresql_reads_it(database: Database, value: str) -> None:
    database.run(f"ALTER ROLE {OWNER} SET row_security = '{value}'")
    assert [entry["subject"] for entry in database.audit() if entry["rule"] == "row-security-off"] == [f"role {OWNER}"]


@pytest.mark.parametrize("value", ["on", "t", "y"])
def test_row_security_that_is_on_is_right(database: Database, value: str) -> None:
    database.run(f"ALTER ROLE {OWNER} SET row_security = '{value}'", "CREATE VIEW v AS SELECT * FROM memories",
                 f"ALTER VIEW v SET (security_invoker = {value})")  # fmt: skip
    found = {entry["rule"] for entry in database.audit()}
    assert "row-security-off" not in found
    assert "view-definer" not in found
