"""After any number of online steps, the next run completes the migration, and a rollback restores the old schema."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

import pytest
from psycopg2.errors import QueryCanceled

from lab import MIGRATE, OWNER, TABLES, Host, Run, meanwhile
from planner import Database, State, committed
from rows import METRICS, insert
from service import assert_works_in_full, callers, schema

ONLINE = (*MIGRATE, "-etenancy_strategy=online")
# Without this option, a connected client would end the run before its first step.
END_CLIENTS = "-eservice_terminate_clients=true"
BUILDS = (
    "SELECT count(*) FROM pg_stat_activity"
    " WHERE application_name = 'tenancy runbook' AND query LIKE 'CREATE INDEX CONCURRENTLY%'"
)
# A manually added column, in which some rows have no tenant yet.
NULLABLE = (
    "ALTER TABLE memories ADD COLUMN customer_id integer",
    "UPDATE memories SET customer_id = 1 WHERE type = 'fact'",
)
# The number of steps from the unmigrated database, and from a database with the column in NULLABLE.
STEPS = {(): 12, NULLABLE: 14}


@contextlib.contextmanager
def half(machine: Host, start: tuple[str, ...], done: int) -> Iterator[tuple[Database, State, str]]:
    """Yield a database after its first ``done`` steps, its original state, and its original schema."""
    with committed(machine, list(start)) as database:
        before, definition = database.state(), schema(machine, database.model.database)
        if start == NULLABLE:
            # As in every run, the backfill precedes the steps.
            database.backfill("memories")
            database.commit()
        steps = database.steps()
        assert len(steps) == STEPS[start]
        database.carry_out(steps[:done])
        if done < len(steps) and steps[done]["sql"].startswith("CREATE"):
            interrupt(database, steps[done])
        yield database, before, definition


def interrupt(database: Database, build: dict[str, object]) -> None:
    """Start building an index and interrupt the build, so that the index remains invalid."""
    database.commit()
    with database.another() as other:
        # The build waits for this lock, as it would wait for a session that has written to the table.
        other.run(f"LOCK TABLE {str(build['sql']).split(' ON ')[1].split(' (')[0]} IN ROW EXCLUSIVE MODE")
        database.run("SET statement_timeout = '300ms'")
        with pytest.raises(QueryCanceled):
            database.carry_out([build])
        database.run("SET statement_timeout = 0")
        database.commit()


def serves(database: Database) -> bool:
    """Return whether a release without tenants can store rows and change existing ones."""
    database.run(
        f"SET LOCAL ROLE {OWNER}",
        insert("memories", {"user_id": "+1"}),
        *[insert("caller_profiles", {"user_id": "+1"}, end=" ON CONFLICT (user_id) DO UPDATE SET total_calls = 2")] * 2,
        insert("personality_metrics", *METRICS),
    )
    calls = database.value("SELECT total_calls FROM caller_profiles WHERE user_id = '+1'")
    openness = database.value("SELECT avg_openness FROM personality_averages WHERE user_id = '+1'")
    database.roll_back()
    return (calls, openness) == (2, 50)


@pytest.fixture(scope="module")
def whole(machine: Host) -> str:
    """Return the schema of a database that was migrated in one transaction."""
    with committed(machine, []) as database:
        database.migrate()
        database.commit()
        return named(schema(machine, database.model.database), database)


def named(definition: str, database: Database) -> str:
    """Return a schema with the real names instead of the names of the copied database and of the tests' role."""
    return definition.replace(database.model.database, "ai_memory").replace("operator", "postgres")


@pytest.mark.by_turns
@pytest.mark.parametrize(
    ("start", "done"), [(start, done) for start, steps in STEPS.items() for done in range(steps + 1)]
)
def test_a_run_that_stopped_there_is_finished(machine: Host, whole: str, start: tuple[str, ...], done: int) -> None:
    with half(machine, start, done) as (database, before, _):
        assert serves(database)
        database.carry_out(database.steps())
        assert database.steps() == []
        assert serves(database)
        database.migrate()
        assert database.plan() == []
        assert database.failures(before) == []
        database.commit()
        assert named(schema(machine, database.model.database), database) == whole


@pytest.mark.by_turns
@pytest.mark.parametrize(
    ("start", "done"), [(start, done) for start, steps in STEPS.items() for done in range(steps + 1)]
)
def test_a_run_that_stopped_there_is_rolled_back(machine: Host, start: tuple[str, ...], done: int) -> None:
    with half(machine, start, done) as (database, before, definition):
        assert database.back_to(before) == []
        database.commit()
        assert schema(machine, database.model.database) == definition


@pytest.mark.by_turns
def test_an_autovacuum_that_is_at_work_is_no_deadlock(machine: Host) -> None:
    with half(machine, (), STEPS[()]) as (database, before, _), database.another() as other:
        # This session acts like an autovacuum: it holds a lock on the table, and waits for a session that has changed
        # the table's catalog entry.
        other.run("LOCK TABLE memories IN SHARE UPDATE EXCLUSIVE MODE")
        with meanwhile(lambda over: change_the_entry(machine, other)):
            database.migrate()
        assert database.failures(before) == []


def change_the_entry(machine: Host, other: Database) -> None:
    """Change the catalog entry of the table memories as soon as a session waits for a lock on the table."""
    deadline = time.monotonic() + 20
    while (
        machine.sql(
            "SELECT 1 FROM pg_locks WHERE relation = 'memories'::regclass AND NOT granted",
            database=other.model.database,
        )
        == []
    ):
        assert time.monotonic() < deadline, "no session waits for a lock on the table"
    other.run("ALTER TABLE memories SET (fillfactor = 100)")
    other.roll_back()


