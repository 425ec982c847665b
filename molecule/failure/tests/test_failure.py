"""A migration that fails partway through leaves the database unchanged and the service running."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import psycopg2.extras
import pytest

from lab import INVENTORIES, MIGRATE, PLUGINS, ROWS, Host, Run, copied_checkout, typed
from service import assert_works_in_full, faulty_release, schema

pytestmark = pytest.mark.wide

HOLD = "-emigrate_on_failure=hold"
IMPATIENT = ("-eservice_health_timeout=2", "-eservice_health_request_timeout=2")


def test_a_planner_that_leaks_commits_nothing(machine: Host, tmp_path: Path) -> None:
    """The policy's predicate is broken in a copy of the checkout, and the proof stops the transaction."""
    model = copied_checkout(tmp_path) / PLUGINS / "plugin_utils/model/model.py"
    strict = 'f"{identifier(self.column)} = (SELECT'
    assert strict in model.read_text()
    model.write_text(model.read_text().replace(strict, 'f"customer_id = 1 OR {identifier(self.column)} = (SELECT'))
    catalogs, pid = machine.catalogs(), machine.service_pid()
    run = Run(machine.name, *MIGRATE, checkout=tmp_path)
    run.wait()
    assert run.returncode != 0
    assert run.record["failure"]["phase"] == "apply"
    assert "memories.read.default: A tenant reads rows of the default tenant" in run.record["failure"]["message"]
    assert "Database: unchanged, nothing was committed." in run.words
    assert machine.catalogs() == catalogs
    assert machine.service_pid() not in (0, pid)
    assert_works_in_full(machine)


@pytest.fixture
def visitor(machine: Host) -> Iterator[None]:
    """Keep another client connected."""
    with contextlib.closing(machine.connect()) as connection, connection.cursor() as cursor:
        cursor.execute("SET application_name = 'nightly report'")
        yield


@pytest.mark.sample
@pytest.mark.usefixtures("one_row_refuses")
def test_a_failing_row_rolls_everything_back(machine: Host) -> None:
    catalogs, pid = machine.catalogs(), machine.service_pid()
    with typed("YES") as terminal:
        run = Run(machine.name, "migrate.yml", "-emigrate_rehearse=none", terminal=terminal)
        run.wait()
    assert run.returncode != 0
    assert machine.catalogs() == catalogs
    assert machine.rows() == ROWS
    assert machine.service_pid() not in (0, pid)
    assert not machine.failsafe_armed()
    assert_works_in_full(machine)
    assert run.record["outcome"] == "FAILED"
    assert run.record["failure"]["phase"] == "apply"
    assert "one_row" in run.record["failure"]["message"]
    assert "- Status: FAILED" in run.log
    assert "Database: unchanged, nothing was committed." in run.words
    assert "Service: ai-memory responds again." in run.words


def test_another_client_is_named_before_anything_is_stopped(machine: Host, visitor: None) -> None:
    catalogs, pid = machine.catalogs(), machine.service_pid()
    run = machine.playbook(*MIGRATE, check=False)
    assert run.record["failure"]["phase"] == "plan"
    for words in (run.words, machine.playbook("migrate.yml", "--check").words):
        assert "operator nightly report local idle" in words
        assert "-e service_terminate_clients=true" in words
    assert machine.catalogs() == catalogs
    assert machine.service_pid() == pid


def test_a_client_that_comes_at_the_stop_is_named_and_the_service_comes_back(machine: Host) -> None:
    catalogs = machine.catalogs()
    client = "systemd-run --unit=late-client runuser -u postgres -- psql ai_memory -c 'SELECT pg_sleep(600)'"
    connected = "until pgrep --full '^postgres: .*postgres ai_memory .local. SELECT'; do sleep 0.1; done"
    with machine.drop_in(f'ExecStopPost=+/bin/sh -c "{client}; {connected}"'):
        try:
            run = machine.playbook(*MIGRATE, check=False)
        finally:
            machine.run("sudo systemctl stop late-client", check=False)
    assert run.record["failure"]["phase"] == "stop"
    assert "postgres psql local active" in run.words
    assert "-e service_terminate_clients=true" in run.words
    assert machine.catalogs() == catalogs
    assert machine.healthy()


