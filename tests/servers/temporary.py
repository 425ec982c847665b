"""Create temporary databases that belong to the tables' owner, open them in transactions, and remove them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from ansible_collections.aimemory.tenancy.plugins.plugin_utils.model import model
from lab import OWNER
from planner import Database
from server import TEMPLATE, Server


@contextlib.contextmanager
def created(server: Server, name: str, template: str = TEMPLATE) -> Iterator[str]:
    """Create a database, by default a copy of the unmigrated database, yield its name, and remove it afterwards."""
    server.sql(f"CREATE DATABASE {name} TEMPLATE {template} OWNER {OWNER}")
    try:
        yield name
    finally:
        server.sql(f"DROP DATABASE {name} WITH (FORCE)")


@contextlib.contextmanager
def opened(server: Server, name: str, wanted: model.Model | None = None) -> Iterator[Database]:
    """Yield the database in a transaction, which is rolled back at the end."""
    with contextlib.closing(server.connect(name)) as connection:
        connection.autocommit = False
        yield Database(connection, name, wanted)
        connection.rollback()


@contextlib.contextmanager
def copied(server: Server, name: str) -> Iterator[Database]:
    """Create, open and remove a copy of the unmigrated database."""
    with created(server, name), opened(server, name) as database:
        yield database
