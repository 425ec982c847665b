"""Each transaction for which a lock or an online step would wait is named, with the details that PostgreSQL shows."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Iterator
from typing import Any

import psycopg2
import pytest

import temporary
from ansible_collections.aimemory.tenancy.plugins.module_utils import open_transactions
from lab import OWNER
from server import NEWEST, Server, running

NAME = "ai_memory_transactions"
TABLES = {"schema": "public", "names": ["memories", "parted"]}
AGE = r"has (?:had a transaction|been) open for 00:00:0\d"
SNAPSHOT = r"keeps a snapshot \d+ transactions old"


@pytest.fixture(scope="module")
def own() -> Iterator[Server]:
    """Yield a server that accepts prepared transactions."""
    with running(NEWEST, max_prepared_transactions="5") as found:
        found.sql(f"CREATE ROLE {OWNER} LOGIN")
        yield found


@pytest.fixture
def named(own: Server) -> Iterator[str]:
    """Yield the name of a database with two tenant tables, one of which is partitioned, and another table."""
    with temporary.created(own, NAME, "template1") as name:
        own.sql("CREATE TABLE memories (k int); CREATE TABLE parted (k int) PARTITION BY LIST (k)", name)
        own.sql("CREATE TABLE part PARTITION OF parted DEFAULT; CREATE TABLE other (k int)", name)
        own.sql(f"INSERT INTO memories VALUES (1); GRANT ALL ON memories, parted, part, other TO {OWNER}", name)
        yield name


@contextlib.contextmanager
def session(server: Server, *statements: str) -> Iterator[int]:
    """Run statements in a session of the service's role, yield its PID, and close the session at the end."""
    where = {"host": str(server.directory), "dbname": NAME, "user": OWNER, "application_name": "report"}
    with contextlib.closing(psycopg2.connect(**where)) as connection, connection.cursor() as cursor:
        connection.autocommit = True
        for statement in statements:
            cursor.execute(statement)
        yield int(connection.info.backend_pid)


def found(server: Server, name: str, count: int, seconds: float = 0) -> list[dict[str, Any]]:
    """Wait for ``count`` transactions, and return them. A session must be idle for a second before it is found."""
    deadline = time.monotonic() + 30
    while True:
        with contextlib.closing(server.connect(name)) as connection, connection.cursor() as cursor:
            there = open_transactions.find(cursor, TABLES, seconds)
        if len(there) == count or time.monotonic() > deadline:
            assert len(there) == count, there
            return there
        time.sleep(0.1)


@pytest.mark.parametrize(
    ("statements", "words", "locks"),
    [
        (["BEGIN"], AGE + ", is idle in it", False),
        (["BEGIN", "SELECT FROM other"], AGE + ", is idle in it", False),
        (["BEGIN", "SELECT FROM memories"], AGE + ", is idle in it, holds locks on memories", True),
        (["BEGIN", "SELECT FROM memories, part"], AGE + ", is idle in it, holds locks on memories, part", True),
        (
            ["BEGIN ISOLATION LEVEL REPEATABLE READ", "SELECT FROM other"],
            AGE + ", is idle in it, " + SNAPSHOT + r" \(REPEATABLE READ, or an open cursor\)", False,
        ),
        (
            ["BEGIN", "DECLARE c CURSOR FOR SELECT FROM memories", "FETCH c"],
            AGE + ", is idle in it, holds locks on memories, " + SNAPSHOT + r" \(REPEATABLE READ, or an open cursor\)",
            True,
        ),
        (
            ["BEGIN ISOLATION LEVEL SERIALIZABLE", "SELECT FROM memories"],
            AGE + ", is idle in it, holds locks on memories, is SERIALIZABLE", True,
        ),
    ],
)  # fmt: skip
def test_a_session_in_a_transaction_is_named(
    own: Server, named: str, statements: list[str], words: str, locks: bool
) -> None:
    with session(own, *statements) as pid:
        (item,) = found(own, named, 1)
        assert (item["kind"], item["name"], item["locks"]) == ("session", str(pid), locks)
        assert re.fullmatch(rf"pid {pid} \({OWNER}, report, local\) {words}", item["sentence"]), item
    found(own, named, 0)


def test_a_statement_that_runs_is_named_after_some_seconds(own: Server, named: str) -> None:
    with contextlib.ExitStack() as stack:
        pid = stack.enter_context(session(own))
        connection = stack.enter_context(contextlib.closing(psycopg2.connect(host=str(own.directory), dbname=NAME,
                                                                             user=OWNER, async_=True)))  # fmt: skip
        wait(connection)
        connection.cursor().execute("SELECT pg_sleep(600) FROM memories")
        (item,) = found(own, named, 1, seconds=1)
        assert item["name"] != str(pid)
        assert "is idle" not in item["sentence"]
        assert re.search(rf"{AGE}, holds locks on memories, {SNAPSHOT}$", item["sentence"]), item
        found(own, named, 0, seconds=3600)
        own.sql(f"SELECT pg_terminate_backend({item['name']})")


def wait(connection: Any) -> None:
    """Wait until an asynchronous connection is open."""
    while connection.poll() != psycopg2.extensions.POLL_OK:
        time.sleep(0.05)


def test_a_prepared_transaction_is_named_with_its_gid(own: Server, named: str) -> None:
    with session(own, "BEGIN", "INSERT INTO memories VALUES (2)", "PREPARE TRANSACTION 'order 7'"):
        pass
    with session(own, "BEGIN", "INSERT INTO other VALUES (2)", "PREPARE TRANSACTION 'order 8'"):
        pass
    try:
        first, second = found(own, named, 2)
        assert (first["kind"], first["name"], first["locks"]) == ("prepared", "order 7", True)
        begin = rf"the prepared transaction order 7 \({OWNER}\) {AGE}"
        assert re.fullmatch(f"{begin}, holds locks on memories", first["sentence"]), first
        assert (second["name"], second["locks"]) == ("order 8", False)
    finally:
        own.sql("ROLLBACK PREPARED 'order 7'", named)
        own.sql("ROLLBACK PREPARED 'order 8'", named)


def test_transactions_of_other_databases_do_not_matter(own: Server, named: str) -> None:
    with contextlib.closing(own.connect()) as connection, connection.cursor() as cursor:
        cursor.execute("BEGIN")
        with session(own, "BEGIN"):
            found(own, named, 1)
