"""The cutover module says whether its transaction was committed, also if the session is lost during COMMIT."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

import temporary
from ansible_collections.aimemory.tenancy.plugins.filter import phases
from server import ROOT, SERVER_USER, Server

NAME = "ai_memory_commit"
CHANGE = "CREATE TABLE public.changed ()"
# Longer than any wait of these tests. A call that should end earlier fails them.
SECONDS = 60
# The session that waits at a place in the server, such as SyncRep, and whether it has been terminated.
TERMINATE = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND wait_event = %s"


@pytest.fixture
def named(server: Server) -> Iterator[str]:
    """Yield the name of a copy of the unmigrated database."""
    with temporary.created(server, NAME) as name:
        yield name


def cutover(server: Server, *statements: str, seconds: float = SECONDS) -> dict[str, Any]:
    """Run the module with these statements, without stopping or starting a service, and return its result."""
    made = [
        {"id": str(number), "table": "", "phase": "column", "sql": sql, "checks": []}
        for number, sql in enumerate(statements)
    ]
    document: dict[str, Any] = {
        "begin": [], "tables": {}, "counts": {}, "checks": [], "statements": made, "proof": None, "patience": 0,
        "seconds": seconds,
    }  # fmt: skip
    given = {"database": NAME, "port": 5432, "user": SERVER_USER, "unit": "absent.service", "transaction": document}
    done = subprocess.run(
        [sys.executable, "-m", "ansible_collections.aimemory.tenancy.plugins.modules.cutover"], cwd=ROOT, text=True,
        input=json.dumps({"ANSIBLE_MODULE_ARGS": given}), capture_output=True, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT / "collections"), "PGHOST": str(server.directory),
             "PGUSER": "postgres"},
    )  # fmt: skip
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def is_changed(server: Server) -> bool:
    """Return whether the change is in the database."""
    return bool(server.sql("SELECT 1 FROM pg_class WHERE relname = 'changed'", NAME))


def is_committed(server: Server, failed: dict[str, Any]) -> bool:
    """Return what a failed run decides about the change, from the module's result and from the database."""
    planned = [{"sql": CHANGE}]
    found: bool = phases.is_committed(failed, False, [] if is_changed(server) else planned, planned)
    return found


@contextlib.contextmanager
def waiting_for_a_standby(server: Server) -> Iterator[None]:
    """Let every COMMIT wait for a synchronous standby that does not exist."""
    server.sql("ALTER SYSTEM SET synchronous_standby_names = 'absent'")
    server.sql("SELECT pg_reload_conf()")
    try:
        deadline = time.monotonic() + SECONDS
        while server.sql("SHOW synchronous_standby_names") != [("absent",)]:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield
    finally:
        server.sql("ALTER SYSTEM RESET synchronous_standby_names")
        server.sql("SELECT pg_reload_conf()")


@contextlib.contextmanager
def terminating(server: Server, place: str) -> Iterator[None]:
    """Terminate the session of the database that waits at ``place``, as soon as there is one."""

    def terminate() -> None:
        deadline = time.monotonic() + SECONDS
        with contextlib.closing(server.connect()) as connection, connection.cursor() as cursor:
            while time.monotonic() < deadline:
                cursor.execute(TERMINATE, (NAME, place))
                if cursor.fetchall():
                    return
                time.sleep(0.05)

    thread = threading.Thread(target=terminate)
    thread.start()
    yield
    thread.join()


@pytest.mark.usefixtures("named")
def test_a_change_that_is_committed_is_in_the_result(server: Server) -> None:
    done = cutover(server, CHANGE)
    assert (done.get("msg"), done["committed"], "result" in done) == (None, True, True)


@pytest.mark.usefixtures("named")
def test_a_session_that_is_terminated_in_commit_leaves_the_decision_to_the_database(server: Server) -> None:
    with waiting_for_a_standby(server), terminating(server, "SyncRep"):
        failed = cutover(server, CHANGE)
    assert (failed["failed"], failed["committed"]) == (True, None)
    assert failed["msg"].startswith("The session was lost during COMMIT, so the transaction may be committed: ")
    assert is_changed(server)
    assert is_committed(server, failed)


@pytest.mark.usefixtures("named")
def test_a_commit_that_takes_too_long_leaves_the_decision_to_the_database(server: Server) -> None:
    with waiting_for_a_standby(server):
        failed = cutover(server, CHANGE, seconds=1)
    assert failed["committed"] is None
    assert "The transaction did not end within 1 s and was terminated." in failed["msg"]
    assert failed["msg"].endswith("synchronous_standby_names: check that they are connected.")
    assert is_committed(server, failed)


@pytest.mark.usefixtures("named")
def test_a_change_is_committed_even_if_no_later_session_can_start(server: Server) -> None:
    server.sql("ALTER DATABASE postgres ALLOW_CONNECTIONS false", "template1")
    try:
        failed = cutover(server, CHANGE)
    finally:
        server.sql("ALTER DATABASE postgres ALLOW_CONNECTIONS true", "template1")
    assert "is not currently accepting connections" in failed["msg"]
    assert (failed["committed"], "result" in failed) == (True, True)
    assert is_committed(server, failed)


@pytest.mark.usefixtures("named")
def test_nothing_is_committed_if_the_session_is_lost_before_commit(server: Server) -> None:
    with terminating(server, "PgSleep"):
        failed = cutover(server, CHANGE, "SELECT pg_sleep(60)")
    assert failed["committed"] is False
    assert not is_changed(server)


@pytest.mark.usefixtures("named")
@pytest.mark.parametrize(
    ("body", "seconds", "committed"),
    [
        # PostgreSQL answers COMMIT with the error of the trigger.
        ("RAISE 'no'", SECONDS, False),
        ("PERFORM pg_sleep(60)", 1, None),
    ],
)
def test_nothing_is_committed_if_a_deferred_trigger_prevents_it(
    server: Server, body: str, seconds: float, committed: bool | None
) -> None:
    failed = cutover(
        server, CHANGE, "CREATE TABLE public.fired ()",
        f"CREATE FUNCTION public.fire() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body}; RETURN NULL; END $$",
        "CREATE CONSTRAINT TRIGGER fire AFTER INSERT ON public.fired DEFERRABLE INITIALLY DEFERRED"
        " FOR EACH ROW EXECUTE FUNCTION public.fire()",
        "INSERT INTO public.fired DEFAULT VALUES", seconds=seconds,
    )  # fmt: skip
    assert (failed["failed"], failed["committed"]) == (True, committed)
    assert not is_changed(server)
    assert not is_committed(server, failed)
