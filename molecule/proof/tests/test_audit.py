"""The audit is quiet on what the plan makes, and names every way past row security that is opened."""

from __future__ import annotations

import io

import pytest

from ansible_collections.aimemory.tenancy.plugins.plugin_utils.audit import audit
from lab import HOSTS, OWNER, Host
from planner import NAME, Database
from service import a_login

DEFINER = "LANGUAGE sql SECURITY DEFINER AS 'SELECT count(*) FROM memories'"
# What the lab has and no plan cures: its service owns the tables, Debian's minor release may lag behind, and with
# pgvector there is an approximate index.
ACCEPTED = {"role-owner", "server-minor", "approximate-index"}
# The rule goes by the name of the access method: without pgvector one is made of what PostgreSQL brings.
VECTORS = (
    "ALTER TABLE memories ADD near vector(3)",
    "CREATE INDEX nearest ON memories USING hnsw (near vector_l2_ops)",
)
BOXES = (
    "CREATE ACCESS METHOD hnsw TYPE INDEX HANDLER gisthandler",
    (
        "CREATE OPERATOR CLASS boxes DEFAULT FOR TYPE box USING hnsw AS OPERATOR 3 &&, FUNCTION 1 gist_box_consistent"
        "(internal, box, smallint, oid, internal), FUNCTION 2 gist_box_union(internal, internal), FUNCTION 5"
        " gist_box_penalty(internal, internal, internal), FUNCTION 6 gist_box_picksplit(internal, internal),"
        " FUNCTION 7 gist_box_same(box, box, internal)"
    ),
    "ALTER TABLE memories ADD near box",
    "CREATE INDEX nearest ON memories USING hnsw (near)",
)
# What opens each way, as statements of a superuser.
MUTANTS = {
    "role-owner": [f"CREATE SCHEMA of_the_service AUTHORIZATION {OWNER}"],
    "approximate-index": [],  # as VECTORS or BOXES
    "role-superuser": [f"ALTER ROLE {OWNER} SUPERUSER"],
    "role-bypassrls": [f"ALTER ROLE {OWNER} BYPASSRLS"],
    "role-createrole": [f"ALTER ROLE {OWNER} CREATEROLE"],
    "role-replication": [f"ALTER ROLE {OWNER} REPLICATION"],
    "role-becomes": ["CREATE ROLE middle", "GRANT postgres TO middle", f"GRANT middle TO {OWNER}"],
    "role-server-files": [f"GRANT pg_read_server_files TO {OWNER}"],
    "privilege-excess": ["GRANT TRUNCATE ON memories TO PUBLIC"],
    "grant-public": ["GRANT SELECT ON memories TO PUBLIC"],
    "setting-preset": [f"ALTER DATABASE {NAME} SET app.current_tenant = '1'"],
    "setting-role": [f"ALTER ROLE {OWNER} IN DATABASE {NAME} SET role = 'pg_monitor'"],
    "row-security-off": [f"ALTER ROLE {OWNER} SET row_security = off"],
    "view-definer": [f"CREATE VIEW v AS SELECT * FROM memories; GRANT SELECT ON v TO {OWNER}"],
    "materialized-view": ["CREATE MATERIALIZED VIEW v AS SELECT * FROM memories"],
    "rule": ["CREATE RULE copy AS ON INSERT TO memories DO ALSO NOTIFY memories"],
    "definer-function": [f"CREATE FUNCTION peek() RETURNS bigint {DEFINER}"],
    "relation-unlisted": [f"CREATE TABLE copied AS SELECT * FROM memories; GRANT SELECT ON copied TO {OWNER}"],
    "column-unlisted": ["CREATE TABLE sixth (customer_id integer)"],
    "child-table": ["CREATE TABLE child () INHERITS (memories)"],
    "foreign-key": [
        "ALTER TABLE personality_metrics ADD COLUMN memory uuid REFERENCES memories (id)",
    ],
    "unique-key": ["CREATE UNIQUE INDEX leak ON caller_profiles (user_id)"],
    "function-without-tenant": [
        "CREATE FUNCTION forget() RETURNS void LANGUAGE sql AS 'DELETE FROM ONLY public.memories'",
    ],
    "large-object": ["SELECT lo_create(0)"],
    "publication": ["CREATE PUBLICATION everything FOR TABLE memories"],
}


# What is no object of the database: the service's statements, its URL, and the server itself.
OTHERWISE = {"copy-without-columns", "select-star", "setting-url", "server-minor"}


def rules(database: Database) -> set[str]:
    return {entry["rule"] for entry in database.audit()} - ACCEPTED


def test_a_migrated_database_has_no_way_past(database: Database) -> None:
    database.migrate()
    assert rules(database) == set()
    owned = [entry["subject"] for entry in database.audit() if entry["rule"] == "role-owner"]
    assert [name for name in owned if name in {f"public.{table.name}" for table in database.model.tables}] == sorted(
        f"public.{table.name}" for table in database.model.tables
    )
    assert {f"database {NAME}", "public.trigger_update_personality_averages()"} <= set(owned)


