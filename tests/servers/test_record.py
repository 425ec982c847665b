"""The bridge's usage record: its notes, its effects on sessions, and its installation and removal."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import psycopg2
import psycopg2.extensions
import pytest

from ansible_collections.aimemory.tenancy.plugins.module_utils.quoting import qualified
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.changes import (
    bridge_record,
    enforce,
    evidence,
    login,
    plan,
    revert,
)
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.changes.statement import Statement
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.model import model
from lab import OWNER
from planner import NAME, Database
from production import production_source
from rows import insert
from server import Server

EXPIRED = "DELETE FROM memories WHERE created_at + ttl_days * interval '1 day' < now()"
COUNT = "SELECT count(*) FROM memories"
PROFILE = insert("caller_profiles", {"user_id": "+9"})
COLUMN = "customer_id IS NOT NULL AND"
# The usage record as earlier releases created it.
EARLIER = (
    "CREATE SEQUENCE public.tenancy_bridge_used",
    f"GRANT UPDATE ON SEQUENCE public.tenancy_bridge_used TO {OWNER}",
    """CREATE FUNCTION public.tenancy_bridge_note() RETURNS boolean LANGUAGE plpgsql AS
       $$ BEGIN PERFORM setval('public.tenancy_bridge_used', 1); RETURN true; END $$""",
    f"GRANT EXECUTE ON FUNCTION public.tenancy_bridge_note() TO {OWNER}",
    *(
        f"CREATE POLICY tenancy_bridge_{table} ON public.{table} AS RESTRICTIVE FOR ALL TO {OWNER} "
        f"USING ({COLUMN} (SELECT public.tenancy_bridge_note()))"
        for table in ("memories", "call_summaries", "caller_profiles", "personality_metrics", "personality_averages")
    ),
)


class Service:
    """The sessions of a service, and the usage record that they write."""

    def __init__(self, server: Server, wanted: model.Model) -> None:
        """Use the database NAME, which has the model ``wanted``."""
        self.server, self.model = server, wanted

    @contextlib.contextmanager
    def session(self) -> Iterator[psycopg2.extensions.cursor]:
        """Yield a session of the service that does not set a tenant."""
        connection = self.server.connect(NAME, OWNER)
        with contextlib.closing(connection), connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '3s'; SET statement_timeout = '20s'")
            yield cursor

    def run(self, *statements: str) -> None:
        """Run statements in a separate session."""
        with self.session() as cursor:
            for statement in statements:
                cursor.execute(statement)

    def record(self) -> dict[str, Any]:
        """Return the record in the form that ``evidence.judge`` expects."""
        arguments = {"schema": self.model.schema, "kinds": json.dumps(bridge_record.kinds(self.model))}
        with contextlib.closing(self.server.connect(NAME)) as connection, connection.cursor() as cursor:
            cursor.execute(bridge_record.query(), arguments)
            uses, used_at, now = cursor.fetchone()
        times = [use["used_at"] for use in uses if use["used_at"] is not None]
        assert used_at == max(times, default=None)
        return {"uses": uses, "now": now}

    def noted(self) -> set[tuple[str, str]]:
        """Return the recorded kinds of use as pairs of a command and a table."""
        return {(use["command"], use["table"]) for use in self.record()["uses"] if use["used_at"] is not None}

    def forget(self, used_at: int | None = None) -> None:
        """Set the record so that it shows no use, or a use of each kind at ``used_at``."""
        for kind in bridge_record.kinds(self.model):
            target = qualified(self.model.schema, kind["sequence"]).replace("'", "''")
            value = "1, false" if used_at is None else f"{used_at}, true"
            self.server.sql(f"SELECT setval('{target}', {value})", NAME)


@pytest.fixture
def service(server: Server, database: Database) -> Service:
    """Return a service that uses a migrated database."""
    database.migrate()
    database.commit()
    return Service(server, database.model)


def carry_out(database: Database, statements: list[Statement]) -> None:
    database.execute(plan.document(statements, database.model, "5s", 60))
    database.commit()


def record_of_earlier(database: Database) -> None:
    """Replace the usage record with that of earlier releases."""
    carry_out(database, bridge_record.plan_remove(database.state(), database.model))
    database.run(*EARLIER)
    database.commit()


def test_each_kind_is_noted_as_what_it_is(service: Service) -> None:
    profiles = ("SELECT", "caller_profiles")
    for statement, kinds in (
        (COUNT, {("SELECT", "memories")}),
        (PROFILE, {("INSERT", "caller_profiles")}),
        (f"{PROFILE} RETURNING id", {("INSERT", "caller_profiles"), profiles}),
        ("UPDATE caller_profiles SET total_calls = 1", {("UPDATE", "caller_profiles")}),
        ("UPDATE caller_profiles SET total_calls = 1 WHERE user_id > ''", {("UPDATE", "caller_profiles"), profiles}),
        ("DELETE FROM caller_profiles WHERE user_id > ''", {("DELETE", "caller_profiles"), profiles}),
        ("DELETE FROM call_summaries", {("DELETE", "call_summaries")}),
    ):
        service.forget()
        service.run("BEGIN", statement, "ROLLBACK")
        assert service.noted() == kinds, statement
        service.forget()
        service.run("BEGIN", "SET app.current_tenant = '1'", statement, "ROLLBACK")
        assert service.noted() == set(), statement


def test_start_up_code_and_health_check_are_told_from_callers(service: Service) -> None:
    service.run(EXPIRED)
    at_start = service.record()
    found = evidence.judge(at_start, [10], 0, 60)
    assert found["verdict"] == "known"
    assert "at the start (SELECT, DELETE on memories, last" in found["sentence"]
    # Hours later, a session without a tenant runs the health check and then a caller's request.
    service.forget()
    with service.session() as cursor:
        for statement, verdict, told in (
            (COUNT, "done", "by the health check (SELECT on memories, when it is called)"),
            (PROFILE, "needed", "by callers (INSERT on caller_profiles, last"),
        ):
            cursor.execute(statement)
            record = later(at_start, service.record(), hours=5)
            ages, asked_at = [record["now"] - at_start["now"] + 10], record["now"] - 1
            found = evidence.judge(record, ages, 3600, 60, ["startup"], asked_at)
            assert found["verdict"] == verdict
            assert told in found["sentence"]
            assert "at the start (DELETE on memories, last" in found["sentence"]


def later(early: dict[str, Any], late: dict[str, Any], hours: int) -> dict[str, Any]:
    """Return the record ``early`` as it looks ``hours`` later, with the uses that ``late`` contains."""
    uses = [
        new | {"used_at": old["used_at"] if new["used_at"] is None else new["used_at"] + hours * 3600}
        for old, new in zip(early["uses"], late["uses"], strict=True)
    ]
    return {"uses": uses, "now": late["now"] + hours * 3600}


def test_a_read_only_transaction_works_and_leaves_no_note(service: Service) -> None:
    with service.session() as cursor:
        cursor.execute("BEGIN READ ONLY")
        cursor.execute(COUNT)
        assert cursor.fetchone()[0] > 0
        cursor.execute("COMMIT")
        assert service.noted() == set()
        cursor.execute(COUNT)
        assert service.noted() == {("SELECT", "memories")}


def test_a_transaction_that_is_rolled_back_leaves_its_note(service: Service) -> None:
    with service.session() as cursor:
        cursor.execute("BEGIN")
        cursor.execute(PROFILE)
        cursor.execute("ROLLBACK")
        assert service.noted() == {("INSERT", "caller_profiles")}
        # The session's record of its last note is rolled back with the transaction, so the next transaction notes the
        # use again.
        service.forget()
        cursor.execute(PROFILE)
        assert service.noted() == {("INSERT", "caller_profiles")}


def test_a_session_notes_a_kind_once_in_a_while(service: Service) -> None:
    with service.session() as cursor:
        cursor.execute(COUNT)
        service.forget(7)
        cursor.execute(COUNT)
        assert {use["used_at"] for use in service.record()["uses"]} == {7}
        # Each kind of use is recorded separately.
        cursor.execute("SELECT FROM call_summaries")
        assert {use["used_at"] for use in service.record()["uses"]} != {7}


def test_sessions_do_not_wait_for_each_other(service: Service) -> None:
    with service.session() as one, service.session() as other:
        for cursor in (one, other):
            cursor.execute("BEGIN")
        for cursor in (one, other):
            cursor.execute(EXPIRED)
            cursor.execute(COUNT)
        # At the same time, the administrator reads and changes the record.
        assert service.noted() == {("SELECT", "memories"), ("DELETE", "memories")}
        service.forget()
    failures: list[BaseException] = []

    def note() -> None:
        try:
            for _ in range(20):
                service.run(COUNT, EXPIRED)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=note) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


@pytest.mark.parametrize(
    "broken",
    [
        "ALTER SEQUENCE tenancy_bridge_used_memories_select MAXVALUE 5",
        "DROP SEQUENCE tenancy_bridge_used_memories_select",
        f"REVOKE ALL ON SEQUENCE tenancy_bridge_used_memories_select FROM {OWNER}",
    ],
)
def test_a_broken_record_breaks_no_statement_and_is_found(server: Server, service: Service, broken: str) -> None:
    (attempt,) = login.unnamed(service.model)
    started = service.record()["now"]
    service.run(attempt["sql"])
    assert evidence.unnoted(service.record(), started) == []
    service.forget()
    server.sql(broken, NAME)
    service.run(COUNT, attempt["sql"])
    assert evidence.unnoted(service.record(), started) == ["SELECT on memories"]


def test_every_name_that_postgresql_accepts_works(server: Server, database: Database) -> None:
    names = ['odd "one"', "line\u2028break", "it's \\ %s", "Capital", "é" * 31]
    tables = [{"name": name, "surrogate_keys": [["id"]], "indexes": [], "sample": {"t": "x"}} for name in names]
    schema = 'the "schema" it\'s'
    database.run(f"CREATE SCHEMA {qualified('x', schema)[4:]} AUTHORIZATION {OWNER}")
    for name in names:
        target = qualified(schema, name)
        database.run(f"CREATE TABLE {target} (id uuid DEFAULT gen_random_uuid() PRIMARY KEY, t text)",
                     f"ALTER TABLE {target} OWNER TO {OWNER}", f"INSERT INTO {target} (t) VALUES ('x')")  # fmt: skip
    source = production_source(NAME) | {"schema": schema, "tables": tables, "functions": [], "views": []}
    database.model = model.parse(source)
    before = database.state()
    assert [item for item in database.migrate() if not item["ok"]] == []
    database.commit()
    assert database.plan() == []
    service = Service(server, database.model)
    with service.session() as cursor:
        for name in names:
            cursor.execute(f"DELETE FROM {qualified(schema, name)} WHERE t = 'y'")
    assert service.noted() == {(command, name) for command in ("SELECT", "DELETE") for name in names}
    assert database.back_to(before) == []
    database.commit()
    assert database.state() == before


def test_every_prefix_of_the_replacement_of_an_earlier_record_converges(database: Database) -> None:
    database.migrate()
    database.commit()
    record_of_earlier(database)
    statements = database.plan()
    assert {item["phase"] for item in statements} == {"bridge"}
    for length in range(0, len(statements) + 1, 3):
        database.run(*(item["sql"] for item in statements[:length]))
        database.run(*(item["sql"] for item in database.plan()))
        assert database.plan() == []
        assert database.value("SELECT to_regclass('tenancy_bridge_used') IS NULL")
        database.roll_back()


def without_oids(state: dict[str, Any]) -> dict[str, Any]:
    """Return a state in which the functions are sorted by name instead of by OID."""
    return {**state, "functions": sorted(state["functions"], key=lambda item: (item["name"], item["identity"]))}


def test_a_partition_that_was_detached_does_not_hold_an_earlier_record(database: Database) -> None:
    database.migrate()
    database.commit()
    record_of_earlier(database)
    database.run(
        "CREATE TABLE gone (customer_id int)",
        f"CREATE POLICY tenancy_bridge_memories ON gone AS RESTRICTIVE USING ({COLUMN} (SELECT tenancy_bridge_note()))",
    )
    carry_out(database, database.plan())
    assert database.plan() == []
    assert database.value("SELECT count(*) FROM pg_policy WHERE polrelid = 'gone'::regclass") == 0


@pytest.mark.parametrize("is_earlier", [False, True], ids=["this form", "an earlier form"])
def test_nothing_is_left_of_the_record(server: Server, database: Database, is_earlier: bool) -> None:
    before = database.state()
    database.migrate()
    database.commit()
    if is_earlier:
        record_of_earlier(database)
    statements = revert.policies(database.state(), database.model)
    database.run(*(item["sql"] for item in statements))
    assert left(database) == 0
    database.roll_back()
    assert database.back_to(before) == []
    assert left(database) == 0
    assert database.state() == before


def left(database: Database) -> int:
    """Return how many of the bridge's objects and settings remain."""
    return int(
        database.value(
            "SELECT (SELECT count(*) FROM pg_policy WHERE starts_with(polname, 'tenancy_bridge'))"
            " + (SELECT count(*) FROM pg_proc WHERE starts_with(proname, 'tenancy_bridge'))"
            " + (SELECT count(*) FROM pg_class WHERE starts_with(relname, 'tenancy_bridge'))"
            " + (SELECT count(*) FROM pg_db_role_setting WHERE setdatabase ="
            " (SELECT oid FROM pg_database WHERE datname = current_database()))"
        )
    )


