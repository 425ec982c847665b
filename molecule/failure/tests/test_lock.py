"""Only one run at a time: a second operator sees who holds the lock, and how to break a lost run's lock."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import time
from collections.abc import Iterator

import pytest

from faults import slow_policies
from lab import MIGRATE, Host, Run

pytestmark = pytest.mark.wide

BACKUP = ("playbooks/backup.yml", "-ebackup_test_restore=false", "-ebackup_copy_max_bytes=0")
BREAK = "-emigrate_break_lock=true"
HOLDER = r"\S+ on \S+, run \d{8}T\d{6}Z-\w+ \(migrate\), since [0-9-]+ [0-9:]+ UTC"


@contextlib.contextmanager
def someone_thinking(machine: Host) -> Iterator[tuple[Run, int]]:
    """Yield a run that waits for the operator's YES, and the terminal on which the operator types."""
    keyboard, terminal = pty.openpty()
    run = Run(machine.name, "migrate.yml", terminal=terminal)
    try:
        deadline = time.monotonic() + 600
        while not machine.lock():
            assert time.monotonic() < deadline
            time.sleep(0.2)
        yield run, keyboard
    finally:
        run.kill()
        os.close(keyboard)
        os.close(terminal)


def test_the_second_is_told_who_holds_it_and_a_lost_run_s_lock_can_be_broken(machine: Host) -> None:
    with someone_thinking(machine):
        before, holder = machine.untouched(), machine.lock()
        for playbook in ("migrate.yml", "playbooks/backup.yml", "playbooks/rehearse.yml"):
            run = machine.playbook(playbook, "-emigrate_confirm=YES", check=False)
            assert re.search(rf"Another run uses ai_memory: {HOLDER}\. Wait until it has ended\.", run.words)
            assert "If that run is lost, add -e migrate_break_lock=true." in run.words
            assert run.record["failure"]["phase"] == "lock"
        # A dry run does not need the lock.
        assert (
            f"NOTE Another run uses this database, or was lost: {holder}."
            in machine.playbook("migrate.yml", "--check").words
        )
        assert machine.untouched() == before
        assert machine.lock() == holder
    # The run has been killed, but its lock remains.
    assert machine.lock() == holder
    assert f"Broke the lock of {holder}" in machine.playbook(*BACKUP, BREAK).words
    assert machine.lock() == ""


def test_it_is_not_broken_while_a_session_of_the_run_is_alive(machine: Host) -> None:
    machine.run("sudo ln -s 'someone, since yesterday' /run/tenancy-ai_memory.lock")
    with contextlib.closing(machine.connect()) as connection, connection.cursor() as cursor:
        cursor.execute("SET application_name = 'tenancy runbook'")
        cursor.execute("SELECT pg_backend_pid()")
        (pid,) = cursor.fetchone()
        before = machine.untouched()
        run = machine.playbook(*BACKUP, BREAK, check=False)
        assert (
            f"The lock of someone, since yesterday is not stale: a session of a run still exists, process {pid} in"
            in run.words
        )
        assert f"terminate it with SELECT pg_terminate_backend({pid})." in run.words
        assert machine.untouched() == before
        assert machine.lock() == "someone, since yesterday"
    machine.playbook(*BACKUP, BREAK)


def test_a_run_that_fails_releases_the_lock(machine: Host) -> None:
    run = machine.playbook("migrate.yml", "-emigrate_confirm=no", check=False)
    assert run.record["failure"]["phase"] == "confirm"
    assert machine.lock() == ""


def test_a_run_does_not_release_the_lock_of_another(machine: Host) -> None:
    with someone_thinking(machine) as (run, keyboard):
        machine.run("sudo ln -sfn 'someone else' /run/tenancy-ai_memory.lock")
        while run.process.poll() is None:
            os.write(keyboard, b"no\r")
            time.sleep(0.5)
    assert machine.lock() == "someone else"
    machine.run("sudo rm /run/tenancy-ai_memory.lock")


@pytest.fixture
def slow_transaction(machine: Host) -> Iterator[None]:
    """Make the transaction take longer than another run needs to request the lock, even on a busy machine."""
    with slow_policies(machine, seconds=8):
        yield


@pytest.mark.usefixtures("slow_transaction")
def test_it_is_not_broken_while_the_transaction_outlives_the_laptop(machine: Host) -> None:
    alive = (
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'tenancy runbook' AND query LIKE 'CREATE POL%'"
    )
    run = Run(
        machine.name, "migrate.yml", "-emigrate_confirm=YES", "-emigrate_rehearse=none", "-ebackup_test_restore=false"
    )
    deadline = time.monotonic() + 600
    while machine.sql(alive, database="postgres") == [(0,)]:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    run.kill()
    refused = machine.playbook(
        "migrate.yml", "-emigrate_confirm=YES", BREAK, "-epreflight_require_active=false", check=False
    )
    assert "is not stale: a session of a run still exists, process " in refused.words
    while machine.sql("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'tenancy runbook'") != [(0,)]:
        assert time.monotonic() < deadline
        time.sleep(0.5)
    # The transaction has committed in the meantime.
    assert machine.rows("customer_id = 1") == machine.rows()
    machine.run("sudo systemctl start ai-memory")
    machine.wait_until_healthy()
    machine.playbook("playbooks/verify.yml")
    machine.playbook(*BACKUP, BREAK)


def test_a_lost_run_that_fails_when_it_is_finished_says_how_to_go_back(machine: Host) -> None:
    machine.reset()
    machine.playbook(*MIGRATE)
    machine.run("sudo ln -s 'someone, since yesterday' /run/tenancy-ai_memory.lock")
    run = machine.playbook(*MIGRATE, BREAK, '-e{"service_journal_failure_patterns": ["language model"]}', check=False)
    assert [phase["name"] for phase in run.record["phases"]][-3:] == ["start", "verify", "journal"]
    assert run.record["failure"]["phase"] == "journal"
    assert "Database: an earlier run migrated it; see the commands below." in run.words
    assert "Service: ai-memory responds again." in run.words
    for mode in ("policies", "schema", "restore"):
        assert any(command.endswith(f"rollback.yml -e rollback_mode={mode}") for command in run.record["commands"])
    assert "playbooks/verify.yml" in run.record["commands"][0]
