"""Excess privileges on columns are revoked and restored, and those that another role granted are refused."""

from __future__ import annotations

import pytest

import schemas
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.changes import planning
from lab import OWNER
from server import Server

ENTRY = {"name": "notes", "surrogate_keys": [["id"]]}
NOTES = "CREATE TABLE notes (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), body text)"
GIVEN = (
    "ALTER TABLE notes OWNER TO postgres",
    f"GRANT SELECT, INSERT, UPDATE, DELETE ON notes TO {OWNER}",
)


def test_a_privilege_on_a_column_is_revoked_and_granted_again(server: Server) -> None:
    with schemas.database(server, [NOTES], [ENTRY]) as found:
        found.run(
            *GIVEN, f'ALTER TABLE notes ADD "the key" integer; GRANT REFERENCES (id, "the key") ON notes TO {OWNER}'
        )
        found.commit()
        assert [item["subject"] for item in found.audit() if item["rule"] == "privilege-excess"] == [
            'REFERENCES ("the key") on public.notes', "REFERENCES (id) on public.notes",
        ]  # fmt: skip
        schemas.round_trip(server, found)
        assert found.value(f"SELECT has_column_privilege('{OWNER}', 'notes', 'the key', 'REFERENCES')")
        schemas.migrate(found)
        assert not found.value(f"SELECT has_any_column_privilege('{OWNER}', 'notes', 'REFERENCES')")


@pytest.mark.parametrize("privilege", ["TRUNCATE", "REFERENCES (id)"])
def test_a_privilege_that_another_role_granted_is_refused(server: Server, privilege: str) -> None:
    with schemas.database(server, [NOTES], [ENTRY]) as found:
        found.run(
            *GIVEN, "CREATE ROLE helper", f"GRANT {privilege} ON notes TO helper WITH GRANT OPTION", "SET ROLE helper",
            f"GRANT {privilege} ON notes TO {OWNER}", "RESET ROLE",
        )  # fmt: skip
        (refusal,) = planning.refusals(found.audit())
        assert f"privilege-excess: {privilege} on public.notes" in refusal
