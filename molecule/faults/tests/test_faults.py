"""After any fault, the data is complete, the schema is either the old or the new one, and the next run completes the
work."""

from __future__ import annotations

import contextlib
import shlex
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import pytest

from faults import ALL, Before, harmed, note, on, sampled, slow_policies, task_names
from lab import MIGRATE, Host
from service import schema

pytestmark = pytest.mark.one_host

QUICK = MIGRATE[2:]
SMALL = "/mnt/small"
THROWAWAY = f"{SMALL}/tenancy-throwaway-ai_memory"
UNIT = "/etc/systemd/system/ai-memory.service.d"
CUT_AT_ONCE = "systemctl stop ssh; pkill -KILL sshd; sleep 8; systemctl start ssh"
CUT = f"sleep 2; {CUT_AT_ONCE}"
CODE = "/opt/ai-memory/app.py"
PSQL = "sudo -u postgres psql --no-psqlrc --quiet --dbname=ai_memory --command"
# A replication session does not stop the run, because it does not count as a client.
REPLICA = "sudo -u postgres psql --no-psqlrc --quiet --dbname='dbname=ai_memory replication=database' --command"
END_SESSIONS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'tenancy runbook'"


@dataclass(frozen=True)
class Migrated:
    """The tasks of an undisturbed run, and the schema after it."""

    tasks: list[str]
    schema: str

    def number(self, name: str) -> int:
        """Return the number of the first task whose name contains ``name``, counted from 1."""
        return next(number for number, task in enumerate(self.tasks, 1) if name in task)


@pytest.fixture(scope="module")
def migrated(machine: Host) -> Migrated:
    """Migrate the host, and return the run's tasks and the resulting schema."""
    machine.reset()
    return Migrated(task_names(machine), schema(machine))


@pytest.fixture(scope="module")
def migrated_quickly(machine: Host, migrated: Migrated) -> Migrated:
    """Migrate the host again, with the options in QUICK, and return the run's tasks and the schema."""
    machine.reset()
    return Migrated(task_names(machine, *QUICK), migrated.schema)


def kill_at(machine: Host, usual: Migrated, numbers: list[int], *arguments: str) -> None:
    """Kill a run before each numbered task. Assert the invariants, and that the next run completes the work."""
    failures, before = [], None
    for number in numbers:
        started, name, outcome = time.monotonic(), usual.tasks[number - 1], "held"
        try:
            if before is None:
                machine.reset()
                before = Before(machine, usual.schema)
            run = harmed(machine, str(number), "", *arguments)
            assert run.returncode < 0, f"the run was not killed:\n{run.output}"
            # If the host is unchanged, no further run is needed.
            if before.assert_held():
                before.assert_finished_by_another_run()
                before = None
        except AssertionError as error:
            failures.append(f"killed before task {number} ({name}): {error}")
            outcome, before = str(error)[:300], None
        note(machine, f"kill {number} {name}", time.monotonic() - started, outcome)
    assert failures == []


def chosen(numbers: range) -> list[int]:
    """Return the numbers of the tasks before which runs are killed: all with FAULTS=all, otherwise one."""
    return list(numbers) if ALL else [sampled(numbers)]


def test_a_run_that_is_killed_before_the_stop_is_finished_by_the_next(machine: Host, migrated: Migrated) -> None:
    first = 1 if ALL else migrated.number("take | Take the lock")
    kill_at(machine, migrated, chosen(range(first, migrated.number("cutover | Record what was committed"))))


def test_a_run_that_is_killed_after_it_is_finished_by_the_next(machine: Host, migrated_quickly: Migrated) -> None:
    usual = migrated_quickly
    kill_at(
        machine,
        usual,
        chosen(range(usual.number("cutover | Record what was committed"), len(usual.tasks) + 1)),
        *QUICK,
    )


