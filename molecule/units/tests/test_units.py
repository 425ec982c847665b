"""A service stops together with the units that can start it, and starts together with the units that stopped."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from conftest import installed, states
from lab import MIGRATE, Host, meanwhile
from service import a_login, assert_works_in_full

pytestmark = pytest.mark.wide

UNIT = "ai-memory.service"
CALL = {
    "database": "ai_memory", "port": 5432, "user": "postgres", "unit": UNIT,
    "health_url": "http://127.0.0.1:8100/health", "health_timeout": 60,
}  # fmt: skip
ALIVE = "SELECT pid, backend_start FROM pg_stat_activity WHERE usename = 'alice' AND datname = 'ai_memory'"


def transaction(*statements: str) -> dict[str, Any]:
    """Return a transaction with these statements, as the module's argument."""
    made = [
        {"id": str(number), "table": "", "phase": "column", "sql": sql, "checks": []}
        for number, sql in enumerate(statements)
    ]
    return {"begin": [], "tables": {}, "counts": {}, "checks": [], "statements": made, "proof": None, "seconds": 120}


def cutover(machine: Host, **arguments: Any) -> dict[str, Any]:
    """Run the call that stops the service, changes its database and starts it."""
    return machine.module("cutover", **CALL | arguments)


def unit_info(machine: Host, unit: str) -> dict[str, Any]:
    """Return the facts about a unit that a run collects before it starts."""
    found = machine.module(
        "inspect_host", **CALL | {"unit": unit.removesuffix(".service")}, schema="public", tables=["memories"],
        queries=[], asked_at=0,
        backup_directory="/var/backups", lock="/run/tenancy-ai_memory.lock",
    )  # fmt: skip
    unit_found: dict[str, Any] = found["unit"]
    return unit_found


def wait_until_down(machine: Host) -> None:
    """Wait until the call has stopped the service."""
    deadline = time.monotonic() + 600
    while machine.service_pid() != 0:
        assert time.monotonic() < deadline
        time.sleep(0.2)


def wait_for_the_transaction(machine: Host) -> None:
    """Wait until the call has stopped the service and is in its transaction."""
    sleeping = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%'"
    deadline = time.monotonic() + 600
    while machine.sql(sleeping, database="postgres") == [(0,)]:
        assert time.monotonic() < deadline
        time.sleep(0.2)


@pytest.fixture
def served(machine: Host) -> Iterator[None]:
    """Start and end with a running service."""
    machine.run("sudo systemctl start ai-memory")
    machine.wait_until_healthy()
    yield
    machine.run("sudo systemctl start ai-memory")
    machine.wait_until_healthy()


@pytest.mark.sample
def test_an_instance_of_a_template_is_migrated_with_its_socket_and_its_companion(
    machine: Host, instance: tuple[str, ...]
) -> None:
    def ask(over: threading.Event) -> None:
        """Act as a caller whose connection would start the service."""
        while not over.wait(0.3):
            machine.healthy()

    pids = machine.run(f"systemctl show --property=MainPID --value {' '.join(instance[1:])}").split()
    with meanwhile(ask):
        run = machine.playbook(*MIGRATE, "-eservice_name=aimem@8100")
    assert run.record["outcome"] == "SUCCESS"
    assert (
        "NOTE aimem@8100.socket would start aimem@8100.service: the run stops it first, and starts it again"
        in run.words
    )
    assert "NOTE aimem-worker.service would stop with aimem@8100.service: the run starts it again." in run.words
    # No connection through the socket reached the service.
    assert "was started while" not in run.words
    assert states(machine, instance) == ["active"] * 3
    assert not set(pids) & set(
        machine.run(f"systemctl show --property=MainPID --value {' '.join(instance[1:])}").split()
    )
    assert any(" aimem@8100.service[" in line for line in run.record["journal"]["lines"])
    assert "failsafe" not in machine.run("systemctl list-timers --all")
    assert_works_in_full(machine)