def test_callers_are_served_until_the_short_transaction(machine: Host, whole: str) -> None:
    machine.reset()
    user = "+15550006666"
    with callers(machine, user) as confirmed:
        run = machine.playbook(*ONLINE)
    assert run.record["strategy"] == "online"
    names = [phase["name"] for phase in run.record["phases"]]
    assert names.index("expand") < names.index("stop")
    # The rows that the steps rewrite do not count as callers' writes.
    assert all(table["written"] is None or table["written"] < 1000 for table in run.record["written"])
    assert len(run.record["online_steps"]) == STEPS[()]
    assert schema(machine) == whole
    stored = machine.sql("SELECT value_json ->> 'text' FROM memories WHERE user_id = %s", (user,))
    assert len(confirmed) > 20
    assert set(confirmed) <= {text for (text,) in stored}
    assert_works_in_full(machine)


@contextlib.contextmanager
def session(machine: Host, statement: str) -> Iterator[None]:
    """Keep a transaction open in which ``statement`` has run."""
    with contextlib.closing(machine.connect()) as connection:
        connection.autocommit = False
        connection.cursor().execute(statement)
        yield
        connection.rollback()


@pytest.mark.wide
def test_a_lock_that_is_not_free_ends_the_run_and_the_next_goes_on(machine: Host, whole: str) -> None:
    machine.reset()
    pid = machine.service_pid()
    with session(machine, "LOCK TABLE call_summaries IN ACCESS SHARE MODE"):
        run = machine.playbook(*ONLINE, "-etenancy_online_attempts=3", END_CLIENTS, check=False)
    assert run.record["failure"]["phase"] == "expand"
    message = run.record["failure"]["message"]
    assert message.startswith("call_summaries.column: its lock was not free within 20 ms in any of 3 attempts; pid ")
    assert "(operator, no application name) has had a transaction open since" in message
    assert message.endswith("1 of 12 steps are done.")
    assert run.record["aftermath"][0].startswith("Database: 1 of the online steps are done")
    assert "Nothing was changed" not in run.words
    assert machine.service_pid() == pid
    assert_works_in_full(machine)
    again = machine.playbook(*ONLINE)
    assert len(again.record["online_steps"]) == STEPS[()] - 1
    assert schema(machine) == whole


@pytest.mark.wide
def test_no_index_is_built_beside_a_long_transaction(machine: Host) -> None:
    machine.reset()
    before = schema(machine)
    waits = ("-etenancy_online_transaction_seconds=1", "-etenancy_online_patience_seconds=2")
    with session(machine, "SELECT 1"):
        run = machine.playbook(*ONLINE, *waits, END_CLIENTS, check=False)
    message = run.record["failure"]["message"]
    assert message.startswith("memories.index.user_id: after 2 s there is still an obstacle: pid ")
    assert message.endswith("5 of 12 steps are done.")
    assert_works_in_full(machine)
    machine.playbook("rollback.yml", "-erollback_mode=schema", "-erollback_confirm=YES")
    assert schema(machine) == before


@pytest.mark.wide
def test_a_laptop_that_is_lost_during_a_build_loses_nothing(machine: Host, whole: str) -> None:
    machine.reset()
    pid = machine.service_pid()
    for table in TABLES:
        machine.sql(f"ALTER TABLE {table} ADD COLUMN customer_id integer NOT NULL DEFAULT 1")
    with session(machine, "LOCK TABLE memories IN ROW EXCLUSIVE MODE"):
        run = Run(machine.name, *ONLINE, END_CLIENTS, "-etenancy_online_transaction_seconds=600")
        deadline = time.monotonic() + 600
        while machine.sql(BUILDS) == [(0,)]:
            assert time.monotonic() < deadline, "no index build has started"
            time.sleep(0.2)
        run.kill()
        assert machine.service_pid() == pid
        other = machine.playbook(*ONLINE, "-emigrate_break_lock=true", check=False)
        assert "a session of a run still exists" in other.words
    deadline = time.monotonic() + 30
    while machine.sql("SELECT 1 FROM pg_stat_activity WHERE application_name = 'tenancy runbook'"):
        assert time.monotonic() < deadline, "the session of the lost run does not end"
        time.sleep(0.2)
    machine.playbook(*ONLINE, "-emigrate_break_lock=true")
    assert schema(machine) == whole


@pytest.mark.wide
def test_auto_is_online_where_there_is_much_and_says_so(machine: Host) -> None:
    machine.reset()
    said = "While ai-memory is running (12 of "
    assert said in machine.playbook("migrate.yml", "--check", "-etenancy_online_rows=6000").words
    assert said not in machine.playbook("migrate.yml", "--check").words


@pytest.mark.wide
def test_auto_is_online_where_a_rehearsal_took_too_long(machine: Host, whole: str) -> None:
    machine.reset()
    run = machine.playbook(*MIGRATE, "-emigrate_rehearse=full", "-etenancy_max_downtime=0")
    assert (run.record["rehearsal"]["strategy"], run.record["strategy"]) == ("atomic", "online")
    assert "That is longer than tenancy_max_downtime (0 s): the strategy is now online." in run.words
    assert schema(machine) == whole


@pytest.mark.wide
def test_the_online_way_is_rehearsed_in_full(machine: Host) -> None:
    machine.reset()
    untouched = machine.catalogs()
    run = machine.playbook("playbooks/rehearse.yml", "-etenancy_strategy=online")
    assert run.record["rehearsal"]["strategy"] == "online"
    assert machine.catalogs() == untouched