def test_an_unmigrated_database_has_only_what_the_plan_cures(database: Database) -> None:
    found = [entry for entry in database.audit() if entry["rule"] not in ACCEPTED]
    assert {entry["rule"] for entry in found} == {"privilege-excess", "unique-key", "function-without-tenant"}
    assert all(entry["cured"] for entry in found)


@pytest.mark.parametrize(
    ("opened", "subject"),
    [
        (MUTANTS["function-without-tenant"][0], "public.forget()"),
        ("GRANT TRUNCATE ON memories TO PUBLIC; REVOKE TRUNCATE ON memories FROM alice", "TRUNCATE on public.memories"),
    ],
)
def test_what_the_plan_does_not_cure_is_not_called_cured(database: Database, opened: str, subject: str) -> None:
    database.run(opened)
    assert [entry["subject"] for entry in database.audit() if entry["severity"] == "error" and not entry["cured"]] == [
        subject
    ]


def test_every_rule_is_tried() -> None:
    assert MUTANTS.keys() | OTHERWISE == audit.RULES.keys()
    assert not MUTANTS.keys() & OTHERWISE


@pytest.mark.parametrize("rule", MUTANTS)
def test_the_rule_names_what_was_opened(machine: Host, database: Database, rule: str) -> None:
    database.migrate()
    before = named(database, rule)
    database.run("SET LOCAL row_security = off")
    if rule == "approximate-index":
        database.run(*(VECTORS if HOSTS[machine.name]["lab_pgvector"] else BOXES))
    database.run(*MUTANTS[rule])
    found = [entry for entry in database.audit() if entry["rule"] == rule and entry["subject"] not in before]
    assert len(found) == 1, found
    assert found[0]["subject"]
    assert found[0]["why"]
    assert found[0]["remedy"]


def named(database: Database, rule: str) -> set[str]:
    """Return what a rule names."""
    return {entry["subject"] for entry in database.audit() if entry["rule"] == rule}


@pytest.mark.parametrize(
    ("rule", "statement"),
    [("select-star", "SELECT * FROM memories LIMIT 1"), ("copy-without-columns", "COPY memories TO STDOUT")],
)
def test_a_statement_of_the_service_is_seen(machine: Host, database: Database, rule: str, statement: str) -> None:
    assert named(database, rule) == set()
    with a_login(machine, NAME) as cursor:
        if statement.startswith("COPY"):
            cursor.copy_expert(statement, io.BytesIO())
        else:
            cursor.execute(statement)
        # Once by its last statement, whose text no finding has.
        database.run("SELECT pg_stat_clear_snapshot()")
        assert named(database, rule) == {"memories"}
        # A column that is there is not one more.
        cursor.connection.rollback()
        database.migrate()
        assert named(database, rule) == set()


def test_a_server_that_lacks_fixes_is_named(monkeypatch: pytest.MonkeyPatch, database: Database) -> None:
    major, minor = divmod(database.state()["server_version_num"], 10000)
    for fixed, found in ((minor, False), (minor + 1, True)):
        monkeypatch.setattr(audit, "FIXED_MINORS", {major: fixed})
        assert bool(named(database, "server-minor")) is found


@pytest.mark.parametrize(
    ("view", "found"),
    [
        ("CREATE VIEW v WITH (security_invoker = true) AS SELECT * FROM memories", False),
        ("CREATE VIEW v WITH (security_invoker = false) AS SELECT * FROM memories", True),
        ("CREATE VIEW u AS SELECT * FROM memories; CREATE VIEW v WITH (security_invoker) AS SELECT * FROM u", True),
    ],
)
def test_a_view_is_judged_by_whose_rights_it_reads_with(database: Database, view: str, found: bool) -> None:
    database.migrate()
    database.run("SET LOCAL row_security = off", view)
    assert ("view-definer" in rules(database)) is found


def test_the_bridge_is_the_only_preset_and_the_url_has_none(database: Database) -> None:
    database.migrate()
    assert "setting-preset" not in rules(database)
    found = {entry["rule"] for entry in database.audit("-c App.current_tenant=2")}
    assert "setting-url" in found
    assert "setting-url" not in {entry["rule"] for entry in database.audit("-c my.app.current_tenant_x=2")}


def test_an_approximate_index_is_named_until_it_searches_on(machine: Host, database: Database) -> None:
    database.migrate()
    named = ["idx_memories_embedding of public.memories"] if HOSTS[machine.name]["lab_pgvector"] else []
    for value, found in (("off", named), ("relaxed_order", [])):
        database.run(f"ALTER ROLE {OWNER} IN DATABASE {NAME} SET ivfflat.iterative_scan = '{value}'")
        assert [entry["subject"] for entry in database.audit() if entry["rule"] == "approximate-index"] == found
