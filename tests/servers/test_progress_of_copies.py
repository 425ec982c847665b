"""The progress of a dump and of a restore, while a table is being copied."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import temporary
from ansible_collections.aimemory.tenancy.plugins.module_utils import progress, sessions
from ansible_collections.aimemory.tenancy.plugins.modules import job_progress
from server import Server
from test_dumping import NAME, dump, named  # noqa: F401 (a fixture)

# PostgreSQL 13 does not report the progress of COPY.
pytestmark = pytest.mark.since(14)
COPY = "ai_memory_copied"


class Held:
    """A file that blocks a COPY at its first rows until the test releases the COPY."""

    def __init__(self) -> None:
        """Create the events that signal the first rows and the release."""
        self.came, self.over = threading.Event(), threading.Event()

    def write(self, text: bytes) -> None:
        """Signal that rows have arrived, and wait for the release."""
        self.came.set()
        self.over.wait(60)


@contextlib.contextmanager
def dumping(server: Server, table: str) -> Iterator[None]:
    """Copy a table as pg_dump does, and pause in the middle of the copy."""
    with contextlib.closing(server.connect(NAME)) as connection:
        held = Held()

        def work() -> None:
            with connection.cursor() as cursor:
                cursor.execute("SET application_name = 'pg_dump'")
                cursor.copy_expert(f"COPY {table} TO STDOUT", held)

        thread = threading.Thread(target=work)
        thread.start()
        try:
            assert held.came.wait(60)
            yield
        finally:
            held.over.set()
            thread.join()


@pytest.fixture
def large(server: Server, named: str) -> str:  # noqa: F811
    """Return a database with the table "blocks", which is much larger than a socket's buffer."""
    server.sql(
        "CREATE TABLE public.blocks AS SELECT n, repeat('x', 1000) AS text FROM generate_series(1, 30000) n", named
    )
    server.sql("ANALYZE", named)
    return named


def work(server: Server, kind: str, monkeypatch: pytest.MonkeyPatch, **more: Any) -> job_progress.Work:
    """Return a job whose progress is read with the server's own programs."""
    monkeypatch.setattr(job_progress, "acting_as", lambda user: contextlib.nullcontext())
    monkeypatch.setattr(sessions, "acting_as", lambda user: contextlib.nullcontext())
    wanted = {"kind": kind, "user": "postgres", "database": NAME, "port": 5432, "copy": "/none"} | more
    return job_progress.Work(wanted, dump(server, Path("/none")).run)


@pytest.mark.parametrize("layout", ["directory", "custom"])
def test_a_dump_is_measured_against_all_tables(
    server: Server, large: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, layout: str
) -> None:
    path = tmp_path / "new.partial"
    reading = work(server, "backup", monkeypatch, path=str(path))
    assert reading.progress()["msg"] == "dump, starting"
    dump(server, path, format=layout).take()
    # Once pg_dump's session has ended, the backup counts the rows.
    assert reading.progress()["msg"] == "dump, counting and hashing its rows"
    with dumping(server, "public.blocks"):
        found = reading.progress()
    assert (found["stage"], found["detail"]) == ("dump", "blocks")
    # In the directory format, the other tables already have a file. In the custom format, they may follow later.
    whole = {name: size for _, _, name, size, *_ in server.sql(progress.TABLES, large)}
    others = (sum(whole.values()) - whole["blocks"]) / sum(whole.values())
    assert found["share"] > (others if layout == "directory" else 0)
    assert found["share"] < 0.9


def test_a_restore_is_measured_against_the_tables_of_the_source(
    server: Server, large: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading = work(server, "restore", monkeypatch, target=COPY)
    assert reading.progress()["msg"] == "restore, starting"
    with temporary.created(server, COPY):
        # The copy has all tables except blocks.
        before = reading.progress()["share"]
        server.sql("CREATE TABLE public.blocks (n integer, text text)", COPY)
        assert reading.progress()["share"] == before
        server.sql("INSERT INTO public.blocks VALUES (1, 'x')", COPY)
        assert reading.progress()["msg"] == "restore, building keys, or comparing the rows"
    assert 0 < before < 1
