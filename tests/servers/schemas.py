"""A small schema for one test, which the owner creates and the test migrates, proves and rolls back."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Sequence
from typing import Any

import pytest

import temporary
from ansible_collections.aimemory.tenancy.plugins.module_utils.errors import UnsafeStateError
from ansible_collections.aimemory.tenancy.plugins.module_utils.outcomes import ProofError
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.model import model
from lab import OWNER
from planner import Database
from server import Server

NAME = "ai_memory_schemas"


@contextlib.contextmanager
def database(
    server: Server,
    statements: Sequence[str],
    entries: Sequence[dict[str, Any]],
    before: Sequence[str] = (),
    **changes: Any,
) -> Iterator[Database]:
    """Yield a database in which its owner has run ``statements``.

    The superuser first runs the statements ``before``. The model has the tables ``entries``, and ``changes`` replace
    its other values.
    """
    wanted = model.parse({
        "database": NAME, "application_role": OWNER, "schema": "public", "column": "customer_id",
        "column_type": "integer", "setting": "app.current_tenant", "default_tenant": 1, "bridge": True,
        "tables": list(entries), **changes,
    })  # fmt: skip
    with temporary.created(server, NAME, "template1"), temporary.opened(server, NAME, wanted) as found:
        found.run(*before, f"SET ROLE {OWNER}", *statements, "RESET ROLE")
        found.commit()
        yield found


def dump(server: Server) -> str:
    """Return pg_dump's output for the schema, including the roles' settings in the database."""
    return server.run("pg_dump", "--schema-only", "--create", "--restrict-key=same", NAME)


def migrate(found: Database) -> None:
    """Migrate, and check that nothing leaks, that the next plan is empty, and that every finding holds."""
    before = found.state()
    proven = found.migrate()
    assert [item for item in proven if not item["ok"]] == []
    assert found.failures(before) == []
    assert found.plan() == []
    assert [entry for entry in found.audit() if entry["rule"] == "foreign-key"] == []
    found.commit()


def require_attempts(found: Database, unshown: Collection[tuple[str, str]]) -> None:
    """Check that the proof detects the loss of each foreign key, except those in ``unshown`` (table, columns)."""
    for table in found.model.tables:
        for key in table.foreign_keys:
            columns = "_".join(key.columns)
            if (table.name, columns) in unshown:
                continue
            document = found.state()["tables"][table.name]
            wanted = {found.model.column, *key.columns}
            names = [item["name"] for item in document["foreign_keys"] if {*item["columns"]} == wanted]
            found.run(*(f'ALTER TABLE {table.name} DROP CONSTRAINT "{name}"' for name in names))
            with pytest.raises(ProofError, match=rf"{table.name}\.point\.{columns}: "):
                found.prove()
            found.roll_back()


def round_trip(server: Server, found: Database, unshown: Collection[tuple[str, str]] = ()) -> None:
    """Migrate, roll back the schema, and check that the dump equals the original."""
    before, first = found.state(), dump(server)
    found.commit()
    migrate(found)
    require_attempts(found, unshown)
    assert dump(server) != first
    assert found.back_to(before) == []
    found.commit()
    assert dump(server) == first


def refused(found: Database) -> list[str]:
    """Check that the plan is refused, and return the obstacles."""
    with pytest.raises(UnsafeStateError) as caught:
        found.plan()
    return caught.value.obstacles
