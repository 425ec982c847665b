"""All queries that precede a run use a single read-only session."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from ansible_collections.aimemory.tenancy.plugins.module_utils import inspection, run_lock, sessions
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.host import refusals
from lab import OWNER
from server import ROOT, SERVER_USER, TEMPLATE, Server

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="the module runs as root")

QUERIES = [
    {"name": name, "sql": (ROOT / f"roles/preflight/files/{name}.sql").read_text()}
    for name in ("server", "members", "expressions")
]
VALUES = {
    "app_role": "nobody-such", "schema": "public", "tables": json.dumps(["memories"]), "column": "customer_id",
    "functions": "[]",
}  # fmt: skip


@pytest.fixture(autouse=True)
def administrator(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the administrator's sessions log in as the server's superuser."""
    monkeypatch.setenv("PGUSER", "postgres")


@pytest.fixture
def plain(server: Server) -> Iterator[str]:
    """Yield the name of a role that is not a superuser."""
    server.sql("CREATE ROLE plain LOGIN")
    yield "plain"
    server.sql("DROP ROLE plain")


def asked(
    server: Server, queries: list[dict[str, str]], values: Mapping[str, Any] | None = None, **how: Any
) -> dict[str, Any]:
    wanted: dict[str, Any] = {"name": TEMPLATE, "port": 5432, "user": SERVER_USER, "host": str(server.directory)}
    return inspection.database(queries=queries, values=values or {}, **wanted | how)


def test_the_queries_of_a_run_are_answered(server: Server) -> None:
    found = asked(server, QUERIES, VALUES)
    assert found["problem"] == ""
    (row,) = found["rows"]["server"]
    assert row["server"]["version_num"] // 10000 == server.major
    assert row["server"]["roles"] == row["server"]["roles"] | {"postgres": True, OWNER: False}
    assert "postgres" in row["server"]["bypassing_roles"]
    assert row["server"]["app_role"] is None
    assert found["rows"]["members"] == [{"members": []}]
    assert found["rows"]["expressions"][0]["expressions"]["computed"] == []
    # The administrator's sessions have this setting in addition to the fixed settings.
    assert found["session_settings"]["restrict_nonsystem_relation_kind"] == "view,foreign-table"
    assert os.path.isdir(found["data_directory"])
    assert 0 < found["asked"] <= found["answered"]


def test_clock_and_encoding_are_those_of_server_and_database(server: Server) -> None:
    server.sql("CREATE DATABASE odd TEMPLATE template0 ENCODING SQL_ASCII LC_COLLATE 'C' LC_CTYPE 'C'")
    try:
        began = time.time()
        row = asked(server, QUERIES, VALUES, name="odd")["rows"]["server"][0]["server"]
        assert began - 1 < row["clock"] < time.time() + 1
        assert row["encoding"] == "SQL_ASCII"
        assert row["standby"] is False
    finally:
        server.sql("DROP DATABASE odd")


def test_they_see_one_state_and_write_nothing(server: Server) -> None:
    queries = [
        {"name": "first", "sql": "SELECT pg_current_snapshot()::text AS seen"},
        {"name": "second", "sql": "SELECT pg_current_snapshot()::text AS seen"},
        {"name": "third", "sql": "CREATE TABLE public.written ()"},
        {"name": "fourth", "sql": "SELECT 4 AS four"},
    ]
    found = asked(server, queries)
    assert found["rows"]["first"] == found["rows"]["second"]
    assert "read-only transaction" in found["problem"]
    assert set(found["rows"]) == {"first", "second"}


def test_no_answer_is_a_problem(server: Server) -> None:
    assert 'database "nowhere" does not exist' in asked(server, QUERIES, VALUES, name="nowhere")["problem"]
    assert asked(server, QUERIES, VALUES, user="no-such-user")["problem"] == "there is no system user no-such-user"
    found = asked(server, QUERIES, VALUES, port=1)
    assert "No such file or directory" in found["problem"]
    assert found["rows"] == {}


def test_a_library_that_is_missing_is_a_problem(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions, "psycopg2", None)
    assert "has no psycopg2" in asked(server, QUERIES, VALUES)["problem"]


def test_a_session_of_a_run_is_found_by_its_name(server: Server) -> None:
    with sessions.connect("postgres", 5432, host=str(server.directory)) as one, one.cursor() as cursor:
        assert run_lock.sessions_alive(cursor) == {}
        other = sessions.connect(TEMPLATE, 5432, host=str(server.directory))
        pid = other.info.backend_pid
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        alive = run_lock.sessions_alive(cursor)
        other.close()
    one.close()
    assert alive["pid"] == pid
    assert alive["names"].startswith(f"process {pid} in {TEMPLATE} since ")


def test_an_administrator_who_is_no_superuser_may_not_set_what_its_sessions_need(
    server: Server, plain: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGUSER", plain)
    assert refusals.NO_SUPERUSER in asked(server, QUERIES, VALUES)["problem"]
