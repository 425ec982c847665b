"""While the service runs, the transaction yields to callers, is retried, and requires new sessions of the service."""

from __future__ import annotations

import contextlib
import functools
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any
from unittest import mock

import psycopg2
import pytest

import temporary
from ansible_collections.aimemory.tenancy.plugins.module_utils import service_sessions, transaction
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.changes import online, plan
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.proof import proof
from lab import OWNER
from planner import MAX_ROWS, Database, run_document
from server import Server

NAME = "ai_memory_live"
TABLE = "public.memories"
# The patience in seconds: one value for a busy machine, and one for tests in which the lock does not become free.
PATIENT, IMPATIENT = 60, 0.5


@pytest.fixture
def named(server: Server) -> Iterator[str]:
    """Yield the name of a copy of the unmigrated database."""
    with temporary.created(server, NAME) as name:
        yield name


@pytest.fixture
def document(server: Server, named: str) -> Callable[[float], dict[str, Any]]:
    """Return a function that takes the patience in seconds and returns the migration's transaction document."""
    with temporary.opened(server, named) as database:
        statements, made = database.plan(), proof.document(database.state(), database.model, MAX_ROWS, 60, "")
        return functools.partial(_document, database, statements, made)


def _document(database: Database, statements: Any, made: Any, patience: float) -> dict[str, Any]:
    return plan.document(
        statements, database.model, "50ms", 60, proof=made, counted=False, patience=patience, live=True
    )


def run(server: Server, name: str, wanted: dict[str, Any], check: Callable[[Any], None] | None = None) -> Any:
    """Run a transaction document in sessions like those of the modules."""
    return run_document({"host": str(server.directory), "dbname": name, "user": "postgres"}, wanted, check)


def waited_for(server: Server, name: str, wanted: dict[str, Any]) -> list[str]:
    """Run a transaction document, and return its queries, with "" in place of the LOCK TABLE statement."""
    queries: list[str] = []

    def execute(query: str, *given: Any) -> None:
        queries.append("" if query.startswith("LOCK TABLE") else query)
        cursor.execute(query, *given)

    with (
        contextlib.closing(server.connect(name)) as connection,
        contextlib.closing(server.connect(name)) as guard,
        connection.cursor() as cursor,
    ):
        connection.autocommit = False
        recording = mock.Mock(wraps=cursor, connection=connection, execute=execute)
        transaction.work(recording, guard, wanted)
        connection.rollback()
    return queries


def has_column(server: Server, name: str) -> bool:
    return bool(
        server.sql("SELECT 1 FROM pg_attribute WHERE attrelid = 'memories'::regclass AND attname = 'customer_id'", name)
    )


def test_callers_wait_for_nothing_that_can_precede_the_lock(server: Server, named: str) -> None:
    with temporary.opened(server, named) as database:
        planned = database.plan()
        database.carry_out(online.steps(online.expand(planned, online.LIVE)))
        database.run(*(item["sql"] for item in online.early(planned, online.LIVE)))
        database.commit()
        rest = online.cutover(database.plan(), online.LIVE)
        made = proof.document(database.state(), database.model, MAX_ROWS, 60, "")
        wanted = _document(database, rest, made, PATIENT)
    queries = waited_for(server, named, wanted)
    before, after = queries[: queries.index("")], queries[queries.index("") + 1 :]
    assert transaction.LOGIN_SETTINGS in before
    assert transaction.LOGIN_SETTINGS not in after
    # After the lock, the policies are created, but the sequences and the function that they use already exist.
    assert [query for query in after if query.startswith('CREATE POLICY "tenancy_bridge')] != []
    assert [query for query in after if "SEQUENCE" in query or 'FUNCTION "public"."tenancy_bridge_note"' in query] == []
    # One query reads the counters of all tables. It runs before the statements, after them, and after the proof.
    assert after.count(transaction.KINDS) == 1
    assert after.count(transaction.COUNTERS) == 3


@contextlib.contextmanager
def reading(server: Server, name: str) -> Iterator[Any]:
    """Hold a reader's lock on a table."""
    with contextlib.closing(server.connect(name, OWNER)) as connection:
        connection.autocommit = False
        connection.cursor().execute(f"SELECT count(*) FROM {TABLE}")
        yield connection


def test_it_is_attempted_again_until_a_lock_is_free(
    server: Server, named: str, document: Callable[[float], dict[str, Any]]
) -> None:
    with reading(server, named) as reader:
        ending = threading.Timer(1, reader.rollback)
        ending.start()
        result = run(server, named, document(PATIENT))
        ending.join()
    assert result["attempts"] > 1
    assert 0 < result["locked"] < result["seconds"] + PATIENT
    assert all(finding["ok"] for finding in result["findings"])
    assert has_column(server, named)


