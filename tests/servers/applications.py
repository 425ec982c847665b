"""The applications in the tests: their unmigrated databases, and the operator's decisions about their drafts."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import rental
from lab import OWNER
from server import ROOT, TEMPLATE, Server

SCHEMAS = ROOT / "tests/servers/databases"
# The inventory variables that the operator sets before the second draft.
GIVEN: Mapping[str, dict[str, Any]] = {
    "ai_memory": {"column": "customer_id", "default_tenant_name": "Peterson Insurance"},
    "boat_rental": {
        "column": "marina", "column_type": "uuid", "setting": "rental.marina",
        "default_tenant": "9b2f6c1e-5d34-4e0a-8f57-c1a0d2e4b683", "readable": ["rental.boat_classes"],
    },
    # The draft itself has a line for the readers of the tenants table.
    "saas": {"setting": "app.organization"},
    "workshop": {"default_tenant_name": "The shop by the bridge", "readable": ["workshop.settings"]},
}  # fmt: skip
OWNERS = {
    "ai_memory": OWNER,
    "boat_rental": rental.OWNER,
    "saas": "mechanic",
    "workshop": "mechanic",
    "by_hand": "mechanic",
}


@contextlib.contextmanager
def made(server: Server, case: str) -> Iterator[None]:
    """Create an application's database, and remove it at the end."""
    if case == "boat_rental":
        with rental.seeded(server, case):
            yield
        return
    with contextlib.ExitStack() as stack:
        owner = OWNERS[case]
        if case != "ai_memory":
            server.sql(f"CREATE ROLE {owner} LOGIN")
            stack.callback(server.sql, f"DROP ROLE {owner}")
        server.sql(f"CREATE DATABASE {case} OWNER {owner} TEMPLATE {TEMPLATE if case == 'ai_memory' else 'template1'}")
        stack.callback(server.sql, f"DROP DATABASE {case} WITH (FORCE)")
        if case != "ai_memory":
            files = [path for name in (case, f"{case}_seed") if (path := SCHEMAS / f"{name}.sql").exists()]
            server.script(case, ROOT / "tests/servers/as_owner.sql", *files, owner=owner)
        yield
