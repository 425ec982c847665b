"""A dump of one database, with row counts and checksums of its tables in the same snapshot."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from . import contents, database_settings, messages, priority, sessions, toc
from .errors import TenancyError
from .identity import acting_as


class DumpError(TenancyError):
    """The database cannot be dumped, or the dump is incomplete; the message gives the reason."""


@dataclass(frozen=True)
class Dump:
    """A dump of ``database`` in the directory ``path``, owned by ``user``.

    The dump itself is ``{path}/database``. It contains neither the roles and their password verifiers nor the
    database's settings, so these are in ``globals.sql`` and ``settings.sql``. ``SHA256SUMS`` contains the SHA-256
    checksum of every other file. ``run`` runs a program, like Ansible's run_command.
    """

    run: Callable[..., tuple[int, str, str]]
    user: str
    database: str
    port: int
    path: str
    format: str
    jobs: int
    hash_max_bytes: int

    def take(self) -> dict[str, Any]:
        """Write the dump, and return the manifest fields that describe it.

        The snapshot's fields are ``tables``, ``snapshot_at`` (ISO 8601 with offset) and ``snapshot_xmin`` (the oldest
        transaction that was running then). The other fields are ``duration_seconds`` of pg_dump, ``size_bytes`` of all
        files and ``sha256`` of SHA256SUMS. Raises DumpError, psycopg2.Error and OSError.
        """
        mask = os.umask(0o077)
        try:
            return self._take()
        finally:
            os.umask(mask)

    def _take(self) -> dict[str, Any]:
        with acting_as(self.user):
            os.mkdir(self.path, 0o700)
        opened = sessions.opened(self.user, self.database, self.port, kind="reading")
        with opened as connection, connection.cursor() as cursor:
            self._write_settings(database_settings.read(cursor, self.database, self.database))
            self._program(
                ["pg_dumpall", "--globals-only", f"--port={self.port}", f"--file={self.path}/globals.sql"], cursor
            )
            # End the transaction, so that the next statement takes a new snapshot, which the dump uses.
            connection.rollback()
            found = self._dump(cursor)
        missing = lacking(found["tables"], self._program(["pg_restore", "--list", f"{self.path}/database"]))
        if missing:
            raise DumpError(f"The dump lacks the rows of {', '.join(missing)}, so it was removed.")
        with acting_as(self.user):
            return found | seal(self.path)

    def _write_settings(self, settings: Mapping[str, Any]) -> None:
        with acting_as(self.user), open(f"{self.path}/settings.sql", "w", encoding="utf-8") as file:
            file.writelines(f"{statement};\n" for statement in [settings["create"], *settings["replay"]])
            file.flush()
            os.fsync(file.fileno())

    def _dump(self, cursor: Any) -> dict[str, Any]:
        """Dump the database, and count and hash its rows, in one snapshot that ends with the connection's
        transaction."""
        cursor.execute(
            "SELECT pg_export_snapshot(), clock_timestamp(), txid_snapshot_xmin(txid_current_snapshot()),"
            " current_setting('server_encoding')"
        )
        snapshot, snapshot_at, snapshot_xmin, encoding = cursor.fetchone()
        started = time.monotonic()
        self._program(
            [
                "pg_dump", f"--format={self.format}", f"--port={self.port}", f"--snapshot={snapshot}",
                f"--file={self.path}/database", f"--dbname={self.database}",
                # The server's encoding avoids a conversion.
                f"--encoding={encoding}",
                *([f"--jobs={self.jobs}"] if self.format == "directory" else []),
            ],
            cursor,
        )  # fmt: skip
        return {
            "duration_seconds": round(time.monotonic() - started, 3),
            "tables": contents.read(cursor, self.hash_max_bytes), "snapshot_at": snapshot_at.isoformat(),
            "snapshot_xmin": snapshot_xmin,
        }  # fmt: skip

    def _program(self, command: list[str], cursor: Any = None) -> str:
        """Run a program as ``user``, with low priority, and return its output. Raises DumpError.

        The program compresses the rows, and must not take the processors from the service.
        If ``cursor`` is given, the program connects to the same server as the cursor's session.
        """
        environment = {"PGOPTIONS": sessions.options()}
        if cursor:
            # The program's default socket directory may differ from the session's.
            environment["PGHOST"] = cursor.connection.info.host
        with acting_as(self.user):
            code, output, error = self.run([*priority.low(), *command], environ_update=environment)
        if code != 0:
            raise DumpError(f"{command[0]} failed: {messages.without_values(error.strip())}")
        return output


def lacking(tables: list[dict[str, Any]], listed: str) -> list[str]:
    """Return the names of the tables whose rows are missing from ``listed``, the output of ``pg_restore --list``.

    Each entry in the output is a line in the format ``number; oid oid KIND schema name owner``.
    """
    # splitlines() would also split at other characters that a name may contain.
    left = listed.split("\n")
    missing = []
    # One name may be a prefix of another, so the longest name is matched first, and each entry matches only one table.
    for table in sorted(tables, key=lambda table: -len(table["name"])):
        kind = "TABLE" if table["partitioned"] else "TABLE DATA"
        wanted = f" {kind} {toc.shown(table['schema'])} {toc.shown(table['name'])} "
        entry = next((line for line in left if wanted in line), None)
        if entry is None:
            missing.append(f"{table['schema']}.{table['name']}")
        else:
            left.remove(entry)
    return sorted(missing)


def digest(path: str) -> str:
    """Return the SHA-256 checksum of a file."""
    found = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            found.update(block)
    return found.hexdigest()


def seal(directory: str) -> dict[str, Any]:
    """Write SHA256SUMS, in the format of sha256sum, for all files in the directory.

    Return the total size of these files in bytes, and the SHA-256 checksum of SHA256SUMS.
    """
    files = sorted(
        os.path.relpath(os.path.join(place, name), directory)
        for place, _, names in os.walk(directory)
        for name in names
    )
    sums = os.path.join(directory, "SHA256SUMS")
    with open(sums, "w", encoding="utf-8") as file:
        file.writelines(f"{digest(os.path.join(directory, name))}  {name}\n" for name in files)
        file.flush()
        os.fsync(file.fileno())
    size = sum(os.path.getsize(os.path.join(directory, name)) for name in files)
    return {"size_bytes": size, "sha256": digest(sums)}