@pytest.mark.parametrize("is_enforced", [False, True], ids=["with the bridge", "enforced since"])
def test_a_snapshot_with_an_earlier_record_brings_it_in_its_form_of_today(
    server: Server, database: Database, is_enforced: bool
) -> None:
    database.migrate()
    database.commit()
    record_of_earlier(database)
    snapshot = database.state()
    carry_out(database, database.plan())
    if is_enforced:
        carry_out(database, enforce.build(database.state(), database.model))
    assert database.back_to(snapshot) == []
    database.commit()
    assert database.plan() == []
    service = Service(server, database.model)
    service.run(COUNT)
    assert service.noted() == {("SELECT", "memories")}


def test_a_table_that_joined_since_loses_its_part_of_the_record(database: Database) -> None:
    whole = database.model
    database.model = dataclasses.replace(whole, tables=whole.tables[1:])
    database.migrate()
    database.model = whole
    snapshot = database.state()
    database.migrate()
    assert database.back_to(snapshot) == []
    assert database.value("SELECT count(*) FROM pg_class WHERE starts_with(relname, 'tenancy_bridge_used')") == 16


def test_enforcing_is_rolled_back_beside_rows_of_a_second_tenant(
    server: Server, database: Database, service: Service
) -> None:
    server.sql(insert("caller_profiles", {"customer_id": 2, "user_id": "+1"}), NAME)
    before = database.state()
    statements = enforce.build(before, database.model)
    carry_out(database, statements)
    with service.session() as cursor:
        cursor.execute(COUNT)
        assert cursor.fetchone() == (0,)
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            cursor.execute(PROFILE)
    assert database.back_to(before, lone=False) == []
    database.commit()
    assert without_oids(database.state()) == without_oids(before)
    assert database.plan() == []
    service.run(COUNT, PROFILE)
    assert service.noted() == {("SELECT", "memories"), ("INSERT", "caller_profiles")}
    with service.session() as cursor:
        cursor.execute("SELECT DISTINCT customer_id FROM caller_profiles")
        assert cursor.fetchall() == [(1,)]


