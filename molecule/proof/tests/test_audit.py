"""The audit is quiet on what the plan makes, and names every way past row security that is opened."""

from __future__ import annotations

import pytest

from lab import HOSTS, OWNER, Host
from planner import NAME, Database

DEFINER = "LANGUAGE sql SECURITY DEFINER AS 'SELECT count(*) FROM memories'"
# What the lab has and no plan cures: its service owns the tables, Debian's minor release may lag behind, and with
# pgvector there is an approximate index.
ACCEPTED = {"role-owner", "server-minor", "approximate-index"}
MUTANTS = {
    "role-superuser": [f"ALTER ROLE {OWNER} SUPERUSER"],
    "role-bypassrls": [f"ALTER ROLE {OWNER} BYPASSRLS"],
    "role-createrole": [f"ALTER ROLE {OWNER} CREATEROLE"],
    "role-replication": [f"ALTER ROLE {OWNER} REPLICATION"],
    "role-becomes": ["CREATE ROLE middle", "GRANT postgres TO middle", f"GRANT middle TO {OWNER}"],
    "role-server-files": [f"GRANT pg_read_server_files TO {OWNER}"],
    "privilege-excess": ["GRANT TRUNCATE ON memories TO PUBLIC"],
    "grant-public": ["GRANT SELECT ON memories TO PUBLIC"],
    "setting-preset": [f"ALTER DATABASE {NAME} SET app.current_tenant = '1'"],
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


def rules(database: Database) -> set[str]:
    return {entry["rule"] for entry in database.audit()} - ACCEPTED


def test_a_migrated_database_has_no_way_past(database: Database) -> None:
    database.migrate()
    assert rules(database) == set()
    owned = [entry["subject"] for entry in database.audit() if entry["rule"] == "role-owner"]
    assert [name for name in owned if name in {f"public.{table.name}" for table in database.model.tables}] == sorted(
        f"public.{table.name}" for table in database.model.tables
    )
    assert {f"database {NAME}", "trigger_update_personality_averages()"} <= set(owned)


def test_an_unmigrated_database_has_only_what_the_plan_cures(database: Database) -> None:
    found = [entry for entry in database.audit() if entry["rule"] not in ACCEPTED]
    assert {entry["rule"] for entry in found} == {"privilege-excess", "unique-key", "function-without-tenant"}
    assert all(entry["cured"] for entry in found)


@pytest.mark.parametrize(
    ("opened", "subject"),
    [
        (MUTANTS["function-without-tenant"][0], "forget()"),
        ("GRANT TRUNCATE ON memories TO PUBLIC; REVOKE TRUNCATE ON memories FROM alice", "TRUNCATE on public.memories"),
    ],
)
def test_what_the_plan_does_not_cure_is_not_called_cured(database: Database, opened: str, subject: str) -> None:
    database.run(opened)
    assert [entry["subject"] for entry in database.audit() if entry["severity"] == "error" and not entry["cured"]] == [
        subject
    ]


@pytest.mark.parametrize("rule", MUTANTS)
def test_the_rule_names_what_was_opened(database: Database, rule: str) -> None:
    database.migrate()
    database.run("SET LOCAL row_security = off", *MUTANTS[rule])
    found = [entry for entry in database.audit() if entry["rule"] == rule]
    assert len(found) == 1, found
    assert found[0]["subject"]
    assert found[0]["why"]
    assert found[0]["remedy"]


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