@contextlib.contextmanager
def database_on_a_small_disk(machine: Host) -> Iterator[None]:
    """Move the database into a tablespace on a small separate file system."""
    machine.run(f"sudo install --directory --owner=postgres --mode=0700 {SMALL}/space && sudo systemctl stop ai-memory")
    machine.sql(f"CREATE TABLESPACE small LOCATION '{SMALL}/space'", database="postgres")
    machine.sql("ALTER DATABASE ai_memory SET TABLESPACE small", database="postgres")
    machine.run("sudo systemctl start ai-memory")
    machine.wait_until_healthy()
    try:
        yield
    finally:
        machine.run("sudo systemctl stop ai-memory")
        machine.sql("ALTER DATABASE ai_memory SET TABLESPACE pg_default", database="postgres")
        machine.sql("DROP TABLESPACE small", database="postgres")
        machine.run(f"sudo rm -r {SMALL}/space && sudo systemctl start ai-memory")
        machine.wait_until_healthy()


def unit_command(setting: str) -> str:
    """Return the command that adds a setting to the service's unit."""
    return f"mkdir -p {UNIT}; printf '[Unit]\\n{setting}\\n' > {UNIT}/fault.conf; systemctl daemon-reload"


def fill(rest: str) -> str:
    """Return the command that fills the small disk and leaves only ``rest`` free."""
    return f"cat /dev/zero > {SMALL}/filler 2> /dev/null; truncate --size=-{rest} {SMALL}/filler"


def now(machine: Host, command: str) -> str:
    """Return the command line that runs ``command`` on the host as root and waits until it ends."""
    return shlex.join([*machine.ssh, f"sudo sh -c {shlex.quote(command)}"])


Around = Callable[[Host], AbstractContextManager[None]]


@dataclass(frozen=True)
class Case:
    """One fault: ``command`` returns the command that causes it on this machine, before the task ``at``.

    The run must report ``sentence``, and the failed phase ``phase`` unless it is None. ``around`` is the context of the
    run, and ``mend`` is the command that removes the fault's effects.
    """

    name: str
    at: str
    command: Callable[[Host], str]
    sentence: str
    phase: str | None
    around: Around = lambda machine: nullcontext()
    arguments: tuple[str, ...] = ()
    mend: str = "true"


UNCHANGED = "Database: unchanged, nothing was committed."
ILL = "Service: ai-memory DOES NOT RESPOND. On the server: systemctl status ai-memory"
KEPT_NOTHING = "The backup failed, and nothing was kept"
FULL = "No space left on device"
HELD = "Sessions that the run does not terminate hold locks on"
DUMP, CUTOVER = "take | Dump the database", "cutover | Change the database"
UNDO_UNIT = f"rm -r {UNIT}; systemctl daemon-reload"

