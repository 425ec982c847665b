"""The database of the boat rental, an example of another application, on a test server."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from server import ROOT, Server

OWNER = "desk"


@contextlib.contextmanager
def seeded(server: Server, name: str) -> Iterator[None]:
    """Create the rental's unmigrated database under this name, without its service, and remove it at the end."""
    directory = ROOT / "molecule/example/application"
    server.sql(f"CREATE ROLE {OWNER} LOGIN")
    server.sql(f"CREATE DATABASE {name} OWNER {OWNER}")
    try:
        files = (ROOT / "tests/servers/as_owner.sql", directory / "schema.sql", directory / "seed.sql")
        server.script(name, *files, owner=OWNER)
        yield
    finally:
        server.sql(f"DROP DATABASE {name} WITH (FORCE)")
        server.sql(f"DROP ROLE {OWNER}")
