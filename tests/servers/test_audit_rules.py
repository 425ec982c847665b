"""On a real server, each audit rule reports its own example, and reports nothing after the remedy."""

from __future__ import annotations

import contextlib
import dataclasses
import re
from collections.abc import Iterator, Sequence
from typing import Any, assert_never

import psycopg2.extensions
import pytest
import yaml

import temporary
import versions
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.audit import audit
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.audit.rule import (
    ERROR,
    Example,
    Inventory,
    ServerVersion,
    ServiceStatement,
    Sql,
    UrlOptions,
)
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.audit.rules import server_minor
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.model import model
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.report import notes
from lab import OWNER
from planner import Database
from production import production_source
from server import TEMPLATE, Server, fill, running
from service import run_statement
from temporary import opened

# The database name that the rules' examples use.
NAME = "ai_memory"
UNMIGRATED = "ai_memory_unmigrated"
# The plan does not remedy these findings: that the service owns its tables, and that the test server may be an old
# minor release.
ACCEPTED = {"role-owner", "server-minor"}
OF_STATEMENTS = {name for name, rule in audit.RULES.items() if rule.service_statement}


@pytest.fixture(scope="module", autouse=True)
def databases(server: Server) -> Iterator[None]:
    """Create an unmigrated and a migrated database; each test rolls back its changes."""
    with temporary.created(server, UNMIGRATED), temporary.created(server, NAME):
        with opened(server, NAME) as migrated:
            migrated.migrate()
            migrated.commit()
        yield


@pytest.fixture
def migrated(server: Server) -> Iterator[Database]:
    with opened(server, NAME) as found:
        yield found


@pytest.fixture
def unmigrated(server: Server) -> Iterator[Database]:
    with opened(server, UNMIGRATED) as found:
        yield found


@pytest.fixture
def service(server: Server) -> Iterator[psycopg2.extensions.cursor]:
    """Yield a session of the service in the unmigrated database."""
    with contextlib.closing(server.connect(UNMIGRATED, OWNER)) as connection, connection.cursor() as cursor:
        yield cursor


class Planted:
    """A database in which a test creates the rules' examples one by one."""

    def __init__(self, database: Database, service: psycopg2.extensions.cursor) -> None:
        self.database, self._service = database, service
        self._url_options = ""
        self._readable: list[str] = []
        self._version: dict[str, Any] = {}

    def plant(self, example: Example) -> None:
        match example:
            case Sql():
                self.database.run(example)
            case ServiceStatement():
                run_statement(self._service, example)
            case UrlOptions():
                self._url_options = example
            case ServerVersion():
                # A pre-release has no minor number, which counts as 0.
                major, minor = re.match(r"(\d+)(?:[.](\d+))?", example).groups()  # type: ignore[union-attr]
                number = int(major) * 10000 + int(minor or 0)
                self._version = {"server_version": str(example), "server_version_num": number}
            case Inventory():
                self._give(yaml.safe_load(example))
            case _:
                assert_never(example)

    def _give(self, variables: dict[str, list[Any]]) -> None:
        self._readable += variables.pop("tenancy_readable", [])
        source = production_source(NAME)
        for name, entries in variables.items():
            source[name.removeprefix("tenancy_")] += entries
        self.database.model = model.parse(source)

    def audit(self) -> list[audit.Entry]:
        # Without this call, pg_stat_activity shows the same sessions until the transaction ends.
        self.database.run("SELECT pg_stat_clear_snapshot()")
        facts, state = self.database.audit_facts(self._readable), self.database.state() | self._version
        return audit.collect(facts, state, self.database.model, self._url_options)


def named(entries: Sequence[audit.Entry], rule: str) -> set[str]:
    """Return the objects that a rule reports."""
    return {entry["subject"] for entry in entries if entry["rule"] == rule}


# The examples of these rules use features of later versions: an SQL-standard body and security_invoker.
SINCE = {"on-conflict-function": 14, "view-definer": 15}


@pytest.mark.parametrize("name", versions.cases(audit.RULES, SINCE))
def test_a_rule_finds_its_mutant_and_nothing_after_the_remedy(
    server: Server, service: psycopg2.extensions.cursor, name: str
) -> None:
    rule = audit.RULES[name]
    before_the_plan = isinstance(rule.bad, ServiceStatement)
    with opened(server, UNMIGRATED if before_the_plan else NAME) as database:
        planted = Planted(database, service)
        if rule.setup:
            database.run(rule.setup)
        before = named(planted.audit(), name)
        planted.plant(rule.bad)
        assert named(planted.audit(), name) - before == {rule.found}
        planted.plant(rule.good)
        assert named(planted.audit(), name) <= before


