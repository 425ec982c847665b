"""A migration that fails in the middle leaves the database as it was and the service running."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import INVENTORIES, MIGRATE, ROOT, ROWS, Host, Run, typed
from service import assert_works_in_full, schema

pytestmark = pytest.mark.by_turns

HOLD = "-emigrate_on_failure=hold"


def test_a_planner_that_leaks_commits_nothing(machine: Host, tmp_path: Path) -> None:
    """The predicate is broken by hand in a copy of the checkout: the proof stops the transaction."""
    for name in ("ansible.cfg", "migrate.yml", "playbooks", "roles", "files", "inventory"):
        source, target = ROOT / name, tmp_path / name
        shutil.copytree(source, target) if source.is_dir() else shutil.copy(source, target)
    (tmp_path / ".lab").symlink_to(ROOT / ".lab")
    model = tmp_path / "playbooks/collections/ansible_collections/aimemory/tenancy/plugins/module_utils/model.py"
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


@pytest.mark.usefixtures("one_row_refuses")
def test_a_failing_row_rolls_everything_back(machine: Host) -> None:
    catalogs, pid = machine.catalogs(), machine.service_pid()
    with typed("YES") as terminal:
        run = Run(machine.name, "migrate.yml", terminal=terminal)
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
    assert "Service: ai-memory answers again." in run.words


def test_another_client_is_named_and_the_service_comes_back(machine: Host, visitor: None) -> None:
    catalogs = machine.catalogs()
    run = machine.playbook(*MIGRATE, check=False)
    assert run.record["failure"]["phase"] == "stop"
    assert "operator nightly report local idle" in run.words
    assert "-e service_terminate_clients=true" in run.words
    assert machine.catalogs() == catalogs
    assert machine.healthy()


def test_a_process_that_is_left_is_named_and_the_service_comes_back(machine: Host) -> None:
    machine.run("cp /bin/sleep /tmp/gunicorn; setsid /tmp/gunicorn 300 > /dev/null 2>&1 < /dev/null & true")
    try:
        catalogs = machine.catalogs()
        run = machine.playbook(*MIGRATE, check=False)
        assert "but gunicorn still runs" in run.words
        assert "/tmp/gunicorn 300" in run.words
        assert machine.catalogs() == catalogs
        assert machine.healthy()
    finally:
        machine.run("pkill -f '^/tmp/gunicorn'; rm /tmp/gunicorn")


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
    assert "The journal has no line of ai-memory itself since the start" in run.words
    assert run.record["outcome"] == "PARTIAL"


def test_a_service_that_does_not_work_with_it_brings_the_schema_of_before_back(machine: Host) -> None:
    machine.reset()
    before = schema(machine)
    run = machine.playbook(*MIGRATE, '-e{"service_smoke_retrieve_path": "/memory/nothing"}', check=False)
    assert run.record["outcome"] == "FAILED"
    assert run.record["failure"]["phase"] == "start"
    assert "Database: what was committed was taken back again." in run.words
    assert "Service: ai-memory answers again." in run.words
    assert schema(machine) == before
    assert machine.rows() == ROWS
    assert not machine.failsafe_armed()
    assert_works_in_full(machine)


def test_a_failure_after_the_commit_is_partial(machine: Host) -> None:
    machine.reset()
    run = machine.playbook(*MIGRATE, HOLD, '-e{"service_smoke_retrieve_path": "/memory/nothing"}', check=False)
    assert run.record["outcome"] == "PARTIAL"
    assert run.record["failure"]["phase"] == "start"
    assert "Database: the change is committed" in run.words
    inventories = " ".join(f"-i {inventory}" for inventory in INVENTORIES)
    assert f"ansible-playbook {inventories} -l {machine.name} rollback.yml -e rollback_mode=policies" in run.words
    assert machine.healthy()
    assert not machine.failsafe_armed()
    assert machine.rows() == ROWS
    machine.playbook("playbooks/verify.yml")


def test_a_service_that_stays_ill_is_said_so(machine: Host) -> None:
    machine.reset()
    ill = ("-eservice_health_path=/ill", "-eservice_health_timeout=2")
    run = machine.playbook(*MIGRATE, HOLD, *ill, check=False)
    assert run.record["outcome"] == "PARTIAL"
    assert "DOES NOT ANSWER" in run.words
    # Nobody knows whether the service works, so the timer that starts it stays armed.
    assert machine.failsafe_armed()
    machine.run("sudo systemctl stop ai-memory-failsafe.timer")
