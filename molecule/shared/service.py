"""Use the sample service, change its release, log in as the service, and read the exact schema of its database."""

from __future__ import annotations

import contextlib
import io
import itertools
import threading
from collections.abc import Iterator
from typing import Any

import psycopg2.extensions

from lab import OWNER, TOKEN_SECRET, Host, Run, meanwhile

_numbers = itertools.count(1)


def assert_works_in_full(machine: Host, tenant: int = 1) -> None:
    """Store and retrieve a memory, and process two calls, as a new caller, whose rows are deleted afterwards."""
    user = f"+1555777{next(_numbers):04d}-{tenant}"
    named: dict[str, Any] = {"user_id": user, "customer_id": tenant}
    try:
        stored = machine.call("/memory/store", content="she prefers mornings", **named)
        assert stored["success"], stored
        found = machine.call("/memory/retrieve", **named)
        assert [memory["content"] for memory in found["memories"]] == ["she prefers mornings"]
        for number in (1, 2):
            call = machine.call("/v2/process-call", call_id=f"{user} {number}", summary="a quote", openness=40, **named)
            assert (call["success"], call["call_count"]) == (True, number), call
        profiles = machine.sql("SELECT total_calls FROM caller_profiles WHERE user_id = %s", (user,))
        assert profiles == [(3,)]
        shown = machine.call("/v2/context/enriched", **named)
        assert (len(shown["memories"]), shown["profile"]["total_calls"]) == (1, 3), shown
    finally:
        for table in ("memories", "call_summaries", "caller_profiles", "personality_metrics", "personality_averages"):
            machine.sql(f"DELETE FROM {table} WHERE user_id = %s", (user,))


def deploy(machine: Host, release: str) -> None:
    """Set the release for the next start, and the secret for tokens if the release needs it."""
    text = machine.run("sudo cat /opt/ai-memory/.env")
    kept = [line for line in text.splitlines() if not line.startswith(("AI_MEMORY_RELEASE=", "JWT_SECRET_KEY="))]
    added = [f"AI_MEMORY_RELEASE={release}"] + ([f'JWT_SECRET_KEY="{TOKEN_SECRET}"'] if release != "legacy" else [])
    machine.run("sudo tee /opt/ai-memory/.env", given="\n".join([*kept, *added, ""]))


@contextlib.contextmanager
def faulty_release(machine: Host, path: str = "/memory/retrieve") -> Iterator[None]:
    """Install a release that does not have ``path``, for the next start of the service."""
    code = "/opt/ai-memory/app.py"
    machine.run(f"sudo cp -p {code} {code}.whole && sudo sed -i s#{path}#/nowhere# {code}")
    try:
        yield
    finally:
        machine.run(f"sudo mv {code}.whole {code} && sudo systemctl restart ai-memory")
        machine.wait_until_healthy()


@contextlib.contextmanager
def callers(machine: Host, user: str) -> Iterator[list[str]]:
    """Store memories continuously as a caller, even while the service is down. Yield the list of confirmed memories."""
    confirmed: list[str] = []

    def talk(over: threading.Event) -> None:
        for number in itertools.count(1):
            if over.is_set():
                return
            with contextlib.suppress(AssertionError):
                if machine.call("/memory/store", user_id=user, content=f"sentence {number}")["success"]:
                    confirmed.append(f"sentence {number}")

    with meanwhile(talk):
        yield confirmed


def schema(machine: Host, database: str = "ai_memory") -> str:
    """Return a database's whole schema, as pg_dump prints it, but with a fixed word instead of pg_dump's random key."""
    return machine.run(f"sudo -u postgres pg_dump --schema-only --create --restrict-key=fixed {database}")


def run_statement(cursor: psycopg2.extensions.cursor, statement: str) -> None:
    """Run a statement as the service does, and discard the output of COPY."""
    if statement.lower().startswith("copy"):
        cursor.copy_expert(statement, io.StringIO())
    else:
        cursor.execute(statement)


@contextlib.contextmanager
def a_login(machine: Host, database: str = "ai_memory") -> Iterator[psycopg2.extensions.cursor]:
    """Yield a cursor in a new session of the service's role."""
    hba = machine.sql("SHOW hba_file")[0][0]
    machine.run(f"sudo sed -i '1i local all {OWNER} trust' {hba}")
    machine.sql("SELECT pg_reload_conf()")
    try:
        with contextlib.closing(machine.connect(database, OWNER)) as connection, connection.cursor() as cursor:
            yield cursor
    finally:
        # Remove only this login's line, because the file may still allow another login.
        machine.run(f"sudo sed -i 1d {hba}")
        machine.sql("SELECT pg_reload_conf()")


def traces(machine: Host, run: Run) -> str:
    """Return everything that a run wrote on this machine and in the service's journal."""
    journal = machine.run("sudo journalctl --unit=ai-memory --since=-10min")
    return "\n".join([run.output, *run.files().values(), journal])