def test_a_migrated_database_has_no_bypass(migrated: Database) -> None:
    found = migrated.audit()
    assert {entry["rule"] for entry in found} <= ACCEPTED
    tables = {f"public.{table.name}" for table in migrated.model.tables}
    assert tables | {f"database {NAME}", "public.trigger_update_personality_averages()"} <= named(found, "role-owner")


def test_an_unmigrated_database_has_only_what_the_plan_fixes(unmigrated: Database) -> None:
    found = [entry for entry in unmigrated.audit() if entry["rule"] not in ACCEPTED]
    assert {entry["rule"] for entry in found} == {
        "privilege-excess", "unique-key", "function-without-tenant", "on-conflict-function",
    }  # fmt: skip
    assert all(entry["fixed_by_plan"] for entry in found)


@pytest.mark.parametrize(
    ("rule", "also"),
    [("function-without-tenant", ""), ("privilege-excess", f"REVOKE TRUNCATE ON memories FROM {OWNER}")],
)
def test_what_the_plan_does_not_fix_is_an_error_that_is_left(unmigrated: Database, rule: str, also: str) -> None:
    unmigrated.run(audit.RULES[rule].bad, *([also] if also else []))
    left = [
        entry["subject"] for entry in unmigrated.audit() if entry["severity"] == ERROR and not entry["fixed_by_plan"]
    ]
    assert left == [audit.RULES[rule].found]


