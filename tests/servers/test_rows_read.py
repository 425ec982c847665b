"""While the service works, the transaction reads as many rows of a large database as of a small one."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import temporary
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.changes import online, planning
from planner import Database, State
from server import Server

# The unique columns of each table.
KEYS = {
    "memories": ("id",), "call_summaries": ("id", "call_id"), "caller_profiles": ("id", "user_id"),
    "personality_metrics": ("id",), "personality_averages": ("user_id",),
}  # fmt: skip
MORE = """
ALTER TABLE {table} DISABLE TRIGGER USER;
INSERT INTO {table}
SELECT (jsonb_populate_record(t, jsonb_build_object({keys}))).* FROM {table} AS t, generate_series(1, {times}) AS n;
ALTER TABLE {table} ENABLE TRIGGER USER
"""
WANTED = {
    "lock_timeout": "5s", "url_options": "", "seconds": 60, "proof_seconds": 60, "patience": 0, "proof_rows": 100_000,
    "counted": True, "careful": True, "strategy": "live",
}  # fmt: skip


@contextlib.contextmanager
def filled(server: Server, times: int) -> Iterator[Database]:
    """Yield AI-Memory's database with ``times`` as many rows."""
    name = f"ai_memory_times_{times}"
    with temporary.created(server, name):
        for table, columns in KEYS.items():
            keys = ", ".join(f"'{column}', md5(t.{column}::text || n)" for column in columns)
            server.sql(MORE.format(table=table, keys=keys, times=times - 1), name)
        server.sql("ANALYZE", name)
        with temporary.opened(server, name) as database:
            yield database


def read(database: Database, goal: str, snapshot: State | None = None, **more: Any) -> tuple[int, int]:
    """Commit the transaction of ``live`` for a goal. Return the rows that the change reads, and those of the proof."""
    state = database.state()
    found = planning.statements(state, database.model, goal, snapshot)
    rest = online.cutover(found, "live")
    assert rest != []
    document = planning.transaction(rest, state, database.model, WANTED | {"goal": goal} | more)
    made = database.work(document)
    database.run("DISCARD TEMP")
    database.commit()
    assert all(item["ok"] for item in made["findings"])
    return made["tuples_read"], made["proof_tuples_read"]


def prepare(database: Database, goal: str) -> None:
    """Commit what comes before the transaction of a goal."""
    planned = planning.statements(database.state(), database.model, goal)
    database.carry_out(online.steps(online.expand(planned, "live")))
    database.run(*(item["sql"] for item in online.early(planned, "live")))
    database.commit()


def every_goal(server: Server, times: int, **more: Any) -> dict[str, tuple[int, int]]:
    """Return the rows that the transaction of each goal reads in a database with ``times`` as many rows."""
    with filled(server, times) as database:
        prepare(database, "migrate")
        found = {"migrate": read(database, "migrate", **more)}
        prepare(database, "enforce")
        found["enforce"] = read(database, "enforce", **more)
        found["policies"] = read(database, "policies", **more)
    return found


def test_a_larger_database_is_locked_no_longer(server: Server) -> None:
    small, large = (every_goal(server, times) for times in (1, 10))
    assert large == small, (small, large)