def test_the_failsafe_brings_back_all_that_a_lost_run_stopped(machine: Host, instance: tuple[str, ...]) -> None:
    arm = {"unit": instance[1], "state": "armed", "seconds": 600}
    armed = machine.module("service_failsafe", **arm)
    assert armed["timer"] == r"aimem\x408100-failsafe.timer"
    assert (armed["triggers"], armed["companions"]) == ([instance[0]], [instance[2]])
    stopped = machine.module("cutover", **CALL | {"unit": instance[1], "triggers": armed["triggers"], "stop": True})
    assert "msg" not in stopped, stopped
    assert states(machine, instance) == ["inactive"] * 3
    # That run is lost, and another run starts. The armed timer still starts the units that the lost run stopped.
    again = machine.module("service_failsafe", **arm | {"seconds": 1})
    assert (again["triggers"], again["companions"]) == ([instance[0]], [instance[2]])
    machine.wait_until_healthy()
    deadline = time.monotonic() + 20
    while states(machine, instance) != ["active"] * 3:
        assert time.monotonic() < deadline, states(machine, instance)
        time.sleep(0.5)


@pytest.mark.usefixtures("served")
def test_a_service_that_starts_in_the_transaction_is_restarted(machine: Host) -> None:
    def start_it(over: threading.Event) -> None:
        """Start the unit during the transaction, and make it open a session."""
        wait_until_down(machine)
        machine.run("sudo systemctl start ai-memory")
        machine.wait_until_healthy(20)
        assert machine.sql(ALIVE) != []

    before = machine.service_pid()
    with meanwhile(start_it):
        done = cutover(
            machine, stop=True, start="started", roles=["alice"],
            transaction=transaction(
                "SELECT pg_sleep(20)", "CREATE TABLE public.committed AS SELECT clock_timestamp() AS at"
            ),
        )  # fmt: skip
    assert done.get("msg") is None
    assert done["came_up"] is True
    assert machine.service_pid() not in (0, before)
    assert machine.healthy()
    (committed,) = machine.sql("SELECT at FROM committed")[0]
    machine.sql("DROP TABLE committed")
    sessions = machine.sql(ALIVE)
    assert sessions
    assert [pid for pid, began in sessions if began <= committed] == []


@pytest.mark.usefixtures("served")
def test_another_session_of_its_login_that_is_older_than_the_change_is_ended(machine: Host) -> None:
    with contextlib.ExitStack() as stack:

        def log_in(over: threading.Event) -> None:
            wait_for_the_transaction(machine)
            stack.enter_context(a_login(machine)).execute("SELECT 1")

        with meanwhile(log_in):
            done = cutover(
                machine, stop=True, start="started", roles=["alice"], transaction=transaction("SELECT pg_sleep(20)")
            )
        assert (done["came_up"], done["ended"]) == (False, ["alice"])


@pytest.mark.wide
def test_nested_logins_leave_pg_hba_unchanged(machine: Host) -> None:
    before = machine.run("sudo cat $(sudo -u postgres psql -Atc 'SHOW hba_file')")
    with a_login(machine), a_login(machine):
        pass
    assert machine.run("sudo cat $(sudo -u postgres psql -Atc 'SHOW hba_file')") == before


@pytest.mark.usefixtures("served")
def test_a_service_that_was_not_stopped_is_not_said_to_have_come_up(machine: Host) -> None:
    before = machine.service_pid()
    done = cutover(machine, start="started")
    assert (done["came_up"], machine.service_pid()) == (False, before)
    # An earlier call stopped the service, and a transaction has been committed since.
    done = cutover(machine, start="started", stopped_before=True, roles=["alice"])
    assert done["came_up"] is True
    assert machine.service_pid() not in (0, before)


@pytest.mark.usefixtures("served")
def test_a_process_of_the_unit_that_is_left_is_named_and_another_application_is_not(machine: Host) -> None:
    left = "KillMode=process\nExecStartPost=/bin/sh -c '/bin/sleep 321 & exit 0'"
    machine.run("cp /bin/sleep /tmp/gunicorn; setsid /tmp/gunicorn 300 > /dev/null 2>&1 < /dev/null & true")
    try:
        assert "msg" not in cutover(machine, stop=True, start="started")
        with machine.drop_in(left):
            machine.run("sudo systemctl restart ai-memory")
            machine.wait_until_healthy()
            assert "(KillMode=process)" in str(unit_info(machine, UNIT)["notes"])
            failed = cutover(machine, stop=True, transaction=transaction("SELECT 1"), start="started")
            assert "ai-memory.service was stopped, but some of its processes still run: " in failed["msg"]
            assert failed["msg"].endswith(" /bin/sleep 321")
            assert failed["durations"] == []
            # A process that remains from an earlier stop is also found.
            assert failed["msg"] == cutover(machine, stop=True)["msg"]
    finally:
        machine.run("pkill -f '^/tmp/gunicorn'; rm /tmp/gunicorn; sudo pkill -f '^/bin/sleep 321' || true")


