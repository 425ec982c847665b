"""If the laptop is lost while the service is stopped, the server completes the work or starts the service itself."""

from __future__ import annotations

import time

import pytest

from faults import slow_policies
from lab import MIGRATE, ROWS, Host, Run

pytestmark = pytest.mark.wide

SECONDS = 20
ARGUMENTS = (*MIGRATE, f'-e{{"service_failsafe_seconds": {SECONDS}}}')
UNTIL_STOPPED = 'until [ "$(systemctl is-active ai-memory)" = inactive ]; do sleep 0.1; done'


def migrated(machine: Host) -> int:
    """Return the number of tables that have the tenant column."""
    columns = "information_schema.columns WHERE column_name = 'customer_id' AND table_schema = 'public'"
    return int(machine.sql(f"SELECT count(*) FROM {columns}")[0][0])


def assert_finished_by_another_run(machine: Host) -> None:
    """Assert that a second run completes the work."""
    assert machine.rows() == ROWS
    machine.playbook(*ARGUMENTS, "-emigrate_break_lock=true")
    machine.playbook("playbooks/verify.yml")


def test_the_run_is_killed_and_the_server_ends_the_work(machine: Host) -> None:
    with slow_policies(machine):
        # The failsafe waits longer than the work takes on a busy machine.
        run = Run(machine.name, *MIGRATE, "-eservice_failsafe_seconds=600")
        machine.run(UNTIL_STOPPED)
        run.kill()
        assert not machine.healthy()
        assert machine.failsafe_armed()
        machine.wait_until_healthy(300)
    # The call that started the service also disarmed the timer, which had not elapsed yet.
    machine.run("timeout 60 sh -c 'while systemctl --quiet is-active ai-memory-failsafe.timer; do sleep 0.2; done'")
    assert migrated(machine) == 5
    assert "run.json in this directory shows the" in run.log
    assert run.record["phases"][-1]["name"] == "cutover"
    assert (run.record["finished"], run.record["outcome"]) == (False, "FAILED")
    assert_finished_by_another_run(machine)


def test_the_run_is_killed_and_its_call_on_the_server_as_well(machine: Host) -> None:
    machine.reset()
    with slow_policies(machine):
        run = Run(machine.name, *ARGUMENTS)
        machine.run(UNTIL_STOPPED)
        run.kill()
        machine.run("sudo pkill -KILL --uid root --exact python3")
        assert not machine.healthy()
        assert machine.failsafe_armed()
        machine.wait_until_healthy()
    assert not machine.failsafe_armed()
    assert migrated(machine) == 0
    assert_finished_by_another_run(machine)


def test_the_connection_is_cut(machine: Host) -> None:
    machine.reset()
    with slow_policies(machine):
        run = Run(machine.name, *ARGUMENTS)
        machine.run(
            f"{UNTIL_STOPPED}; sudo systemd-run --quiet sh -c"
            f" 'systemctl stop ssh; pkill -KILL sshd; sleep {SECONDS - 5}; systemctl start ssh'",
            check=False,
        )
        run.wait()
        assert run.returncode != 0
        time.sleep(SECONDS - 5)
        machine.wait_until_healthy()
    assert migrated(machine) == 5
    assert "SUCCESS" not in run.log
    assert_finished_by_another_run(machine)