def test_the_setting_that_is_given_again_brings_the_record(
    server: Server, database: Database, service: Service
) -> None:
    server.sql(insert("caller_profiles", {"customer_id": 2, "user_id": "+1"}), NAME)
    carry_out(database, enforce.build(database.state(), database.model))
    assert database.plan() == []
    server.sql(f"ALTER ROLE {OWNER} IN DATABASE {NAME} SET app.current_tenant = '01'")
    carry_out(database, database.plan())
    service.run(COUNT)
    assert service.noted() == {("SELECT", "memories")}


@pytest.mark.parametrize("tenant", ["1", "01"], ids=["names its tenant", "names none"])
def test_the_record_costs_a_statement_little(database: Database, tenant: str) -> None:
    database.migrate()
    database.commit()
    loop = (
        "DO $$ BEGIN FOR i IN 1..500 LOOP PERFORM user_id FROM caller_profiles WHERE user_id = '+1' LIMIT 1; "
        "END LOOP; END $$"
    )
    removal = [item["sql"] for item in bridge_record.plan_remove(database.state(), database.model)]
    best = {"with": float("inf"), "without": float("inf")}
    # The two cases alternate, so that other load slows both down. Only the fastest time of each case counts.
    for _ in range(15):
        for case, statements in (("with", []), ("without", removal)):
            database.run(*statements, f"SET LOCAL ROLE {OWNER}; SET LOCAL app.current_tenant = '{tenant}'", loop)
            began = time.perf_counter()
            database.run(loop)
            best[case] = min(best[case], time.perf_counter() - began)
            database.roll_back()
    # The measured ratios were 1.25 (the record takes 1.3 of 6 microseconds) and 1.5.
    assert best["with"] / best["without"] < 2.5, best