@pytest.mark.since(15)
@pytest.mark.parametrize(
    ("view", "found"),
    [
        ("CREATE VIEW v WITH (security_invoker = true) AS SELECT * FROM memories", False),
        ("CREATE VIEW v WITH (security_invoker = false) AS SELECT * FROM memories", True),
        ("CREATE VIEW u AS SELECT * FROM memories; CREATE VIEW v WITH (security_invoker) AS SELECT * FROM u", True),
    ],
)
def test_a_view_is_judged_by_whose_privileges_it_reads_with(migrated: Database, view: str, found: bool) -> None:
    migrated.run(view)
    assert not named(migrated.audit(), "view-definer")
    migrated.run(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {OWNER}")
    assert bool(named(migrated.audit(), "view-definer")) is found


# Privileges on a relation in the schema "reports", and whether they allow the service to read the relation.
READABLE = {
    "no privilege": ("", False),
    "a privilege": ("GRANT SELECT ON reports.totals TO alice", True),
    "a privilege of PUBLIC": ("GRANT SELECT ON reports.totals TO PUBLIC", True),
    "a privilege on a column": ("GRANT SELECT (k) ON reports.totals TO alice", True),
    "a member of a group": ("CREATE ROLE g1; GRANT SELECT ON reports.totals TO g1; GRANT g1 TO alice", True),
    "a group that it can become": (
        "CREATE ROLE g1; GRANT SELECT ON reports.totals TO g1; GRANT g1 TO alice WITH INHERIT FALSE", True,
    ),
    "a group whose privileges it does not inherit": (
        "CREATE ROLE g1; GRANT SELECT ON reports.totals TO g1; ALTER ROLE alice NOINHERIT; GRANT g1 TO alice", True,
    ),
    "a grant without use": (
        "CREATE ROLE g1; GRANT SELECT ON reports.totals TO g1; GRANT g1 TO alice WITH INHERIT FALSE, SET FALSE", False,
    ),
    "every table": ("GRANT pg_read_all_data TO alice", True),
    "another role": ("CREATE ROLE g1; GRANT SELECT ON reports.totals TO g1", False),
    "a privilege and no schema": (
        "GRANT SELECT ON reports.totals TO alice; REVOKE USAGE ON SCHEMA reports FROM PUBLIC", False,
    ),
    "the owner": ("ALTER MATERIALIZED VIEW reports.totals OWNER TO alice", True),
}  # fmt: skip
DEFAULT = "ALTER DEFAULT PRIVILEGES IN SCHEMA reports GRANT SELECT ON TABLES TO alice"
TOTALS = "CREATE MATERIALIZED VIEW reports.totals AS SELECT k, count(*) FROM public.memories GROUP BY k"


READABLE_SINCE = {"a group that it can become": 16, "a grant without use": 16, "every table": 14}


@pytest.mark.parametrize("case", versions.cases(READABLE, READABLE_SINCE))
@pytest.mark.parametrize("kind", ["materialized-view", "view-definer"])
def test_a_view_is_judged_by_who_may_read_it(migrated: Database, case: str, kind: str) -> None:
    statement, found = READABLE[case]
    is_plain = kind == "view-definer"
    for one in ("CREATE SCHEMA reports; GRANT USAGE ON SCHEMA reports TO PUBLIC", TOTALS, statement or "SELECT 1"):
        migrated.run(one.replace("MATERIALIZED ", "") if is_plain else one)
    assert named(migrated.audit(), kind) == ({"reports.totals"} if found else set())


def test_a_view_that_default_privileges_open_is_found(migrated: Database) -> None:
    migrated.run("CREATE SCHEMA reports", "GRANT USAGE ON SCHEMA reports TO PUBLIC", DEFAULT, TOTALS)
    assert named(migrated.audit(), "materialized-view") == {"reports.totals"}


def test_a_view_over_a_view_is_judged_by_its_own_readers(migrated: Database) -> None:
    migrated.run(
        "CREATE SCHEMA reports", "GRANT USAGE ON SCHEMA reports TO PUBLIC", TOTALS,
        "CREATE VIEW reports.few AS SELECT * FROM reports.totals",
        "CREATE VIEW reports.fewer AS SELECT * FROM reports.few",
        "GRANT SELECT ON reports.fewer TO PUBLIC",
    )  # fmt: skip
    found = migrated.audit()
    assert named(found, "view-definer") == {"reports.fewer"}
    assert not named(found, "materialized-view")


ATOMIC = "CREATE FUNCTION f(who text) RETURNS void LANGUAGE sql BEGIN ATOMIC {}; END"
WRITING = {
    "a body in standard SQL": ATOMIC.format("DELETE FROM memories WHERE user_id = who"),
    "a MERGE in standard SQL": ATOMIC.format(
        "MERGE INTO memories m USING (VALUES (who)) AS v (w) ON m.user_id = w WHEN MATCHED THEN UPDATE SET source = ''"
    ),
    "a procedure": "CREATE PROCEDURE f(who text) LANGUAGE sql AS 'DELETE FROM memories WHERE user_id = who'",
    "an overloaded name": (
        "CREATE FUNCTION f() RETURNS void LANGUAGE sql AS 'SELECT'; "
        "CREATE FUNCTION f(who text) RETURNS void LANGUAGE sql AS 'DELETE FROM memories WHERE user_id = who'"
    ),
    "a search path": (
        "CREATE FUNCTION f(who text) RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = public"
        " AS 'DELETE FROM memories WHERE user_id = who'"
    ),
    "a comment that names the column": (
        "CREATE FUNCTION f(who text) RETURNS void LANGUAGE sql AS $$DELETE FROM memories -- customer_id\n"
        " WHERE user_id = who /* customer_id */$$"
    ),
    "a quoted schema": (
        'CREATE SCHEMA "my own"; CREATE FUNCTION f(who text) RETURNS void LANGUAGE plpgsql'
        " AS 'BEGIN DELETE FROM \"my own\" . memories WHERE user_id = who; END'"
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", versions.cases(WRITING, {"a body in standard SQL": 14, "a MERGE in standard SQL": 15}))
def test_a_function_that_writes_without_a_tenant_is_found(migrated: Database, case: str) -> None:
    migrated.run(WRITING[case])
    assert named(migrated.audit(), "function-without-tenant") == {"public.f(text)"}


LINES = {
    "EXECUTE 'DELETE FROM memories';": "EXECUTE ",
    "PERFORM set_config('app.current_tenant', '2', false);": "set_config('app.current_tenant'",
    "SET LOCAL app.current_tenant = '2';": "SET LOCAL app.current_tenant",
    "ALTER TABLE memories DISABLE ROW LEVEL SECURITY;": "ROW LEVEL SECURITY",
    "TRUNCATE TABLE ONLY memories;": "TRUNCATE TABLE ONLY memories",
    "-- TRUNCATE memories": None,
    "PERFORM 1 FROM memories;": None,
}


@pytest.mark.parametrize("line", LINES)
def test_the_line_that_the_tenant_column_does_not_cure_is_named(migrated: Database, line: str) -> None:
    migrated.run(f"CREATE PROCEDURE f(who text) LANGUAGE plpgsql AS $$BEGIN\n  {line}\nEND$$")
    found = named(migrated.audit(), "function-statement")
    assert found == (set() if LINES[line] is None else {f"public.f(text), line 2: {LINES[line]}"})


# COPY statements, and the tables in which they store rows.
COPIES = {
    "COPY memories (k, type) FROM STDIN": {"memories"},
    'copy public."memories"(k,type)from stdin': {"memories"},
    "COPY memories (k) TO STDOUT": set(),
}


@pytest.mark.parametrize("statement", COPIES)
def test_a_service_that_stores_with_copy_is_named(
    service: psycopg2.extensions.cursor, unmigrated: Database, statement: str
) -> None:
    run_statement(service, statement)
    service.connection.commit()
    assert named(unmigrated.audit(), "copy-from") == COPIES[statement]


def test_an_approximate_index_is_named_until_it_searches_on(migrated: Database) -> None:
    rule = audit.RULES["approximate-index"]
    migrated.run(rule.setup, rule.bad)
    for value, found in (("off", {rule.found}), ("relaxed_order", set())):
        migrated.run(f"ALTER ROLE {OWNER} IN DATABASE {NAME} SET hnsw.iterative_scan = '{value}'")
        assert named(migrated.audit(), "approximate-index") == found


def test_a_server_that_lacks_fixes_is_named(monkeypatch: pytest.MonkeyPatch, migrated: Database) -> None:
    major, minor = divmod(migrated.state()["server_version_num"], 10000)
    for fixed, found in ((minor, False), (minor + 1, True)):
        monkeypatch.setattr(server_minor, "FIXED_MINORS", {major: fixed})
        assert bool(named(migrated.audit(), "server-minor")) is found


# Statements of the service, and the rules that report each of them.
STATEMENTS: dict[str, set[str]] = {
    "COPY memories TO STDOUT": {"copy-without-columns"},
    'copy public."memories" to stdout': {"copy-without-columns"},
    "COPY memories (k, type) TO STDOUT": set(),
    "COPY memories FROM STDIN": {"copy-without-columns", "copy-from"},
    "SELECT * FROM memories WHERE k = 'a'": {"select-star"},
    "SELECT m.* FROM public.memories AS m": {"select-star"},
    "UPDATE memories SET k = k WHERE false RETURNING *": {"select-star"},
    "SELECT count(*) FROM memories": set(),
    "SELECT k FROM memories": set(),
}


@pytest.mark.parametrize("statement", STATEMENTS)
def test_a_statement_that_the_new_column_breaks_is_named(
    service: psycopg2.extensions.cursor, unmigrated: Database, statement: str
) -> None:
    run_statement(service, statement)
    service.connection.commit()
    found = unmigrated.audit()
    assert {rule for rule in OF_STATEMENTS if named(found, rule)} == STATEMENTS[statement]
    assert set().union(*(named(found, rule) for rule in OF_STATEMENTS)) <= {"memories"}


def test_a_column_that_is_there_already_breaks_no_statement(
    service: psycopg2.extensions.cursor, unmigrated: Database
) -> None:
    run_statement(service, "SELECT * FROM memories")
    service.connection.commit()
    assert named(unmigrated.audit(), "select-star")
    unmigrated.migrate()
    assert not OF_STATEMENTS & {entry["rule"] for entry in unmigrated.audit()}


INTO = "INSERT INTO caller_profiles (user_id, first_call_date, last_call_date) SELECT '+0', now(), now() WHERE false"
# Upserts, and whether each of them finds no matching key once the key contains the tenant column.
UPSERTS = {
    f"{INTO} ON CONFLICT (user_id) DO NOTHING": True,
    INTO.replace("caller_profiles", 'public."caller_profiles"') + ' on conflict("user_id")do nothing': True,
    f"WITH stored AS ({INTO} ON CONFLICT ( user_id ) DO NOTHING RETURNING 1) SELECT count(*) FROM stored": True,
    f"{INTO} ON CONFLICT (id) DO NOTHING": False,
    f"{INTO} ON CONFLICT DO NOTHING": False,
    f"{INTO} ON CONFLICT ON CONSTRAINT caller_profiles_user_id_key DO NOTHING": False,
    "SELECT 'ON CONFLICT (user_id) DO NOTHING', count(*) FROM caller_profiles": False,
}


@pytest.mark.parametrize("statement", UPSERTS)
def test_an_upsert_is_named_if_its_key_is_exchanged(
    service: psycopg2.extensions.cursor, unmigrated: Database, statement: str
) -> None:
    run_statement(service, statement)
    assert named(unmigrated.audit(), "on-conflict") == ({"caller_profiles"} if UPSERTS[statement] else set())


def test_an_upsert_of_an_expression_is_named(service: psycopg2.extensions.cursor, server: Server) -> None:
    with opened(server, UNMIGRATED) as unmigrated:
        unmigrated.run("CREATE UNIQUE INDEX folded ON caller_profiles (lower(user_id)) WHERE total_calls > 0")
        unmigrated.commit()
        try:
            upsert = f"{INTO} ON CONFLICT (lower(user_id)) WHERE total_calls > 0 DO NOTHING"
            run_statement(service, upsert)
            assert named(unmigrated.audit(), "on-conflict") == {"caller_profiles"}
        finally:
            unmigrated.run("DROP INDEX folded")
            unmigrated.commit()


def test_an_upsert_is_an_error_unless_the_release_knows_the_tenant(
    service: psycopg2.extensions.cursor, unmigrated: Database
) -> None:
    run_statement(service, f"{INTO} ON CONFLICT (user_id) DO NOTHING")
    for bridge in (True, False):
        unmigrated.model = dataclasses.replace(unmigrated.model, bridge=bridge)
        (entry,) = [entry for entry in unmigrated.audit() if entry["rule"] == "on-conflict"]
        assert (entry["severity"], entry["fixed_by_plan"]) == (ERROR, not bridge)


def test_an_upsert_of_the_login_that_the_service_leaves_is_named(
    service: psycopg2.extensions.cursor, unmigrated: Database
) -> None:
    run_statement(service, f"{INTO} ON CONFLICT (user_id) DO NOTHING")
    unmigrated.model = dataclasses.replace(unmigrated.model, application_role="new", replaced_role=OWNER)
    assert named(unmigrated.audit(), "on-conflict") == {"caller_profiles"}


def test_an_upsert_after_the_migration_is_not_looked_for(
    service: psycopg2.extensions.cursor, unmigrated: Database
) -> None:
    run_statement(service, f"{INTO} ON CONFLICT (user_id) DO NOTHING")
    unmigrated.migrate()
    assert named(unmigrated.audit(), "on-conflict") == set()


def test_an_earlier_statement_is_named_if_the_server_records_them(server: Server) -> None:
    with running(server.major, shared_preload_libraries="pg_stat_statements") as recording:
        fill(recording)
        recording.sql("CREATE SCHEMA elsewhere", TEMPLATE)
        recording.sql("CREATE EXTENSION pg_stat_statements SCHEMA elsewhere", TEMPLATE)
        with contextlib.closing(recording.connect(TEMPLATE, OWNER)) as connection, connection.cursor() as cursor:
            run_statement(cursor, "COPY memories TO STDOUT")
            run_statement(cursor, f"{INTO} ON CONFLICT (user_id) DO NOTHING")
            run_statement(cursor, "SELECT 1")
        with opened(recording, TEMPLATE) as database:
            found = database.audit()
            assert named(found, "copy-without-columns") == {"memories"}
            assert named(found, "on-conflict") == {"caller_profiles"}
            assert not any("pg_stat_statements" in text for text in notes.of_plan(database.state(), database.model))


def test_a_record_of_statements_that_cannot_be_read_is_left_out(unmigrated: Database) -> None:
    assert any("pg_stat_statements" in text for text in notes.of_plan(unmigrated.state(), unmigrated.model))
    unmigrated.run("CREATE EXTENSION pg_stat_statements")
    assert any("pg_stat_statements" in text for text in notes.of_plan(unmigrated.state(), unmigrated.model))
    assert not OF_STATEMENTS & {entry["rule"] for entry in unmigrated.audit()}
