"""Copies of framework projects in separate directories. The tests run the projects' tools against a server."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ansible_collections.aimemory.tenancy.plugins.plugin_utils.changes import releases
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.describe import difference, draft, text
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.model import model
from described import closed, dumped, parsed, read
from documented import RELEASE, statements
from lab import OWNER
from planner import Database, State
from server import ROOT, Server

# This finding fails until playbooks/enforce.yml removes the bridge.
BRIDGE = "bridge is off once a second tenant has rows"


class Project:
    """A copy of a project. ``NAME`` is the name of its database."""

    NAME: str
    SOURCE: str

    def __init__(self, server: Server, directory: Path) -> None:
        """Copy the project."""
        self.server, self.directory = server, directory / self.SOURCE
        shutil.copytree(ROOT / "tests/servers" / self.SOURCE, self.directory)

    def call(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run Python with these arguments in the project's directory, as a deployment does."""
        return subprocess.run(
            [sys.executable, *arguments], cwd=self.directory, capture_output=True, text=True, check=False,
            env=os.environ | environment | {"PYTHONDONTWRITEBYTECODE": "1"},
        )  # fmt: skip

    def add(self, files: Mapping[str, str]) -> None:
        """Write files into the project."""
        for name, content in files.items():
            path = self.directory / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(content)

    def edit(self, name: str, *pairs: tuple[str, str]) -> None:
        """Replace strings in a file, each of which must occur exactly once."""
        path = self.directory / name
        content = path.read_text()
        for old, new in pairs:
            assert content.count(old) == 1, old
            content = content.replace(old, new)
        path.write_text(content)


class Tenancy:
    """The runbook's runs on a project's database."""

    def __init__(self, server: Server, name: str, given: Mapping[str, Any]) -> None:
        """Draft the model from the database and the operator's decisions."""
        self.server, self.name = server, name
        self.source = parsed(text.tenancy(draft.build(read(server, name), given)), name, OWNER)
        self.snapshots: list[State] = []

    @contextlib.contextmanager
    def database(self) -> Iterator[Database]:
        """Yield the database in one transaction, and commit it at the end."""
        with contextlib.closing(self.server.connect(self.name)) as connection:
            connection.autocommit = False
            database = Database(connection, self.name, model.parse(self.source))
            yield database
            database.commit()

    def migrate(self) -> None:
        """Save a snapshot, migrate, and check that every finding except BRIDGE holds."""
        with self.database() as database:
            self.snapshots.append(database.state())
            assert [item for item in database.migrate() if not item["ok"]] == []
            assert [item for item in database.failures(self.snapshots[-1]) if item["check"] != BRIDGE] == []
        assert self.left() == set()
        assert difference.differences(read(self.server, self.name), self.source) == []

    def left(self) -> set[tuple[str, str]]:
        """Return the audit's errors, which verify.yml reports, as pairs of rule and subject."""
        with self.database() as database:
            found = database.audit(readable=self.source["readable"])
        return {(entry["rule"], entry["subject"]) for entry in found if entry["severity"] == "error"}

    def adapt(self) -> list[difference.Difference]:
        """Add to the model the lines that describe.yml prints, and return all differences."""
        found = difference.differences(read(self.server, self.name), self.source)
        self.source = closed(self.source, [item for item in found if item["add"] is not None])
        return found

    def roll_back(self) -> str:
        """Delete the other tenants' rows, restore the original schema, and return its dump."""
        for table in self.source["tables"]:
            self.server.sql(f'ALTER TABLE "{table["name"]}" DISABLE TRIGGER ALL', self.name)
        for table in self.source["tables"]:
            self.server.sql(f'DELETE FROM "{table["name"]}" WHERE {self.source["column"]} <> 1', self.name)
            self.server.sql(f'ALTER TABLE "{table["name"]}" ENABLE TRIGGER ALL', self.name)
        with self.database() as database:
            assert database.back_to(releases.combined(self.snapshots, database.model)) == []
        return dumped(self.server, self.name)


def create_login(server: Server, name: str) -> None:
    """Create the login for releases as releases.md describes."""
    server.sql(statements("The login for releases"), name)


@contextlib.contextmanager
def database_of(server: Server, *names: str) -> Iterator[None]:
    """Create databases for the owner, and at the end remove them and the login for releases."""
    for name in names:
        server.sql(f"CREATE DATABASE {name} OWNER {OWNER}")
    try:
        yield
    finally:
        for name in names:
            server.sql(f"DROP DATABASE {name} WITH (FORCE)")
        server.sql(f"DROP ROLE IF EXISTS {RELEASE}")
