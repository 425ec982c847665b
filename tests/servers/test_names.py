"""The plan is refused if another object already has a name that the plan needs, unless PostgreSQL permits both."""

from __future__ import annotations

import psycopg2
import pytest

import schemas
from ansible_collections.aimemory.tenancy.plugins.module_utils.errors import UnsafeStateError
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.changes import hazards, plan
from lab import OWNER
from planner import Database
from server import Server

INDEX, KEY = "idx_memories_customer_id_user_id", "caller_profiles_customer_id_user_id_key"
BUILT = "caller_profiles_user_id_key_tenant_key"
# The plan creates the natural key that this statement drops.
GONE = "ALTER TABLE caller_profiles DROP CONSTRAINT caller_profiles_user_id_key"
RECORD = "tenancy_bridge_used_memories_select"
# For each case: the existing object, and the beginning of the refusal.
TAKEN = {
    "index of another table": (f"CREATE INDEX {INDEX} ON call_summaries (summary)",
                               f"public.{INDEX} already exists (an index of call_summaries),"),
    "index of no tenant table": (f"CREATE TABLE o (a int); CREATE INDEX {INDEX} ON o (a)",
                                 f"public.{INDEX} already exists (an index of o),"),
    "index of a constraint": (f"ALTER TABLE memories ADD CONSTRAINT {INDEX} EXCLUDE (id WITH =)",
                              f"public.{INDEX} already exists (an index of memories),"),
    "sequence as index": (f"CREATE SEQUENCE {INDEX}", f"public.{INDEX} already exists (a sequence),"),
    "table as the built key": (f"CREATE TABLE {BUILT} (a int)", f"public.{BUILT} already exists (a table),"),
    "type as key": (f"{GONE}; CREATE TYPE {KEY} AS (a int)", f"public.{KEY} already exists (a composite type),"),
    "sequence as key": (f"{GONE}; CREATE SEQUENCE {KEY}", f"public.{KEY} already exists (a sequence),"),
    "own index as key": (f"{GONE}; CREATE INDEX {KEY} ON caller_profiles (updated_at)",
                         f"public.{KEY} already exists (an index of caller_profiles),"),
    "check as key": (f"{GONE}, ADD CONSTRAINT {KEY} CHECK (user_id <> '')",
                     f"public.caller_profiles already has a constraint {KEY},"),
    "foreign key as key": (
        f"{GONE}, ADD CONSTRAINT {KEY} FOREIGN KEY (id) REFERENCES caller_profiles",
        f"public.caller_profiles already has a constraint {KEY},"),
    "table as record": (f"CREATE TABLE {RECORD} (a int)", f"public.{RECORD} already exists (a table),"),
    "enumeration as record": (f"CREATE TYPE {RECORD} AS ENUM ('a')", f"public.{RECORD} already exists (a type),"),
    "function with another result": (
        "CREATE FUNCTION tenancy_bridge_note(text) RETURNS integer LANGUAGE sql AS 'SELECT 1'",
        "public.tenancy_bridge_note(text) already exists and does not return boolean,"),
    "procedure": ("CREATE PROCEDURE tenancy_bridge_note(text) LANGUAGE plpgsql AS 'BEGIN NULL; END'",
                  "public.tenancy_bridge_note(text) already exists and does not return boolean,"),
    "permissive policy": ("CREATE POLICY tenancy_bridge_memories_select ON memories USING (true)",
                          "public.memories already has a permissive policy tenancy_bridge_memories_select,"),
    "rows of its type": ("CREATE SCHEMA other; CREATE TABLE other.history (at timestamptz, old memories)",
                         "other.history.old stores rows of the type public.memories"),
    "rows in an array": ("CREATE TABLE history (old memories[])",
                         "public.history.old stores rows of the type public.memories"),
    "rows in a type": (
        "CREATE TYPE kept AS (at date, old memories); CREATE DOMAIN d AS kept; CREATE TABLE history (was d)",
        "public.history.was stores rows of the type public.memories"),
    "rows of a view": ("CREATE VIEW v AS SELECT m FROM memories m; CREATE TABLE history (was v)",
                       "public.history.was stores rows of the type public.memories"),
    "rows in a materialized view": ("CREATE MATERIALIZED VIEW v AS SELECT m FROM memories m",
                                    "public.v.m stores rows of the type public.memories"),
}  # fmt: skip
# Without the refusal, the statement that drops the other policy would also drop the plan's policy of the same name.
PLANNED_AROUND = ("permissive policy",)
# Names that the plan can use, and uses of the row type that PostgreSQL permits.
FREE = {
    "leftover": f"CREATE INDEX {INDEX} ON memories (k)",
    "leftover of a key": f"CREATE INDEX {BUILT} ON caller_profiles (updated_at)",
    "constraint's name on another table": f"ALTER TABLE memories ADD CONSTRAINT {KEY} CHECK (user_id <> '')",
    "another schema": f"CREATE SCHEMA o; CREATE SEQUENCE o.{INDEX}; CREATE TABLE o.{RECORD} (a int)",
    "enumeration as index": f"CREATE TYPE {INDEX} AS ENUM ('a')",
    "old key with that name": f"ALTER TABLE caller_profiles RENAME CONSTRAINT caller_profiles_user_id_key TO {KEY}",
    "function with that result": (
        "CREATE FUNCTION tenancy_bridge_note(text) RETURNS boolean LANGUAGE sql AS 'SELECT true'"
    ),
    "note without arguments": "CREATE FUNCTION tenancy_bridge_note() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
    "another note": "CREATE FUNCTION tenancy_bridge_note(integer) RETURNS integer LANGUAGE sql AS 'SELECT 1'",
    "restrictive policy": "CREATE POLICY tenancy_bridge_memories_select ON memories AS RESTRICTIVE USING (true)",
    "function of rows": "CREATE FUNCTION f(memories) RETURNS SETOF memories LANGUAGE sql AS 'SELECT $1'",
    "view of rows": "CREATE VIEW v AS SELECT m FROM memories m",
    "type of rows": "CREATE TYPE kept AS (at date, old memories)",
}


