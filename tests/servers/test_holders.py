"""The locks of sessions that are not clients are reported, because they delay the change after the stop."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import Any

import psycopg2
import psycopg2.extras
import pytest

import server as servers
import temporary
from ansible_collections.aimemory.tenancy.plugins.module_utils import clients
from server import OLDEST, Server, running

NAME = "ai_memory_holders"
TABLES = {"schema": "public", "names": ["memories"]}
# With these settings, a slow vacuum that prevents wraparound starts immediately.
SLOW = "autovacuum_freeze_max_age = 100000, autovacuum_vacuum_cost_delay = 100, autovacuum_vacuum_cost_limit = 1"
SPEND = "DO $$ BEGIN FOR i IN 1 .. 100001 LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$"


@pytest.fixture
def named(server: Server) -> Iterator[str]:
    """Yield the name of a copy of the unmigrated database."""
    with temporary.created(server, NAME) as name:
        yield name


def holders(server: Server, database: str, tables: dict[str, Any] | None = None) -> list[str]:
    with contextlib.closing(server.connect(database)) as connection, connection.cursor() as cursor:
        return [item.name for item in clients.holders(cursor, tables or TABLES)]


def copying(server: Server, database: str) -> Any:
    return psycopg2.connect(
        host=str(server.directory), dbname=database, user="postgres", application_name="copy",
        connection_factory=psycopg2.extras.LogicalReplicationConnection,
    )  # fmt: skip


def test_a_subscribers_copy_holds_the_table_and_is_no_client(server: Server, named: str) -> None:
    with contextlib.closing(copying(server, named)) as connection, connection.cursor() as cursor:
        cursor.execute("BEGIN READ ONLY ISOLATION LEVEL REPEATABLE READ")
        assert holders(server, named) == []
        cursor.execute("SELECT count(*) FROM public.memories")
        pid = connection.info.backend_pid
        assert holders(server, named) == [f"{pid} postgres walsender copy local idle in transaction"]
        assert holders(server, named, {"schema": "public", "names": ["call_summaries"]}) == []
        with contextlib.closing(server.connect(named)) as other, other.cursor() as asking:
            # The session ends shortly after its connection has closed.
            deadline = time.monotonic() + 20
            while (found := clients.beside(asking, named, clients.Pooler())) and time.monotonic() < deadline:
                time.sleep(0.1)
            assert found == []


def test_a_lock_on_a_partition_is_one_on_the_table(server: Server, named: str) -> None:
    server.sql("CREATE TABLE parted (a int) PARTITION BY LIST (a)", named)
    server.sql("CREATE TABLE part PARTITION OF parted DEFAULT", named)
    with contextlib.closing(copying(server, named)) as connection, connection.cursor() as cursor:
        cursor.execute("BEGIN READ ONLY ISOLATION LEVEL REPEATABLE READ")
        cursor.execute("SELECT FROM ONLY public.part")
        assert len(holders(server, named, {"schema": "public", "names": ["parted"]})) == 1


def test_a_client_is_told_once(server: Server, named: str) -> None:
    with contextlib.closing(server.connect(named)) as connection, connection.cursor() as cursor:
        cursor.execute("BEGIN; SELECT count(*) FROM public.memories")
        assert holders(server, named) == []


def test_a_vacuum_that_prevents_wraparound_is_named_and_an_ordinary_one_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(servers.SETTINGS, "autovacuum", "on")
    monkeypatch.setitem(servers.SETTINGS, "autovacuum_naptime", "1s")
    with running(OLDEST) as own:
        own.sql("CREATE TABLE memories AS SELECT repeat('x', 2000) AS k FROM generate_series(1, 2000)")
        own.sql("ALTER TABLE memories SET (autovacuum_vacuum_threshold = 1, autovacuum_vacuum_cost_delay = 100,"
                " autovacuum_vacuum_cost_limit = 1)")  # fmt: skip
        own.sql("DELETE FROM memories WHERE random() < 0.5")
        wait_for_vacuum(own)
        assert holders(own, "postgres") == []
        own.sql("DROP TABLE memories")
        own.sql("CREATE TABLE memories AS SELECT repeat('x', 2000) AS k FROM generate_series(1, 2000)")
        own.sql(f"ALTER TABLE memories SET ({SLOW}, autovacuum_enabled = false)")
        own.sql(SPEND)
        wait_for_vacuum(own)
        (name,) = holders(own, "postgres")
        assert " autovacuum worker local active" in name


def wait_for_vacuum(server: Server) -> None:
    """Wait until an autovacuum worker processes the table."""
    deadline = time.monotonic() + 60
    query = "SELECT count(*) FROM pg_stat_progress_vacuum WHERE relid = to_regclass('memories')"
    while server.sql(query) == [(0,)]:
        assert time.monotonic() < deadline
        time.sleep(0.1)
