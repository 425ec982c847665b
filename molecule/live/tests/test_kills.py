"""A live migration that is killed at any point does not affect callers, and the next run finishes it."""

from __future__ import annotations

import contextlib
import shlex
import time
from collections.abc import Iterator
from typing import Any

import pytest

from lab import MIGRATE, ROWS, Host
from loaded import Load, load
from renewed import WORKERS, deploy, with_workers, workers

RUN = (*MIGRATE, "-etenancy_strategy=live", "-emigrate_break_lock=true")
HARMED = "/run/test-harmed"
RENEWAL = "ai-memory-renewal.service"
RUNBOOK = "application_name = 'tenancy runbook'"
PSQL = "runuser -u postgres -- psql --no-psqlrc --no-align --tuples-only --quiet --dbname=ai_memory --command"
# Statements that are slowed down, so that a fault can hit them. Callers wait for the second one, but do not time out.
SLOW = {"CREATE INDEX": "%", "CREATE POLICY": "%tenant_isolation_memories%"}
SECONDS = 3


def sleeps(tag: str) -> str:
    """Return a shell command that succeeds while the slow statement ``tag`` runs."""
    return _is_true(
        f"SELECT true FROM pg_stat_activity WHERE {RUNBOOK} AND wait_event = 'PgSleep' AND query LIKE '{tag}%' LIMIT 1"
    )


def _is_true(query: str) -> str:
    return f'[ "$({PSQL} "{query}")" = t ]'


# For each point of a run, a shell command that succeeds once the run has reached it.
POINTS = {
    "expand": sleeps("CREATE INDEX"),
    "bridge": _is_true("SELECT true FROM pg_db_role_setting WHERE 'app.current_tenant=01' = ANY (setconfig) LIMIT 1"),
    "renew": f"systemctl is-active --quiet {RENEWAL}",
    "apply": sleeps("CREATE POLICY"),
    "answer": _is_true("SELECT true FROM pg_policy WHERE polname = 'tenant_isolation_memories' LIMIT 1"),
}
HARMS = {
    "the call on the server is killed": "pkill -KILL --uid root --exact python3",
    "the session is ended": f'{PSQL} "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {RUNBOOK}"',
    "ssh is cut": "systemctl stop ssh; pkill -KILL sshd; sleep 8; systemctl start ssh",
}
KILL, END, CUT = HARMS
# Each run continues from the point at which the previous run was interrupted. After a cut connection, the call on the
# server finishes the change.
CHAINS = [
    (KILL, ["expand", "bridge", "renew", "apply"]), (KILL, ["answer"]), (END, ["expand", "apply"]), (END, ["answer"]),
    (CUT, ["expand", "bridge"]), (CUT, ["renew"]), (CUT, ["apply"]), (CUT, ["answer"]),
]  # fmt: skip


def identity(value: str | list[str]) -> str:
    """Return the part of a test's ID for a fault or for a list of points."""
    return (value if isinstance(value, str) else ", then in ".join(value)).replace(" ", "-")


@contextlib.contextmanager
def slow_statements(machine: Host) -> Iterator[None]:
    """Make the statements in SLOW wait before they start."""
    cases = " OR ".join(f"tg_tag = '{tag}' AND current_query() LIKE '{pattern}'" for tag, pattern in SLOW.items())
    tags = ", ".join(f"'{tag}'" for tag in SLOW)
    machine.sql(
        "CREATE FUNCTION slow() RETURNS event_trigger LANGUAGE plpgsql AS"
        f" $$ BEGIN IF {cases} THEN PERFORM pg_sleep({SECONDS}); END IF; END $$"
    )
    machine.sql(f"CREATE EVENT TRIGGER slow ON ddl_command_start WHEN TAG IN ({tags}) EXECUTE FUNCTION slow()")
    try:
        yield
    finally:
        machine.sql("DROP EVENT TRIGGER slow")
        machine.sql("DROP FUNCTION slow()")


@pytest.fixture
def calls(machine: Host) -> Iterator[Load]:
    """Send requests to a freshly seeded host."""
    with with_workers(machine, WORKERS[machine.name]), load(machine) as found:
        yield found