@pytest.mark.parametrize("case", TAKEN)
def test_what_is_in_the_way_is_refused(database: Database, case: str) -> None:
    statement, beginning = TAKEN[case]
    database.run(statement)
    with pytest.raises(UnsafeStateError) as caught:
        database.plan()
    assert any(text.startswith(beginning) for text in caught.value.obstacles), caught.value.obstacles
    if case not in PLANNED_AROUND:
        statements = plan.build(database.state(), database.model, careful=False)
        with pytest.raises(psycopg2.Error):
            database.execute(plan.document(statements, database.model, "5s", 60))


@pytest.mark.parametrize("case", FREE)
def test_what_is_not_in_the_way_is_migrated_and_nothing_is_left_to_do(database: Database, case: str) -> None:
    before = database.state()
    database.run(FREE[case])
    assert [item for item in database.migrate() if not item["ok"]] == []
    assert database.failures(before) == []
    assert database.plan() == []


def test_a_read_only_default_of_all_roles_is_found(database: Database) -> None:
    database.run("ALTER ROLE ALL SET default_transaction_read_only = on")
    (found,) = hazards.obstacles(database.state(), database.model)
    assert found.startswith(f"default_transaction_read_only is on for {OWNER} (ALTER ROLE ALL)")


@pytest.mark.parametrize("entry", ["natural_keys", "indexes"])
def test_columns_whose_joined_names_are_equal_get_two_names(server: Server, entry: str) -> None:
    made = "CREATE TABLE notes (id serial PRIMARY KEY, a integer, b_c integer, a_b integer, c integer)"
    table = {"name": "notes", "surrogate_keys": [["id"]], entry: [["a", "b_c"], ["a_b", "c"]]}
    with schemas.database(server, [made], [table]) as found:
        schemas.round_trip(server, found)


def test_names_and_tenants_may_hold_percent_signs(server: Server) -> None:
    made = ('CREATE TABLE "100%s" (id serial PRIMARY KEY, "50%" text)', 'INSERT INTO "100%s" ("50%") VALUES (NULL)')
    entry = {"name": "100%s", "surrogate_keys": [["id"]]}
    changes = {"column": "50%", "column_type": "text", "default_tenant": "5 % of it"}
    with schemas.database(server, made, [entry], **changes) as found:
        found.backfill("100%s")
        assert found.value('SELECT "50%" FROM "100%s"') == "5 % of it"
        schemas.migrate(found)


def test_names_may_contain_backslashes_and_quotes(server: Server) -> None:
    made = ("""CREATE TABLE "a\\b'c" (id serial PRIMARY KEY, "d\\e" text UNIQUE)""",)
    entry = {"name": "a\\b'c", "surrogate_keys": [["id"]], "natural_keys": [["d\\e"]]}
    with schemas.database(server, made, [entry], column="tenant\\id") as found:
        schemas.round_trip(server, found)