CASES = [
    Case("ssh is cut during the dump", DUMP, lambda m: on(m, CUT), "UNREACHABLE", None),
    Case("ssh is cut in the transaction", CUTOVER, lambda m: on(m, CUT), "UNREACHABLE", None, slow_policies),
    Case(
        "postgresql restarts in the transaction", CUTOVER,
        lambda m: on(m, "sleep 3; systemctl restart postgresql"), UNCHANGED, "apply", slow_policies,
    ),
    Case(
        "the backend is ended in the transaction", CUTOVER,
        lambda m: on(m, f'sleep 3; {PSQL} "{END_SESSIONS}"'), UNCHANGED, "apply", slow_policies,
    ),
    Case(
        "the call on the server is killed in the transaction", CUTOVER,
        lambda m: on(m, "sleep 3; pkill -KILL --uid root --exact python3"), UNCHANGED, "cutover", slow_policies,
    ),
    Case(
        "postgresql restarts during the dump", DUMP,
        lambda m: on(m, "sleep 1; systemctl restart postgresql"), KEPT_NOTHING, "backup",
    ),
    Case(
        "the disk is full during the dump", DUMP, lambda m: now(m, fill("3M")), FULL, "backup",
        arguments=(f"-ebackup_directory={SMALL}/backups",), mend=f"rm -r {SMALL}/filler {SMALL}/backups",
    ),
    Case(
        "the disk is full during the test restore", DUMP,
        lambda m: on(m, f"until ls -d {THROWAWAY}; do sleep 0.02; done; {fill('20M')}"), FULL, "backup",
        arguments=(f"-erehearse_directory={SMALL}",), mend=f"rm {SMALL}/filler",
    ),
    Case(
        "the disk is full in the transaction", CUTOVER, lambda m: now(m, fill("0")), FULL, "apply",
        database_on_a_small_disk, mend=f"rm {SMALL}/filler",
    ),
    Case(
        "another session locks a table", CUTOVER,
        lambda m: on(m, f'{REPLICA} "LOCK TABLE call_summaries IN ACCESS SHARE MODE; SELECT pg_sleep(9)"'),
        HELD, "stop",
    ),
    Case(
        "another session has a long transaction", CUTOVER,
        lambda m: on(m, f'{REPLICA} "UPDATE caller_profiles SET total_calls = 0; SELECT pg_sleep(9); SELECT 1/0"'),
        HELD, "stop",
    ),
    Case(
        "the service refuses to stop", CUTOVER,
        lambda m: now(m, unit_command("RefuseManualStop=yes")), "Operation refused", "stop", mend=UNDO_UNIT,
    ),
    Case(
        "the service refuses to start", CUTOVER,
        lambda m: now(m, unit_command("RefuseManualStart=yes")), ILL, "start",
        mend=f"{UNDO_UNIT}; systemctl start ai-memory",
    ),
    Case(
        "the service is never healthy", CUTOVER,
        lambda m: now(m, f"cp -p {CODE} /root/code && sed -i s#/health#/ill# {CODE}"), ILL, "start",
        mend=f"mv /root/code {CODE}; systemctl restart ai-memory",
        arguments=("-eservice_health_timeout=2", "-eservice_health_request_timeout=2"),
    ),
    Case(
        "the service responds with success false", "cutover | Record what was committed",
        lambda m: now(m, f'{PSQL} "REVOKE INSERT ON memories FROM alice"'),
        "Database: the change was committed and then rolled back.", "start",
        mend=f'{PSQL} "GRANT INSERT ON memories TO alice"',
    ),
    Case(
        "the journal shows errors", "read_journal | Read", lambda m: "true",
        "The journal shows failures of the database", "journal",
        arguments=('-e{"service_journal_failure_patterns": ["language model"]}',),
    ),
    Case(
        "the copy is interrupted", "copy_to_laptop | Fetch the archive", lambda m: on(m, CUT_AT_ONCE), "UNREACHABLE",
        None,
    ),
    Case(
        "the copy arrives damaged", "copy_to_laptop | Fetch the archive",
        lambda m: now(m, "truncate --size=-1 /home/operator/.tenancy-copy/backup.tar"),
        "The copy on this machine differs from the backup (SHA-256)", "backup",
    ),
    Case(
        "the log cannot be written", CUTOVER,
        lambda m: "rm -r $LOGS && touch $LOGS", "cannot be written", None,
    ),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name.replace(" ", "-"))
def test_a_harmed_run(machine: Host, migrated: Migrated, case: Case, tmp_path: Path) -> None:
    started = time.monotonic()
    machine.reset()
    logs, copies = tmp_path / "logs", tmp_path / "copies"
    before = Before(machine, migrated.schema)
    with case.around(machine):
        command = case.command(machine).replace("$LOGS", str(logs))
        here = (f"-ereport_directory={logs}", f"-ebackup_copy_directory={copies}")
        run = harmed(machine, case.at, command, *case.arguments, *here)
        try:
            assert run.returncode != 0, run.output
            assert case.sentence in run.words, run.output
            if case.phase:
                assert f"FAILED in phase {case.phase}:" in run.words, run.output
        finally:
            machine.run(f"sudo sh -c {shlex.quote(case.mend)}")
        before.assert_served()
    before.assert_whole()
    before.assert_finished_by_another_run()
    note(machine, case.name, time.monotonic() - started, "held")
