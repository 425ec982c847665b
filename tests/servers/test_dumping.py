"""A dump contains and counts the rows in its snapshot. A failure of pg_dump or of the connection is an error."""

from __future__ import annotations

import contextlib
import os
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg2
import pytest

import temporary
from ansible_collections.aimemory.tenancy.plugins.module_utils import backups, dumping, priority
from lab import OWNER, ROWS
from server import Server

NAME = "ai_memory_dumped"


@pytest.fixture
def named(server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Yield the name of a copy of the unmigrated database; this process connects to it as the superuser."""
    monkeypatch.setattr(dumping, "acting_as", lambda user: contextlib.nullcontext())
    for name, value in (("PGHOST", str(server.directory)), ("PGUSER", "postgres")):
        monkeypatch.setenv(name, value)
    with temporary.created(server, NAME) as name:
        yield name


def dump(server: Server, path: Path, **more: Any) -> dumping.Dump:
    """Return a dump that uses the server's own programs."""

    def run(command: list[str], environ_update: dict[str, str]) -> tuple[int, str, str]:
        path = f"{server.programs}:{os.environ['PATH']}"
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, env=os.environ | {"PATH": path} | environ_update
        )
        return done.returncode, done.stdout, done.stderr

    options: dict[str, Any] = {"format": "directory", "jobs": 2, "hash_max_bytes": 1 << 30} | more
    return dumping.Dump(run=run, user="postgres", database=NAME, port=5432, path=str(path), **options)


@pytest.mark.parametrize("layout", ["directory", "custom"])
def test_a_dump_is_complete_and_private(server: Server, named: str, tmp_path: Path, layout: str) -> None:
    server.sql(f"ALTER DATABASE {named} SET work_mem = '9MB'")
    server.sql("CREATE TABLE parted (n integer) PARTITION BY LIST (n)", named)
    path = tmp_path / "new.partial"
    found = dump(server, path, format=layout).take()
    rows = {table["name"]: table["rows"] for table in found["tables"] if not table["partitioned"]}
    assert rows == ROWS
    assert backups.incomplete(found["tables"], "public", [*ROWS, "parted"]) == ""
    assert all(table["hash"] for table in found["tables"] if not table["partitioned"])
    assert f"CREATE ROLE {OWNER}" in (path / "globals.sql").read_text()
    settings = (path / "settings.sql").read_text().splitlines()
    assert settings[0].startswith(f"CREATE DATABASE {named} TEMPLATE template0 OWNER {OWNER}")
    assert f"ALTER DATABASE {named} SET work_mem TO '9MB';" in settings
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"], cwd=path, check=True)
    listed = (path / "SHA256SUMS").read_text().splitlines()
    files = [file for file in path.rglob("*") if file.is_file()]
    assert len(listed) == len(files) - 1
    assert {stat.S_IMODE(place.stat().st_mode) for place in [path, *path.rglob("*")]} == {0o600, 0o700}
    assert found["sha256"] == dumping.digest(str(path / "SHA256SUMS"))
    assert found["size_bytes"] == sum(file.stat().st_size for file in files if file.name != "SHA256SUMS")


def test_the_programs_use_the_servers_socket_in_another_directory_than_their_default(
    server: Server, named: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def connect(**given: Any) -> Any:
        return original(host=str(server.directory), **given)

    original = psycopg2.connect
    with monkeypatch.context() as patched:
        patched.setattr(psycopg2, "connect", connect)
        patched.setenv("PGHOST", str(tmp_path))
        found = dump(server, tmp_path / "new.partial").take()
    assert {table["name"]: table["rows"] for table in found["tables"]} == ROWS


def test_rows_that_are_written_while_the_roles_are_dumped_are_in_the_dump_and_in_the_count(
    server: Server, named: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = dump(server, tmp_path / "new.partial")
    run = wanted.run

    def write_first(command: list[str], environ_update: dict[str, str]) -> tuple[int, str, str]:
        if "pg_dumpall" in command:
            server.sql("CREATE TABLE notes AS SELECT generate_series(1, 7)", named)
        if "pg_dump" in command:
            server.sql("INSERT INTO notes VALUES (8)", named)
        return run(command, environ_update)

    monkeypatch.setitem(vars(wanted), "run", write_first)
    tables = {table["name"]: table["rows"] for table in wanted.take()["tables"]}
    assert tables["notes"] == 7
    listed = server.run("pg_restore", "--data-only", "--table=notes", "--file=-", str(copied(server, wanted)))
    rows = listed.partition("COPY public.notes")[2].partition("\\.")[0]
    assert rows.split("\n")[1:-1] == [str(number) for number in range(1, 8)]


def test_the_dump_runs_with_low_priority(
    server: Server, named: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program, seen = tmp_path / "program", tmp_path / "niceness"
    program.write_text(f'#!/bin/sh\nnice > {seen}\nexec pg_dump "$@"\n')
    program.chmod(0o755)
    wanted = dump(server, tmp_path / "new.partial")
    run = wanted.run

    def look(command: list[str], environ_update: dict[str, str]) -> tuple[int, str, str]:
        return run([str(program) if word == "pg_dump" else word for word in command], environ_update)

    monkeypatch.setitem(vars(wanted), "run", look)
    wanted.take()
    assert int(seen.read_text()) == min(os.getpriority(os.PRIO_PROCESS, 0) + priority.NICENESS, 19)


def copied(server: Server, wanted: dumping.Dump) -> Path:
    """Copy a dump so that the server's user can read it, and return the copy's path."""
    target = server.directory / "dumped"
    subprocess.run(["rm", "-rf", target], check=True)
    subprocess.run(["cp", "-r", f"{wanted.path}/database", target], check=True)
    subprocess.run(["chmod", "-R", "a+rX", target], check=True)
    return target


def test_what_pg_dump_cannot_dump_is_an_error_without_values(server: Server, named: str, tmp_path: Path) -> None:
    with pytest.raises(dumping.DumpError, match=r"^pg_dump failed: "):
        dump(server, tmp_path / "new.partial", format="unknown").take()


def test_a_database_that_is_not_there_is_an_error(server: Server, named: str, tmp_path: Path) -> None:
    wanted = dump(server, tmp_path / "new.partial")
    server.sql(f"ALTER DATABASE {named} RENAME TO {named}_away")
    try:
        with pytest.raises(psycopg2.OperationalError, match="does not exist"):
            wanted.take()
    finally:
        server.sql(f"ALTER DATABASE {named}_away RENAME TO {named}")