@pytest.mark.usefixtures("served")
def test_starts_that_systemd_counts_are_not_refused(machine: Host) -> None:
    directory = "/run/systemd/system/ai-memory.service.d"
    machine.run(f"sudo mkdir -p {directory}; sudo tee {directory}/limit.conf", given=(
        "[Unit]\nStartLimitBurst=1\nStartLimitIntervalSec=1h\n"
    ))  # fmt: skip
    machine.run("sudo systemctl daemon-reload; sudo systemctl restart ai-memory")
    try:
        for _ in range(2):
            done = cutover(machine, stop=True, start="started")
            assert "msg" not in done, done
    finally:
        machine.run(
            f"sudo rm {directory}/limit.conf; sudo systemctl daemon-reload; sudo systemctl reset-failed ai-memory"
        )


GUARD = "[Unit]\nUpholds=ai-memory.service\n[Service]\nExecStart=/bin/sleep infinity\n"


@pytest.mark.usefixtures("served")
@pytest.mark.parametrize(
    ("files", "then", "undo", "sentence"),
    [
        (
            {}, "sudo systemctl mask --runtime ai-memory", "sudo systemctl unmask --runtime ai-memory",
            " is masked, so systemd",
        ),
        (
            {},
            ("sudo mkdir -p /run/systemd/system/ai-memory.service.d;"
            " printf '[Unit]\\nRefuseManualStop=yes\\n' | sudo tee /run/systemd/system/ai-memory.service.d/refuse.conf;"
            " sudo systemctl daemon-reload"),
            "sudo rm /run/systemd/system/ai-memory.service.d/refuse.conf; sudo systemctl daemon-reload",
            " cannot be stopped manually (RefuseManualStop=yes)",
        ),
        (
            {"guard.service": GUARD}, "sudo systemctl start guard", "sudo systemctl stop guard",
            "guard.service starts ai-memory.service again whenever it is stopped",
        ),
    ],
    ids=["masked", "refuses", "upheld"],
)  # fmt: skip
def test_what_systemd_would_not_do_is_told_before_anything_is_touched(
    machine: Host, files: dict[str, str], then: str, undo: str, sentence: str
) -> None:
    with installed(machine, files) if files else contextlib.nullcontext():
        machine.run(then)
        try:
            before = machine.untouched()
            run = machine.playbook("migrate.yml", "-emigrate_confirm=YES", check=False)
            assert sentence in run.words
            assert run.record["failure"]["phase"] == "preflight"
            assert machine.untouched() == before
        finally:
            machine.run(undo)


def test_a_unit_that_is_gone_once_it_is_stopped_is_told(machine: Host) -> None:
    machine.run("sudo systemd-run --quiet --unit=passing sleep infinity")
    try:
        found = unit_info(machine, "passing.service")
        assert "passing.service was created by systemd-run and disappears when it stops" in json.dumps(
            found["obstacles"]
        )
    finally:
        machine.run("sudo systemctl stop passing")


@pytest.mark.usefixtures("served")
@pytest.mark.parametrize(
    ("settings", "missing"),
    [
        ("ExecStart=\nExecStart=gunicorn --bind 127.0.0.1:8100 app:app", ""),
        ("ExecSearchPath=/usr/bin\nExecStart=\nExecStart=gunicorn --bind 127.0.0.1:8100 app:app", ""),
        ("ExecStartPre=-/gone/bin/prepare", ""),
        ("ExecStart=\nExecStart=/gone/bin/gunicorn app:app", "/gone/bin/gunicorn cannot be run"),
        ("WorkingDirectory=/gone", "its working directory /gone is missing"),
        ("User=gone", "the user gone does not exist"),
    ],
    ids=["by-name", "by-name-in-a-path", "may-fail", "program", "directory", "user"],
)
def test_what_a_start_needs_is_looked_for_where_systemd_does(machine: Host, settings: str, missing: str) -> None:
    with machine.drop_in(settings):
        found = unit_info(machine, "ai-memory.service")["obstacles"]
    assert [missing in text for text in found] == ([True] if missing else [])
    # The remedy: the unit file is correct again, and systemd has loaded it.
    assert unit_info(machine, "ai-memory.service")["obstacles"] == []