@pytest.fixture
def copying(machine: Host) -> Iterator[None]:
    """Keep a replication connection in an open transaction, as a subscriber's initial copy does."""
    with contextlib.closing(psycopg2.connect(
        machine.connect().dsn, connection_factory=psycopg2.extras.LogicalReplicationConnection
    )) as connection, connection.cursor() as cursor:  # fmt: skip
        cursor.execute("BEGIN READ ONLY ISOLATION LEVEL REPEATABLE READ")
        cursor.execute("SELECT FROM public.memories LIMIT 1")
        yield


def test_a_subscribers_copy_is_named_before_anything_is_stopped_and_never_ended(machine: Host, copying: None) -> None:
    catalogs, pid = machine.catalogs(), machine.service_pid()
    run = machine.playbook(*MIGRATE, "-eservice_terminate_clients=true", check=False)
    assert run.record["failure"]["phase"] == "plan"
    for words in (run.words, machine.playbook("migrate.yml", "--check").words):
        assert "walsender" in words
        assert "hold locks on tables of ai_memory" in words
    assert machine.catalogs() == catalogs
    assert machine.service_pid() == pid


def test_a_process_that_is_left_is_named_and_the_service_comes_back(machine: Host) -> None:
    machine.reset()
    catalogs = machine.catalogs()
    with machine.drop_in("KillMode=process\nExecStartPost=/bin/sh -c '/bin/sleep 321 & exit 0'"):
        machine.run("sudo systemctl restart ai-memory")
        machine.wait_until_healthy()
        try:
            run = machine.playbook(*MIGRATE, check=False)
        finally:
            machine.run("sudo pkill -f '^/bin/sleep 321'", check=False)
    assert run.record["failure"]["phase"] == "stop"
    assert "ai-memory.service was stopped, but some of its processes still run: " in run.words
    assert "/bin/sleep 321" in run.words
    assert machine.catalogs() == catalogs
    assert machine.healthy()


def test_an_error_in_the_journal_fails_the_run(machine: Host, visitor: None) -> None:
    end_clients = "-eservice_terminate_clients=true"
    run = machine.playbook(
        *MIGRATE, end_clients, '-e{"service_journal_failure_patterns": ["language model"]}', check=False
    )
    assert "Ended: operator" in run.words
    assert run.record["failure"]["phase"] == "journal"
    assert "The journal shows failures of the database" in run.words
    assert run.record["outcome"] == "PARTIAL"


def test_a_service_that_logs_elsewhere_is_not_said_to_log_no_errors(machine: Host) -> None:
    machine.reset()
    with machine.drop_in("StandardOutput=null\nStandardError=null"):
        run = machine.playbook(*MIGRATE, check=False)
    assert run.record["failure"]["phase"] == "journal"
    assert "The journal has no line from ai-memory itself since the start" in run.words
    assert run.record["outcome"] == "PARTIAL"


def test_a_service_that_fails_after_the_start_gets_the_original_schema(machine: Host) -> None:
    machine.reset()
    before = schema(machine)
    with faulty_release(machine):
        run = machine.playbook(*MIGRATE, check=False)
        assert run.record["outcome"] == "FAILED"
        assert run.record["failure"]["phase"] == "start"
    assert "Database: the change was committed and then rolled back." in run.words
    assert "Service: ai-memory responds again." in run.words
    assert schema(machine) == before
    assert machine.rows() == ROWS
    assert not machine.failsafe_armed()
    assert_works_in_full(machine)


def test_a_failure_after_the_commit_is_partial(machine: Host) -> None:
    machine.reset()
    with faulty_release(machine):
        run = machine.playbook(*MIGRATE, HOLD, check=False)
    assert run.record["outcome"] == "PARTIAL"
    assert run.record["failure"]["phase"] == "start"
    assert "Database: the change is committed" in run.words
    inventories = " ".join(f"-i {inventory}" for inventory in INVENTORIES)
    assert f"ansible-playbook {inventories} -l {machine.name} rollback.yml -e rollback_mode=policies" in run.words
    assert machine.healthy()
    assert not machine.failsafe_armed()
    assert machine.rows() == ROWS
    machine.playbook("playbooks/verify.yml")


def test_a_service_that_stays_unhealthy_is_reported(machine: Host) -> None:
    machine.reset()
    with faulty_release(machine, "/health"):
        run = machine.playbook(*MIGRATE, HOLD, *IMPATIENT, check=False)
        assert run.record["outcome"] == "PARTIAL"
        assert "DOES NOT RESPOND" in run.words
        # It is unknown whether the service works, so the timer that starts it remains armed.
        assert machine.failsafe_armed()
        machine.run("sudo systemctl stop ai-memory-failsafe.timer")
