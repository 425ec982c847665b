"""The laptop is lost between stop and start: the server starts the service by itself."""

from __future__ import annotations

import time

import pytest

from lab import MIGRATE, ROWS, Host, Run

SECONDS = 20
ARGUMENTS = (*MIGRATE, f'-e{{"service_failsafe_seconds": {SECONDS}}}')
UNTIL_STOPPED = 'until [ "$(systemctl is-active ai-memory)" = inactive ]; do sleep 0.1; done'


def assert_complete(machine: Host) -> None:
    """The transaction left the old or the new schema, and a second run finishes the work."""
    assert machine.rows() == ROWS
    migrated = machine.sql(
        "SELECT count(*) FROM information_schema.columns WHERE column_name = 'customer_id' AND table_schema = 'public'"
    )[0][0]
    assert migrated in (0, 5)
    machine.playbook(*ARGUMENTS, "-emigrate_break_lock=true")
    machine.playbook("playbooks/verify.yml")


@pytest.mark.one_host
def test_the_run_is_killed(machine: Host) -> None:
    run = Run(machine.name, *ARGUMENTS)
    machine.run(UNTIL_STOPPED)
    run.kill()
    assert not machine.healthy()
    assert machine.failsafe_armed()
    machine.wait_until_healthy()
    assert "Did not finish" in run.log
    assert "- Status: FAILED" in run.log
    assert_complete(machine)


@pytest.mark.one_host
def test_the_connection_is_cut(machine: Host) -> None:
    machine.reset()
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
    assert "SUCCESS" not in run.log
    assert_complete(machine)
