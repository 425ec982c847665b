"""A release of the application after the migration, as docs/releases.md describes it."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator

import psycopg2
import pytest

import temporary
from lab import OWNER
from planner import Database
from production import ROOT
from server import Server

NAME = "ai_memory_releases"
PAGE = (ROOT / "docs/releases.md").read_text()
SQL = ("CREATE", "ALTER", "GRANT", "UPDATE", "INSERT", "REASSIGN")
BRIDGE = "bridge is off once a second tenant has rows"


def statements(heading: str) -> str:
    """Return the SQL of a section of the page."""
    section = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    blocks = re.findall(r"(?:^ {4,}.*\n?)+", section, re.MULTILINE)
    found = [block for block in blocks if block.strip().startswith(SQL)]
    assert found, heading
    return "\n".join(found)


@pytest.fixture
def migrated(server: Server) -> Iterator[Database]:
    """Return a migrated database in which tenant 2 has a caller without a name."""
    with temporary.copied(server, NAME) as database:
        database.migrate()
        database.run(
            "INSERT INTO caller_profiles (user_id, first_call_date, last_call_date, customer_id)"
            " VALUES ('of tenant 2', now(), now(), 2)",
            "INSERT INTO call_summaries (call_id, user_id, call_date, summary, customer_id)"
            " VALUES ('c', 'new of tenant 2', now(), '', 2)",
        )
        database.commit()
        yield database
    server.sql("DROP ROLE IF EXISTS release")


def test_a_release_under_its_own_login_works_and_what_it_leaves_is_named(server: Server, migrated: Database) -> None:
    server.sql(statements("The login of releases"), NAME)
    server.sql(statements("Data migrations"), NAME, "release")
    server.sql(statements("New tables, keys and columns"), NAME, "release")
    assert server.sql("SELECT count(*) FROM caller_profiles WHERE preferred_name IS NULL", NAME) == [(0,)]
    assert server.sql("SELECT customer_id FROM caller_profiles WHERE user_id = 'new of tenant 2'", NAME) == [(2,)]
    assert server.sql("SELECT relowner::regrole::text FROM pg_class WHERE relname = 'call_notes'", NAME) == [
        ("release",)
    ]
    # A release that dies here leaves the new table closed, and everything else as it was.
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        server.sql("SELECT FROM call_notes", NAME, OWNER)
    server.sql(statements("Run a release"), NAME, "release")
    owned = "SELECT count(*) FROM pg_shdepend WHERE refobjid = 'release'::regrole AND deptype = 'o'"
    assert server.sql(owned, NAME) == [(0,)]
    server.sql("SELECT FROM call_notes", NAME, OWNER)
    assert [item for item in migrated.failures({"tables": {}}) if item["check"] != BRIDGE] == []
    left = {(entry["rule"], entry["subject"]) for entry in migrated.audit() if entry["severity"] == "error"}
    assert ("column-unlisted", "public.call_notes.customer_id") in left or {rule for rule, _ in left} & {
        "column-unlisted",
        "relation-unlisted",
    }
    assert not {rule for rule, _ in left} & {"role-becomes", "role-bypassrls"}


def test_the_login_of_releases_is_out_of_reach_of_the_service(server: Server, migrated: Database) -> None:
    server.sql(statements("The login of releases"), NAME)
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        server.sql("SET ROLE release", NAME, OWNER)
    assert migrated.state()["application_role"]["bypassing_memberships"] == []


def test_a_release_under_the_owners_login_can_reference_tenant_tables(server: Server, migrated: Database) -> None:
    server.sql(statements("New tables, keys and columns"), NAME, OWNER)
    server.sql("CREATE TABLE plain_notes (id uuid PRIMARY KEY REFERENCES memories, k text UNIQUE)", NAME, OWNER)
    left = {(entry["rule"], entry["subject"]) for entry in migrated.audit() if entry["severity"] == "error"}
    assert ("relation-unlisted", "public.plain_notes") in left
    assert not {rule for rule, _ in left} & {"privilege-excess"}
    migrated.roll_back()
    # Row security hides the rows of tenant 2 from it: the reason for a login of releases.
    with pytest.raises(psycopg2.errors.NotNullViolation):
        server.sql(
            "UPDATE caller_profiles SET preferred_name = 'unknown' WHERE preferred_name IS NULL;"
            " ALTER TABLE caller_profiles ALTER COLUMN preferred_name SET NOT NULL",
            NAME, OWNER,
        )  # fmt: skip


def test_a_rollback_after_a_login_of_its_own_ends_with_functions_of_no_model(server: Server) -> None:
    with temporary.copied(server, f"{NAME}_login") as database:
        database.run("CREATE FUNCTION of_no_model() RETURNS integer LANGUAGE sql AS 'SELECT 1'")
        database.model = dataclasses.replace(database.model, application_role="own_login", replaced_role=OWNER)
        database.commit()
        before = database.state()
        database.run(
            "CREATE ROLE own_login LOGIN",
            "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO own_login",
        )
        database.model = dataclasses.replace(database.model, replaced_role=None)
        database.migrate()
        assert [item for item in database.back_to(before) if "function" in item["check"]] == []