def harmed_run(machine: Host, point: str, harm: str) -> dict[str, Any] | None:
    """Run the migration, and cause the fault when the run reaches a point. Return the run's record if there is one."""
    machine.run(f"sudo rm --force {HARMED}")
    watch = f"until {POINTS[point]}; do sleep 0.02; done; touch {HARMED}; {HARMS[harm]}"
    machine.run(f"sudo systemd-run --quiet --collect timeout 300 sh -c {shlex.quote(watch)}")
    run = machine.playbook(*RUN, check=None)
    deadline = time.monotonic() + 60
    while "reached" not in machine.run("echo reached", check=False):
        assert time.monotonic() < deadline, "the host is unreachable"
        time.sleep(0.5)
    assert machine.run(f"ls {HARMED}", check=False).strip() == HARMED, run.output
    wait_for_sessions(machine)
    return run.record if run.files() else None


def wait_for_sessions(machine: Host) -> None:
    """Wait until the calls, the sessions and the renewal that the run left behind have ended."""
    deadline = time.monotonic() + 120
    while (
        machine.run(f"systemctl is-active {RENEWAL}", check=False).strip() in ("active", "activating")
        or machine.sql(f"SELECT pid FROM pg_stat_activity WHERE {RUNBOOK}") != []
    ):
        assert time.monotonic() < deadline, "the harmed run does not end"
        time.sleep(0.3)


def assert_unharmed(machine: Host, calls: Load, number: int) -> None:
    """Assert that callers noticed nothing, and that the service has as many workers as before."""
    assert [item for item in calls.so_far() if item["failed"] or item["wrong"]] == []
    deadline = time.monotonic() + 60
    while len(workers(machine)) != number:
        assert time.monotonic() < deadline, f"{len(workers(machine))} workers instead of {number}"
        time.sleep(0.5)
    assert machine.healthy()


def assert_finished(machine: Host, calls: Load, number: int) -> None:
    """Assert that the next run finishes the migration, and that nothing was lost since the load began."""
    record = machine.playbook(*RUN).record
    assert (record["outcome"], record["stopped_at"]) == ("SUCCESS", None)
    assert machine.rows("customer_id = 1 AND (NOT starts_with(user_id, '+1777') OR user_id IS NULL)") == ROWS
    assert machine.lock() == ""
    assert not machine.failsafe_armed()
    time.sleep(2)
    assert_unharmed(machine, calls, number)
    calls.stop()
    calls.assert_faultless(least=500)


@pytest.mark.one_host
def test_both_releases_work_after_a_cutover_that_was_lost(machine: Host, calls: Load) -> None:
    number, pid = len(workers(machine)), machine.service_pid()
    with slow_statements(machine):
        harmed_run(machine, "apply", KILL)
    assert_unharmed(machine, calls, number)
    # The columns, the bridge and the sequences of its usage record exist, but no policy.
    assert machine.sql("SELECT count(*) FROM pg_class WHERE starts_with(relname, 'tenancy_bridge_used')") == [(20,)]
    assert machine.sql("SELECT count(*) FROM pg_policy WHERE polname LIKE 'tenant_isolation_%'") == [(0,)]
    assert machine.sql("SELECT count(*) FROM pg_db_role_setting WHERE 'app.current_tenant=01' = ANY (setconfig)") == [
        (1,)
    ]
    for tenant_aware in (True, False):
        calls.serve(tenant_aware=True)
        deploy(machine, tenant_aware=tenant_aware)
        calls.serve(tenant_aware=tenant_aware)
        time.sleep(10)
        assert_unharmed(machine, calls, number)
    assert_finished(machine, calls, number)
    assert machine.service_pid() == pid


@pytest.mark.every_fault
@pytest.mark.one_host
@pytest.mark.parametrize(("harm", "points"), CHAINS, ids=identity)
def test_the_next_run_finishes_what_was_harmed(machine: Host, calls: Load, harm: str, points: list[str]) -> None:
    number, pid = len(workers(machine)), machine.service_pid()
    with slow_statements(machine):
        for point in points:
            harmed_run(machine, point, harm)
            assert_unharmed(machine, calls, number)
    assert_finished(machine, calls, number)
    assert machine.service_pid() == pid