def test_it_changes_nothing_and_names_the_transactions_that_hold_the_lock(
    server: Server, named: str, document: Callable[[float], dict[str, Any]]
) -> None:
    with reading(server, named) as reader:
        pid = reader.info.backend_pid
        with pytest.raises(transaction.BusyError) as raised:
            run(server, named, document(IMPATIENT))
    assert f"pid {pid} ({OWNER}, no application name, local)" in str(raised.value)
    assert not has_column(server, named)


def test_it_names_a_prepared_transaction(
    server: Server, named: str, document: Callable[[float], dict[str, Any]]
) -> None:
    with reading(server, named) as reader:
        reader.cursor().execute("PREPARE TRANSACTION 'forgotten'")
    try:
        with pytest.raises(transaction.BusyError, match=rf"the prepared transaction forgotten \({OWNER}\)"):
            run(server, named, document(IMPATIENT))
    finally:
        server.sql("ROLLBACK PREPARED 'forgotten'", named)
    assert not has_column(server, named)


def test_one_attempt_without_patience(server: Server, named: str, document: Callable[[float], dict[str, Any]]) -> None:
    with reading(server, named), pytest.raises(psycopg2.errors.LockNotAvailable):
        run(server, named, document(0))


def test_callers_wait_only_for_the_lock_timeout_of_an_attempt(
    server: Server, named: str, document: Callable[[float], dict[str, Any]]
) -> None:
    """A later reader receives its result while the first reader still holds its lock."""
    with reading(server, named), contextlib.closing(server.connect(named, OWNER)) as later:
        waiting = threading.Thread(target=_attempt_in_vain, args=(server, named, document(2)))
        waiting.start()
        answered = 0
        while waiting.is_alive():
            with later.cursor() as cursor:
                cursor.execute(f"SELECT count(*) FROM {TABLE}")
            answered += 1
            time.sleep(0.01)
        waiting.join()
    assert answered > 1


def _attempt_in_vain(server: Server, name: str, wanted: dict[str, Any]) -> None:
    with contextlib.suppress(transaction.BusyError):
        run(server, name, wanted)


def moment(server: Server, name: str) -> service_sessions.Moment:
    with contextlib.closing(server.connect()) as connection, connection.cursor() as cursor:
        return service_sessions.now(cursor, name, [OWNER])


def required(server: Server, name: str, at: service_sessions.Moment) -> Callable[[Any], None]:
    def check(cursor: Any) -> None:
        if older := at.older(service_sessions.read(cursor, name, [OWNER])):
            raise transaction.BusyError(f"older: {', '.join(session.name for session in older)}")

    return check


def test_an_older_session_of_the_service_prevents_it(
    server: Server, named: str, document: Callable[[float], dict[str, Any]]
) -> None:
    with contextlib.closing(server.connect(named, OWNER)) as old:
        check = required(server, named, moment(server, named))
        with pytest.raises(transaction.BusyError, match=f"older: {old.info.backend_pid} {OWNER}"):
            run(server, named, document(IMPATIENT), check)
        assert not has_column(server, named)
    with contextlib.closing(server.connect(named, OWNER)) as new:
        result = run(server, named, document(PATIENT), check)
        assert new.info.backend_pid
    assert result["attempts"] >= 1
    assert has_column(server, named)


def test_a_session_of_the_moment_is_old_even_if_the_clock_went_back(server: Server, named: str) -> None:
    with contextlib.closing(server.connect(named, OWNER)), contextlib.closing(server.connect()) as ours:
        at = moment(server, named)
        with ours.cursor() as cursor:
            found = service_sessions.read(cursor, named, [OWNER])
            earlier = service_sessions.Moment(at.time.replace(year=2000), at.sessions)
            assert earlier.older(found) == found != []
            assert service_sessions.Moment(earlier.time, frozenset()).older(found) == []
            assert service_sessions.Moment(at.time, frozenset()).older(found) == found


def test_only_sessions_of_the_roles_in_the_database_count(server: Server, named: str) -> None:
    with (
        contextlib.closing(server.connect(named, OWNER)) as own,
        contextlib.closing(server.connect("postgres", OWNER)),
        contextlib.closing(server.connect(named)) as ours,
        ours.cursor() as cursor,
    ):
        own.cursor().execute("SELECT 1")
        found = service_sessions.read(cursor, named, [OWNER])
        assert [session.pid for session in found] == [own.info.backend_pid]
        service_sessions.end(cursor, found)
        deadline = time.monotonic() + 20
        while service_sessions.read(cursor, named, [OWNER]) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert service_sessions.read(cursor, named, [OWNER]) == []
