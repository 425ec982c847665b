"""A release of the application after the migration, as docs/releases.md describes it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import psycopg2
import pytest

import temporary
from ansible_collections.aimemory.tenancy.plugins.module_utils.errors import UnsafeStateError
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.changes import releases
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.describe import difference
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.model import model
from described import closed, dumped, read
from documented import RELEASE, statements
from lab import OWNER
from planner import Database
from production import production_source
from projects import BRIDGE
from server import Server

NAME = "ai_memory_releases"
# A release adds this key, which contains the tenant column, to an existing table.
KEY = "; ALTER TABLE caller_profiles ADD CONSTRAINT one_name UNIQUE (customer_id, user_id, preferred_name)"
# The same release for a database without tenants. Only its new table has a tenant column.
NEVER = (
    statements("New tables, keys and columns")
    .replace(
        "FOREIGN KEY (customer_id, user_id)", "CONSTRAINT call_notes_customer_id_user_id_fkey FOREIGN KEY (user_id)"
    )
    .replace("caller_profiles (customer_id, user_id)", "caller_profiles (user_id)")
    + "; ALTER TABLE caller_profiles ADD CONSTRAINT one_name UNIQUE (user_id, preferred_name)"
)


@pytest.fixture
def migrated(server: Server) -> Iterator[Database]:
    """Yield a migrated database in which tenant 2 has a caller without a name."""
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
    server.sql(statements("The login for releases"), NAME)
    server.sql(statements("Data migrations"), NAME, RELEASE)
    calls = "SELECT user_id, total_calls FROM caller_profiles WHERE customer_id = 2 ORDER BY 1"
    assert server.sql(calls, NAME) == [("new of tenant 2", 1), ("of tenant 2", 0)]
    server.sql(statements("New tables, keys and columns"), NAME, RELEASE)
    assert server.sql("SELECT count(*) FROM caller_profiles WHERE preferred_name IS NULL", NAME) == [(0,)]
    assert server.sql("SELECT customer_id FROM caller_profiles WHERE user_id = 'new of tenant 2'", NAME) == [(2,)]
    assert server.sql("SELECT relowner::regrole::text FROM pg_class WHERE relname = 'call_notes'", NAME) == [
        ("release",)
    ]
    # If a release is killed here, the service cannot access the new table, and everything else is unchanged.
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        server.sql("SELECT FROM call_notes", NAME, OWNER)
    server.sql(statements("Run a release"), NAME, RELEASE)
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
    server.sql(statements("The login for releases"), NAME)
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
    # Row security hides the rows of tenant 2 from the service's login, which is why releases need a separate login.
    with pytest.raises(psycopg2.errors.NotNullViolation):
        server.sql(
            "UPDATE caller_profiles SET preferred_name = 'unknown' WHERE preferred_name IS NULL;"
            " ALTER TABLE caller_profiles ALTER COLUMN preferred_name SET NOT NULL",
            NAME, OWNER,
        )  # fmt: skip


def test_one_tenant_at_a_time_with_a_login_of_the_services_own(server: Server, migrated: Database) -> None:
    calls = "SELECT total_calls FROM caller_profiles WHERE customer_id = 2"
    one = statements("Data migrations").partition("BEGIN;")[2]
    server.sql("CREATE ROLE own_login LOGIN")
    try:
        migrated.model = dataclasses.replace(migrated.model, application_role="own_login", replaced_role=OWNER)
        migrated.run(
            "UPDATE caller_profiles SET customer_id = 1", "DELETE FROM call_summaries WHERE customer_id = 2",
            "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO own_login",
        )  # fmt: skip
        migrated.migrate()
        migrated.run("UPDATE caller_profiles SET customer_id = 2, total_calls = 7 WHERE user_id = 'of tenant 2'")
        migrated.commit()
        server.sql(statements("The login for releases"), NAME)
        # No policy applies to the tables' owner, so the owner sees no rows.
        server.sql(f"BEGIN;{one}", NAME, RELEASE)
        assert server.sql(calls, NAME) == [(7,)]
        server.sql(f"GRANT own_login TO {RELEASE}", NAME)
        server.sql(f"BEGIN;{one}".replace(f"ROLE {OWNER}", "ROLE own_login"), NAME, RELEASE)
        assert server.sql(calls, NAME) == [(0,)]
    finally:
        migrated.roll_back()
        server.sql("DROP OWNED BY own_login; DROP ROLE own_login", NAME)


def test_a_rollback_keeps_what_a_release_added(server: Server) -> None:
    name, other = f"{NAME}_back", f"{NAME}_never"
    with temporary.created(server, name), temporary.created(server, other):
        with temporary.opened(server, name) as database:
            snapshots = [database.state()]
            database.migrate()
            database.commit()
            server.sql(statements("The login for releases"), name)
            server.sql(statements("New tables, keys and columns") + KEY, name, RELEASE)
            server.sql(statements("Run a release"), name, RELEASE)
            source = production_source(name)
            source = closed(source, difference.differences(read(server, name), source))
            database.model = model.parse(source)
            snapshots.append(database.state())
            database.migrate()
            database.commit()
            # The first snapshot does not contain call_notes.
            with pytest.raises(UnsafeStateError, match=r"Table public\.call_notes does not exist, now or in the"):
                database.back_to(snapshots[0])
            assert database.back_to(releases.combined(snapshots, database.model)) == []
            database.commit()
        server.sql(NEVER, other, OWNER)
        assert dumped(server, name).splitlines() == dumped(server, other).replace(other, name).splitlines()
    server.sql(f"DROP ROLE IF EXISTS {RELEASE}")


def test_rows_whose_tenant_nothing_names_are_refused(server: Server, migrated: Database) -> None:
    server.sql("CREATE TABLE plain_notes (id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY)", NAME, OWNER)
    source = production_source(NAME)
    source["tables"] = [*source["tables"], {"name": "plain_notes", "surrogate_keys": [["id"]]}]
    migrated.model = model.parse(source)
    assert migrated.plan()
    migrated.roll_back()
    server.sql("INSERT INTO plain_notes DEFAULT VALUES", NAME, OWNER)
    with pytest.raises(UnsafeStateError, match=r"public\.plain_notes has 1 rows and no column customer_id") as caught:
        migrated.plan()
    migrated.roll_back()
    # The message contains the remedy.
    remedy = str(caught.value).partition("): ")[2].partition(" first, and")[0]
    server.sql(f"{remedy}; UPDATE plain_notes SET customer_id = 2", NAME)
    migrated.adopt()
    migrated.migrate()
    assert migrated.value("SELECT customer_id FROM plain_notes") == 2


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
