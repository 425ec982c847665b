"""Run the benchmark's PostgreSQL server: a container from the lab's image that listens only on a Unix socket."""

from __future__ import annotations

import contextlib
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg2
import psycopg2.extensions

NAME = "ai-memory-lab-bench"
IMAGE = "localhost/ai-memory-lab:trixie"
SETTINGS = {
    "listen_addresses": "", "unix_socket_directories": "/socket", "unix_socket_permissions": "0777",
    "shared_buffers": "512MB", "max_wal_size": "8GB", "checkpoint_timeout": "15min", "maintenance_work_mem": "256MB",
}  # fmt: skip
START = (
    "install --directory --owner=postgres /data && chown postgres /socket && exec setpriv --reuid=postgres"
    " --regid=postgres --clear-groups sh -c '"
    "PATH=$(echo /usr/lib/postgresql/*/bin):$PATH; initdb --auth=trust --username=postgres --encoding=UTF8"
    " --locale=C.UTF-8 --pgdata=/data && exec postgres -D /data {settings}'"
)


class Cluster:
    """A running PostgreSQL server, whose socket is in ``directory``."""

    def __init__(self, directory: Path) -> None:
        """Start the server and wait until it accepts connections."""
        self.directory = directory
        settings = " ".join(f"-c {name}={value}" for name, value in SETTINGS.items())
        subprocess.run(
            ["podman", "run", "--detach", "--rm", "--replace", f"--name={NAME}", "--network=none", "--shm-size=1g",
             f"--volume={directory}:/socket", IMAGE, "sh", "-c", START.format(settings=settings)],
            check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        deadline = time.monotonic() + 60
        while True:
            with contextlib.suppress(psycopg2.OperationalError):
                self.sql("postgres", "SELECT 1")
                return
            if time.monotonic() > deadline:
                raise SystemExit(f"The benchmark's PostgreSQL did not start. To see why, run: podman logs {NAME}")
            time.sleep(0.2)

    def stop(self) -> None:
        """Remove the container and all its data."""
        subprocess.run(["podman", "rm", "--force", "--time=0", NAME], check=True, stdout=subprocess.DEVNULL)

    def connect(self, database: str, user: str = "postgres", options: str = "") -> psycopg2.extensions.connection:
        """Return a connection in autocommit mode."""
        connection = psycopg2.connect(host=str(self.directory), dbname=database, user=user, options=options)
        connection.autocommit = True
        return connection

    def sql(self, database: str, statement: str) -> list[tuple[Any, ...]]:
        """Run one statement as the superuser and return its rows."""
        with contextlib.closing(self.connect(database)) as connection, connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def script(self, database: str, user: str, path: Path, **variables: object) -> None:
        """Run the SQL script at ``path`` with psql, with ``variables`` as psql variables."""
        subprocess.run(
            ["podman", "exec", "--interactive", NAME, "psql", "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1",
             "--host=/socket", f"--username={user}", f"--dbname={database}", "--file=-",
             *(f"--set={name}={value}" for name, value in variables.items())],
            check=True, input=path.read_bytes(), stdout=subprocess.DEVNULL,
        )  # fmt: skip

    def copy(self, template: str, name: str) -> None:
        """Copy the database ``template`` to ``name``.

        Then run a checkpoint, so that none starts during a measurement.
        """
        self.sql("postgres", f"CREATE DATABASE {name} TEMPLATE {template} OWNER alice STRATEGY file_copy")
        self.sql("postgres", "CHECKPOINT")

    def drop(self, name: str) -> None:
        """Drop a database, even if it has sessions."""
        self.sql("postgres", f"DROP DATABASE {name} WITH (FORCE)")


@contextlib.contextmanager
def running() -> Iterator[Cluster]:
    """Yield a cluster with the role alice, and remove it afterwards."""
    with tempfile.TemporaryDirectory(prefix="tenancy-bench-") as directory:
        cluster = Cluster(Path(directory))
        try:
            cluster.sql("postgres", "CREATE ROLE alice LOGIN")
            yield cluster
        finally:
            cluster.stop()
