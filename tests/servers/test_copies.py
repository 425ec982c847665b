"""A throwaway server receives the settings and privileges of the running server, and may lack some objects."""

from __future__ import annotations

import contextlib
import inspect
import os
import resource
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from ansible_collections.aimemory.tenancy.plugins.module_utils import restoring, throwaway, toc
from lab import OWNER
from server import TEMPLATE, Server

NAME, COPY = "ai_memory_thrown", "ai_memory_thrown_copy"


def asked(server: Server, query: str) -> list[str]:
    """Run a query on the running server, and return the statements that the query generates."""
    with contextlib.closing(server.connect()) as connection, connection.cursor() as cursor:
        cursor.execute(query, {"administrator": "postgres"})
        return [statement for (statement,) in cursor.fetchall()]


@pytest.fixture
def named(server: Server) -> Iterator[str]:
    """Yield the name of a copy of the unmigrated database."""
    server.sql(f"CREATE DATABASE {NAME} TEMPLATE {TEMPLATE} OWNER {OWNER}")
    yield NAME
    for database in (NAME, COPY):
        server.sql(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")


def test_settings_of_all_roles_come_along(server: Server) -> None:
    server.sql("ALTER ROLE ALL SET search_path = public, app")
    server.sql(f"ALTER ROLE {OWNER} SET app.region = 'north'")
    try:
        found = asked(server, throwaway.ROLE_SETTINGS)
        assert "ALTER ROLE ALL SET search_path TO public, app" in found
        assert f"ALTER ROLE {OWNER} SET app.region TO 'north'" in found
        server.sql("ALTER ROLE ALL RESET search_path")
        for statement in found:
            server.sql(statement)
        assert server.sql("SHOW search_path", user=OWNER) == [("public, app",)]
    finally:
        server.sql("ALTER ROLE ALL RESET ALL")
        server.sql(f"ALTER ROLE {OWNER} RESET ALL")


@pytest.mark.since(15)
def test_rights_to_settings_come_along(server: Server, named: str) -> None:
    given = ("SET ON PARAMETER log_min_messages TO alice", 'SET ON PARAMETER "My".region TO PUBLIC',
             "ALTER SYSTEM ON PARAMETER log_min_messages TO alice WITH GRANT OPTION")  # fmt: skip
    for what in given:
        server.sql(f"GRANT {what}".replace("alice", OWNER))
    try:
        found = asked(server, throwaway.PARAMETER_RIGHTS)
        server.sql(f"REVOKE ALL ON PARAMETER log_min_messages FROM {OWNER}")
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            server.sql("SET log_min_messages = warning", user=OWNER)
        for statement in found:
            server.sql(statement)
        server.sql("SET log_min_messages = warning", user=OWNER)
        assert asked(server, throwaway.PARAMETER_RIGHTS) == found
    finally:
        server.sql(f"REVOKE ALL ON PARAMETER log_min_messages FROM {OWNER}")
        server.sql('REVOKE ALL ON PARAMETER "My".region FROM PUBLIC')


def restored(server: Server, monkeypatch: pytest.MonkeyPatch, directory: Path, **more: Any) -> list[str]:
    """Dump the database, restore it into a new database, and return the objects that were omitted."""
    directory.chmod(0o777)
    for parent in directory.parents[:2]:
        parent.chmod(0o755)
    dump = server.directory / "dump"
    dump.unlink(missing_ok=True)
    server.run("pg_dump", "--format=custom", f"--file={dump}", NAME)
    server.sql(f"CREATE DATABASE {COPY} TEMPLATE template0 OWNER {OWNER}")
    monkeypatch.setenv("PGUSER", "postgres")
    monkeypatch.setattr(restoring, "acting_as", lambda user: contextlib.nullcontext())
    target = restoring.Target(
        user="postgres", database=COPY, port=5432, host=str(server.directory), files=str(dump),
        pg_restore=str(server.programs / "pg_restore"), jobs=1, lists=str(directory),
        logins={"host": str(server.directory), "port": "5432"}, excluded=toc.ELSEWHERE, **more,
    )  # fmt: skip

    def run(command: list[str], environ_update: dict[str, str]) -> tuple[int, str, str]:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, env=os.environ | environ_update
        )  # fmt: skip
        return done.returncode, done.stdout, done.stderr

    return restoring.Restoring(target, run).run()


@pytest.fixture
def unreachable(server: Server, named: str) -> Iterator[None]:
    """Create two materialized views that need a deleted file, and one that reads a table."""
    lines = server.directory / "lines"
    lines.write_text("a line\n")
    lines.chmod(0o644)
    for statement in (
        "CREATE EXTENSION file_fdw", "CREATE SERVER files FOREIGN DATA WRAPPER file_fdw",
        f"CREATE FOREIGN TABLE f (line text) SERVER files OPTIONS (filename '{lines}')",
        "CREATE MATERIALIZED VIEW elsewhere AS SELECT line FROM f",
        "CREATE MATERIALIZED VIEW further AS SELECT line FROM elsewhere",
        "CREATE MATERIALIZED VIEW here AS SELECT count(*) FROM memories",
    ):  # fmt: skip
        server.sql(statement, named)
    lines.unlink()
    yield
    server.sql(f"DROP DATABASE IF EXISTS {COPY} WITH (FORCE)")


def test_a_materialized_view_over_what_is_not_reached_stays_empty(
    server: Server, unreachable: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    left = restored(server, monkeypatch, tmp_path, may_stay_empty=True)
    first, second = sorted(text for text in left if "was left empty" in text)
    assert first.startswith("materialized view public.elsewhere was left empty (")
    assert "could not open file" in first
    assert second.startswith("materialized view public.further was left empty (")
    assert server.sql("SELECT count FROM here", COPY)[0][0] > 0


def test_a_restore_of_the_real_database_fails_on_it(
    server: Server, unreachable: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with pytest.raises(restoring.RestoreError, match="could not open file"):
        restored(server, monkeypatch, tmp_path)


def limited(limit: int) -> Callable[[], None]:
    """Return a function that limits the stack size of a child process."""
    return lambda: resource.setrlimit(resource.RLIMIT_STACK, (limit, resource.RLIM_INFINITY))


@pytest.mark.parametrize(("limit", "starts"), [(8 * 2**20, False), (resource.RLIM_INFINITY, True)])
def test_a_deep_stack_needs_the_limit_that_the_unit_has(server: Server, limit: int, starts: bool) -> None:
    if resource.getrlimit(resource.RLIMIT_STACK)[1] != resource.RLIM_INFINITY:
        pytest.skip("This host does not allow a process to have a larger stack.")
    assert "LimitSTACK=infinity" in inspect.getsource(throwaway.Server.start)
    chosen = throwaway.settings([("max_stack_depth", "32768", "Resource Usage / Memory")], [], "/nowhere", 5432)
    done = subprocess.run(
        [server.programs / "postgres", "-C", "max_stack_depth", "-D", server.directory / "data",
         "-c", f"max_stack_depth={chosen['max_stack_depth']}"],
        capture_output=True, text=True, check=False, cwd="/", preexec_fn=limited(limit), **server.as_user,
    )  # fmt: skip
    assert (done.returncode == 0) is starts, done.stderr
