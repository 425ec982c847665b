"""Runs with a fault at a chosen task, and the invariants that must be true afterwards."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from lab import MIGRATE, ROOT, ROWS, TABLES, Host, Run
from service import schema

# Whether to test all faults, or the same sample in every run.
ALL = os.environ.get("FAULTS") == "all"
PLUGINS = ROOT / "molecule/faults/callback_plugins"
PROBE = "+15550000000-runbook"
T = TypeVar("T")


def sampled(numbered: Sequence[T]) -> T:
    """Return the item that a run tests: the middle item, which is the same on every host and worker."""
    return numbered[len(numbered) // 2]


def on(machine: Host, command: str) -> str:
    """Return the command line that runs ``command`` on the host as root, and does not wait for it to end."""
    detached = f"sudo systemd-run --quiet --collect sh -c {shlex.quote(command)}"
    return shlex.join([*machine.ssh, detached])


def harmed(machine: Host, at: str, command: str = "", *arguments: str, tasks: str = "") -> Run:
    """Run migrate.yml with a fault before the task ``at``, or without a fault if ``at`` is empty.

    The fault is that ``command`` runs on this machine or, if there is no command, that the run is killed. The run
    appends the names of its tasks to the file ``tasks``.
    """
    run = Run(
        machine.name, "migrate.yml", "-emigrate_confirm=YES", "-emigrate_rehearse=none", *arguments,
        variables={
            "ANSIBLE_CALLBACK_PLUGINS": str(PLUGINS), "ANSIBLE_CALLBACKS_ENABLED": "fault",
            "FAULT_AT": at, "FAULT_COMMAND": command, "FAULT_TASKS": tasks,
        },
    )  # fmt: skip
    run.wait()
    # The fault may have cut the connection to the host.
    deadline = time.monotonic() + 30
    while "reached" not in machine.run("echo reached", check=False):
        assert time.monotonic() < deadline, "the host is unreachable"
        time.sleep(0.5)
    return run


def task_names(machine: Host, *arguments: str) -> list[str]:
    """Run a migration without a fault, and return the names of its tasks, in order."""
    with tempfile.NamedTemporaryFile("r") as file:
        run = harmed(machine, "", "", *arguments, tasks=file.name)
        assert run.returncode == 0, run.output
        return file.read().splitlines()


def hashes(machine: Host) -> dict[str, Any]:
    """Return the row count and the hash of every tenant table, without the tenant column and the smoke test's rows."""
    values = "sum(hashtextextended((to_jsonb(t) - 'customer_id')::text, 0)::numeric)::text"
    return {
        table: machine.sql(
            f"SELECT count(*), {values} FROM {table} AS t WHERE user_id <> %s OR user_id IS NULL", (PROBE,)
        )
        for table in TABLES
    }


class Before:
    """The invariants of a run with a fault: either the old or the new schema, every row, and no permanent leftovers."""

    def __init__(self, machine: Host, new: str) -> None:
        """Record the host's current state; ``new`` is the schema of a migrated database."""
        self.machine = machine
        self.old, self.new = schema(machine), new
        self.rows = hashes(machine)
        self.untouched = machine.untouched()

    def assert_held(self) -> bool:
        """Assert that the service and the data are complete, and return whether anything has changed."""
        self.assert_served()
        self.assert_whole()
        return self.machine.untouched() != self.untouched or bool(self.machine.lock())

    def assert_served(self) -> None:
        """Wait until the run's sessions have ended, and assert that the service is running or will be started."""
        self._wait_for_sessions()
        if self.machine.service_pid() == 0:
            assert self.machine.failsafe_armed(), "the service is down and nothing will start it"
            # This command does what the timer would do after fifteen minutes.
            self.machine.run("sudo systemctl start ai-memory")
        self.machine.wait_until_healthy()

    def assert_whole(self) -> None:
        """Assert that the schema is exactly the old or the new one, and that every row exists."""
        assert schema(self.machine) in (self.old, self.new), "neither the old schema nor the new one"
        assert hashes(self.machine) == self.rows, "rows were lost or changed"

    def assert_finished_by_another_run(self) -> None:
        """Assert that the next run ends with SUCCESS and the new schema, and removes what the fault left behind."""
        machine = self.machine
        run = machine.playbook(*MIGRATE, "-emigrate_break_lock=true")
        assert run.record["outcome"] == "SUCCESS"
        assert schema(machine) == self.new
        assert hashes(machine) == self.rows
        assert machine.rows() == ROWS, "the runbook's own rows are left"
        assert machine.databases() == set()
        assert machine.lock() == ""
        assert not machine.failsafe_armed()
        assert [path for path in machine.backups() if not path.endswith("Z")] == []
        machine.run("test ! -e /home/operator/.tenancy-copy")
        assert machine.healthy()

    def _wait_for_sessions(self) -> None:
        """Wait until the sessions that the run left behind have ended."""
        query = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'tenancy runbook'"
        deadline = time.monotonic() + 600
        while True:
            with contextlib.suppress(Exception):
                if self.machine.sql(query, database="postgres") == [(0,)]:
                    return
            assert time.monotonic() < deadline, "a session of the harmed run does not end"
            time.sleep(0.3)


@contextlib.contextmanager
def slow_policies(machine: Host, seconds: int = 1) -> Iterator[None]:
    """Slow down every CREATE POLICY, so that a fault can hit the transaction."""
    body = f"BEGIN PERFORM pg_sleep({seconds}); END"
    machine.sql(f"CREATE FUNCTION slow() RETURNS event_trigger LANGUAGE plpgsql AS '{body}'")
    machine.sql("CREATE EVENT TRIGGER slow ON ddl_command_start WHEN TAG IN ('CREATE POLICY') EXECUTE FUNCTION slow()")
    try:
        yield
    finally:
        machine.sql("DROP EVENT TRIGGER slow")
        machine.sql("DROP FUNCTION slow()")


def note(machine: Host, kind: str, seconds: float, outcome: str) -> None:
    """Append a line to the file in FAULTS_RECORD, if this environment variable is set."""
    path = os.environ.get("FAULTS_RECORD")
    if path:
        with Path(path).open("a") as file:
            line = {"host": machine.name, "kind": kind, "seconds": round(seconds, 1), "outcome": outcome}
            file.write(json.dumps(line) + "\n")
