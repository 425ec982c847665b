"""A temporary PostgreSQL server of a given major version on this machine, by default only with a Unix socket."""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import shutil
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg2
import psycopg2.extensions

from lab import OWNER

ROOT = Path(__file__).resolve().parents[2]
MAJORS = (13, 14, 15, 16, 17, 18)
OLDEST, NEWEST = MAJORS[0], MAJORS[-1]
# AI-Memory's unmigrated database, which the tests copy.
TEMPLATE = "ai_memory_template"
# The data is temporary, so it need not be written to disk.
SETTINGS = {
    "listen_addresses": "", "fsync": "off", "autovacuum": "off", "log_statement": "none",
    "max_prepared_transactions": "2",
}  # fmt: skip
# PostgreSQL refuses to run as root.
SERVER_USER = "nobody"


@functools.cache
def unpacked(major: int) -> Path:
    """Return the directory of a version's programs, which all servers of this process share until it exits."""
    directory = Path(tempfile.mkdtemp(prefix="tenancy-programs-"))
    atexit.register(shutil.rmtree, directory)
    directory.chmod(0o755)
    with tarfile.open(ROOT / f".lab/postgresql-{major}.tar.gz") as packed:
        packed.extractall(directory, filter="data")
    (programs,) = directory.glob("*/bin")
    if not (programs / "psql").exists():
        # The archive of PostgreSQL 13 contains no client programs. Those of the next version work with this server.
        for program in unpacked(major + 1).iterdir():
            if not (programs / program.name).exists():
                (programs / program.name).symlink_to(program)
    return programs


class Server:
    """A running server of version ``major`` with the superuser postgres. ``directory`` contains its socket and data."""

    def __init__(self, major: int, directory: Path, **settings: str) -> None:
        """Create the data directory of the server and start it."""
        self.major, self.directory, self._port = major, directory, int(settings.get("port", 5432))
        self.programs, self._data = unpacked(major), directory / "data"
        self._data.mkdir()
        self.as_user: dict[str, Any] = {}
        if os.geteuid() == 0:
            self.as_user = {"user": SERVER_USER, "group": os.stat(directory).st_gid, "extra_groups": []}
            for path in (directory, self._data):
                shutil.chown(path, SERVER_USER)
        directory.chmod(0o755)
        self._data.chmod(0o700)
        self.run("initdb", "--no-sync", "--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C.UTF-8",
                 f"--pgdata={self._data}")  # fmt: skip
        options = [f"--{name.replace('_', '-')}={value}" for name, value in {**SETTINGS, **settings}.items()]
        self.log = directory / "log"
        self._process = subprocess.Popen(
            [self.programs / "postgres", "-D", self._data, "-k", directory, *options],
            stdout=self.log.open("w"), stderr=subprocess.STDOUT, cwd="/", **self.as_user,
        )  # fmt: skip
        self._wait_until_it_answers()

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + 60
        while True:
            try:
                self.connect().close()
                return
            except psycopg2.OperationalError:
                if time.monotonic() > deadline or self._process.poll() is not None:
                    raise AssertionError(f"The server does not start:\n{self.log.read_text()}") from None
            time.sleep(0.05)

    def stop(self) -> None:
        """Stop the server."""
        self._process.terminate()
        self._process.wait(30)

    def run(self, program: str, *arguments: str, given: str = "") -> str:
        """Run one of PostgreSQL's programs as the server's user and return its output."""
        done = subprocess.run(
            [self.programs / program, *arguments], input=given, capture_output=True, text=True, check=False, cwd="/",
            env={"PATH": os.environ["PATH"], "PGHOST": str(self.directory), "PGPORT": str(self._port),
                 "PGUSER": "postgres"}, **self.as_user,
        )  # fmt: skip
        assert done.returncode == 0, f"{program} ended with {done.returncode}: {done.stdout}{done.stderr}"
        return str(done.stdout)

    def connect(self, database: str = "postgres", user: str = "postgres") -> psycopg2.extensions.connection:
        """Return a connection in autocommit mode."""
        connection = psycopg2.connect(host=str(self.directory), port=self._port, dbname=database, user=user)
        connection.autocommit = True
        return connection

    def sql(self, statement: str, database: str = "postgres", user: str = "postgres") -> list[Any]:
        """Run one statement and return its rows."""
        with contextlib.closing(self.connect(database, user)) as connection, connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def script(self, database: str, *files: Path, **variables: str) -> None:
        """Run SQL files with psql as the superuser, in one transaction."""
        self.run(
            "psql", "--no-psqlrc", "--quiet", "--single-transaction", "--set=ON_ERROR_STOP=1", f"--dbname={database}",
            *(f"--set={name}={value}" for name, value in variables.items()), "--file=-",
            given="\n".join(path.read_text() for path in files),
        )  # fmt: skip


def fill(server: Server) -> None:
    """Create the owner's role, and the template database: AI-Memory, unmigrated and with rows."""
    server.sql(f"CREATE ROLE {OWNER} LOGIN")
    server.sql(f"CREATE DATABASE {TEMPLATE} OWNER {OWNER}")
    server.sql('CREATE EXTENSION "uuid-ossp"', TEMPLATE)
    role = ROOT / "tests/servers/as_owner.sql"
    server.script(
        TEMPLATE, role, ROOT / "lab/database/schema.sql", ROOT / "lab/database/seed.sql",
        embedding="real[]", owner=OWNER,
    )  # fmt: skip


@contextlib.contextmanager
def running(major: int, **settings: str) -> Iterator[Server]:
    """Yield a server of a major version, and remove it afterwards."""
    with tempfile.TemporaryDirectory(prefix="tenancy-server-") as directory:
        server = Server(major, Path(directory), **settings)
        try:
            yield server
        finally:
            server.stop()
