"""While the service runs, the transaction reads the same number of rows in a large database as in a small one."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

import temporary
from ansible_collections.aimemory.tenancy.plugins.module_utils.outcomes import ProofError
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
    """Yield a copy of AI-Memory's database with ``times`` times as many rows as the original."""
    name = f"ai_memory_times_{times}"
    with temporary.created(server, name):
        for table, columns in KEYS.items():
            keys = ", ".join(f"'{column}', md5(t.{column}::text || n)" for column in columns)
            server.sql(MORE.format(table=table, keys=keys, times=times - 1), name)
        server.sql("ANALYZE", name)
        with temporary.opened(server, name) as database:
            yield database


def read(database: Database, goal: str, snapshot: State | None = None, **more: Any) -> tuple[int, int]:
    """Commit the ``live`` transaction of a goal. Return the numbers of rows that the change and the proof read."""
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


def prepare(database: Database, goal: str, snapshot: State | None = None) -> None:
    """Commit the statements that precede the transaction of a goal."""
    planned = planning.statements(database.state(), database.model, goal, snapshot)
    database.carry_out(online.steps(online.expand(planned, "live")))
    database.run(*(item["sql"] for item in online.early(planned, "live")))
    database.commit()


def every_goal(server: Server, times: int, **more: Any) -> dict[str, tuple[int, int]]:
    """Return the numbers of rows that each goal's transaction reads in the database that ``filled`` yields."""
    with filled(server, times) as database:
        before = database.state()
        prepare(database, "migrate")
        found = {"migrate": read(database, "migrate", **more)}
        prepare(database, "enforce")
        found["enforce"] = read(database, "enforce", **more)
        found["policies"] = read(database, "policies", **more)
        prepare(database, "schema", before)
        found["schema"] = read(database, "schema", before, **more)
    return found


def test_a_larger_database_is_locked_no_longer(server: Server) -> None:
    small, large = (every_goal(server, times) for times in (1, 10))
    assert large == small
    assert {change for change, _ in small.values()} == {0}
    # For each goal with a proof, the proof reads some rows.
    assert all(found[1] > 0 for goal, found in small.items() if goal in planning.ISOLATING)


def test_a_scan_of_a_table_is_noticed(server: Server) -> None:
    # The online strategy may count rows and build indexes in the transaction, because the service is stopped.
    with filled(server, 1) as database:
        prepare(database, "migrate")
        change, proof = read(database, "migrate", strategy="online")
        rows = sum(document["rows"] for document in database.state()["tables"].values())
        assert rows > 5_000
        assert change >= rows
        assert proof >= rows


@pytest.mark.parametrize(
    ("query", "times"),
    [
        ("SELECT count(*) FROM public.memories", 1),
        ("SELECT count(*) FROM (SELECT DISTINCT k FROM public.memories) AS k", 1),
        ("ALTER TABLE public.memories ADD CHECK (ttl_days > -1)", 1),
        ("CREATE INDEX ON public.memories (ttl_days)", 1),
        ("ALTER TABLE public.memories ALTER source SET NOT NULL, ALTER type SET NOT NULL", 1),
        ("CREATE INDEX i ON public.memories (ttl_days); DROP INDEX public.i; SELECT count(*) FROM public.memories", 2),
    ],
)
def test_each_scan_of_a_statement_is_counted(server: Server, query: str, times: int) -> None:
    with filled(server, 1) as database:
        prepare(database, "migrate")
        state = database.state()
        rest = online.cutover(database.plan(), "live")
        rows = state["tables"]["memories"]["rows"]
        document = planning.transaction(rest, state, database.model, WANTED | {"goal": "migrate"})
        document["statements"][0]["sql"] += f"; {query}"
        assert database.work(document)["tuples_read"] == rows * times


def test_counters_that_are_off_fail_the_proof(server: Server) -> None:
    with filled(server, 1) as database:
        prepare(database, "migrate")
        state = database.state()
        document = planning.transaction(database.plan(), state, database.model, WANTED | {"goal": "migrate"})
        document["begin"].append("SET LOCAL track_counts = off")
        with pytest.raises(ProofError, match="counters: PostgreSQL counts the rows that this transaction writes"):
            database.work(document)
