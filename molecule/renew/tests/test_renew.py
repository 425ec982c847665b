"""The sessions of the running service are renewed without an effect on callers, whatever is killed meanwhile."""

from __future__ import annotations

import contextlib
import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from conftest import CODE, DIRECTORY, GUNICORN, before, callers, served, wait_for_workers, workers
from lab import Host, meanwhile
from loaded import load

TWO = f"{GUNICORN} --workers 2 boot:app"
RELOADS = "ExecReload=/bin/kill -HUP $MAINPID\nRestart=on-failure\nRestartSec=0"
HANGUP = ["systemctl", "kill", "--kill-whom=main", "--signal=HUP", "ai-memory"]
READ = {
    "unit": "ai-memory", "url": "http://127.0.0.1:8100", "timeout": 20, "database": "ai_memory", "port": 5432,
    "user": "postgres",
    "names": {"column": "customer_id", "setting": "app.current_tenant", "tables": ["memories"]},
}  # fmt: skip


def renewed(machine: Host, **arguments: Any) -> dict[str, Any]:
    """Renew the sessions, and return the module's result."""
    return machine.module("service_renew", unit="ai-memory", **arguments)


def read_through_each(machine: Host, path: str, rounds: int = 200, **request: Any) -> dict[str, Any]:
    """Send a read request through each worker, and return the module's result."""
    wanted = {"name": "read", "path": path, **request}
    return machine.module("service_read_workers", **READ, rounds=rounds, request=wanted)


def inspected(machine: Host, **arguments: Any) -> dict[str, Any]:
    """Inspect the host, and return whether and how the sessions can be renewed."""
    found = machine.module(
        "inspect_host", **{name: READ[name] for name in ("unit", "database", "port", "user")}, schema="public",
        tables=["memories"], health_url="http://127.0.0.1:8100/health", queries=[], asked_at=0,
        backup_directory="/var/backups", lock="/run/tenancy-ai_memory.lock", **arguments,
    )  # fmt: skip
    renewal: dict[str, Any] = found["renewal"]
    return renewal


@contextlib.contextmanager
def beside(machine: Host, program: str) -> Iterator[int]:
    """Run another program in the unit's control group, and yield its PID."""
    given = (
        "import os, time\n"
        "url = open('/run/beside.env').read().split('DATABASE_URL=')[1].splitlines()[0].strip('\"')\n"
        f"{program}\nopen('/tmp/beside', 'w')\ntime.sleep(600)\n"
    )
    machine.run(f"sudo install -o ai-memory -m 0600 /dev/stdin {CODE}/beside.py", given=given)
    machine.run("sudo install -o ai-memory -m 0600 /opt/ai-memory/.env /run/beside.env; sudo rm -f /tmp/beside")
    become = "setpriv --reuid=ai-memory --regid=ai-memory --init-groups"
    pid = int(machine.run(f"sudo sh -c '{become} python3 {CODE}/beside.py > /dev/null 2>&1 < /dev/null & echo $!'"))
    try:
        group = machine.run("systemctl show --property=ControlGroup --value ai-memory").strip()
        machine.run(f"echo {pid} | sudo tee /sys/fs/cgroup/systemd{group}/cgroup.procs")
        machine.run("until test -e /tmp/beside; do sleep 0.1; done")
        yield pid
    finally:
        machine.run(f"sudo kill {pid}; sudo rm -f /tmp/beside /run/beside.env")


def state(machine: Host) -> dict[str, Any]:
    """Return the state of the renewal, or {} if there is none."""
    text = machine.run(f"sudo cat {DIRECTORY}/state.json", check=False)
    found: dict[str, Any] = json.loads(text) if text else {}
    return found


def wait_for_phase(machine: Host, phase: str, over: Callable[[], bool] = lambda: False) -> None:
    """Wait until a new renewal reaches a phase, or until ``over`` returns true."""
    deadline, first = time.monotonic() + 120, state(machine).get("id")
    while not over() and ((found := state(machine)).get("id") == first or found.get("phase") != phase):
        assert time.monotonic() < deadline, found


def expect(done: dict[str, Any], way: str, count: int) -> None:
    """Assert that the renewal with the result ``done`` used ``way``, and replaced all ``count`` workers."""
    assert (done.get("way"), done.get("workers"), done.get("renewed")) == (way, count, count), done


@pytest.fixture(scope="module")
def two(machine: Host) -> Iterator[None]:
    """Serve with two workers."""
    with served(machine, TWO, RELOADS):
        yield


@pytest.fixture(scope="module")
def one(machine: Host) -> Iterator[None]:
    """Serve with one worker."""
    with served(machine, f"{GUNICORN} --workers 1 boot:app", "Restart=on-failure\nRestartSec=0"):
        yield


@pytest.mark.usefixtures("one")
def test_no_request_fails_while_the_only_worker_is_replaced(machine: Host) -> None:
    old = workers(machine)
    with callers(machine) as requests:
        expect(renewed(machine), "gunicorn", 1)
        new = workers(machine)
    assert (requests.failed, requests.reset, requests.made > 20) == ([], [], True)
    assert (len(new), set(new) & set(old)) == (1, set())


@pytest.mark.usefixtures("one")
@pytest.mark.wide
def test_no_request_is_lost_while_a_busy_worker_is_replaced(machine: Host) -> None:
    # At this rate, the worker is often handling a request when a renewal pauses it, and connections wait until a worker
    # accepts them.
    with load(machine, 100) as sent:
        for _ in range(16):
            expect(renewed(machine), "gunicorn", 1)
    # On a busy machine, one worker cannot carry this load. Responses are then late, but no connection is reset.
    failures = [request["failed"] for request in sent.requests if request["failed"]]
    assert [failure for failure in failures if "no answer within" not in failure] == []
    assert sent.summary["wrong"] == 0


@pytest.mark.usefixtures("one")
@pytest.mark.wide
def test_a_worker_that_boots_late_restores_the_number(machine: Host) -> None:
    machine.run("touch /tmp/hold")
    before(machine, "while in_service and os.path.exists('/tmp/hold'): time.sleep(0.1)")
    old = workers(machine)
    with callers(machine) as requests:
        done = renewed(machine, seconds=20)
        assert "does not serve after 20 s. The old workers still serve." in done["msg"], done
        assert set(old) < set(workers(machine))
        machine.run("rm /tmp/hold")
        wait_for_workers(machine, lambda found: len(found) == 1 and found != old)
    assert requests.failed == []


@pytest.mark.usefixtures("one")
def test_a_worker_that_boots_in_the_trial_alone_is_told(machine: Host) -> None:
    # gunicorn repeatedly restarts a worker that fails like this, so the old worker must stay.
    old = workers(machine)
    before(machine, "if in_service: time.sleep(1); os._exit(9)")
    with callers(machine) as requests:
        done = renewed(machine)
        assert "ended before it served. The old workers still serve" in done["msg"], done
        assert old[0] in workers(machine)
        # The number of workers is restored as soon as a new worker boots.
        before(machine, "")
        wait_for_workers(machine, lambda found: len(found) == 1 and found != old)
    assert requests.failed == []


@pytest.mark.usefixtures("one")
@pytest.mark.wide
def test_a_service_that_a_worker_stopped_is_started(machine: Host) -> None:
    # gunicorn stops the whole service if a worker exits with status 3.
    machine.run("sudo rm -f /tmp/booted")
    before(machine, "if in_service and not os.path.exists('/tmp/booted'):\n"
                    "    open('/tmp/booted', 'w')\n    raise RuntimeError('broken')")  # fmt: skip
    done = renewed(machine)
    before(machine, "")
    assert "ended during the renewal, and it runs again: see" in done["msg"], done
    machine.wait_until_healthy()
    wait_for_workers(machine, lambda found: len(found) == 1)


@pytest.mark.usefixtures("two")
@pytest.mark.wide
def test_no_connection_is_reset_whose_request_is_still_under_way(machine: Host) -> None:
    # With these pauses, an old worker always has some connections without a request.
    with callers(machine, rate=40, pause=0.05) as requests:
        for _ in range(3):
            expect(renewed(machine), "gunicorn", 2)
    assert requests.failed == []
    assert len(requests.reset) <= 1, requests.reset


@pytest.mark.usefixtures("two")
def test_workers_that_a_killed_renewal_left_paused_continue_before_they_end(machine: Host) -> None:
    old = workers(machine)
    seen: list[str] = []

    def look_while_the_first_new_worker_boots(over: threading.Event) -> None:
        wait_for_phase(machine, "adding", over.is_set)
        seen.extend(machine.run(f"ps -o stat= -p {','.join(map(str, old))}").split())

    machine.run(f"sudo kill -STOP {' '.join(map(str, old))}")
    with meanwhile(look_while_the_first_new_worker_boots):
        expect(renewed(machine), "gunicorn", 2)
    # T is the state of a paused process.
    assert (len(seen), [state for state in seen if state.startswith("T")]) == (2, [])


@pytest.mark.usefixtures("two")
@pytest.mark.wide
def test_every_kill_of_the_renewal_is_survived(machine: Host) -> None:
    killed: list[Any] = []

    def kill_at_every_step(over: threading.Event) -> None:
        wait_for_phase(machine, "steady", over.is_set)
        while not over.is_set():
            found = state(machine)
            step = (found.get("phase"), found.get("tried"), len(workers(machine)))
            if step not in killed:
                killed.append(step)
                machine.run("sudo systemctl kill --signal=KILL --kill-whom=main ai-memory-renewal", check=False)

    old = workers(machine)
    with callers(machine) as requests, meanwhile(kill_at_every_step):
        expect(renewed(machine), "gunicorn", 2)
    assert requests.failed == []
    assert {step[0] for step in killed} == {"steady", "adding", "removing"}
    assert not set(wait_for_workers(machine, lambda found: len(found) == 2)) & set(old)


@pytest.mark.usefixtures("two")
def test_a_lost_call_is_finished_and_the_next_one_renews_again(machine: Host) -> None:
    old = workers(machine)
    with callers(machine) as requests:
        # The SSH connection is lost, and the module is killed.
        lost = subprocess.Popen(
            ["ansible", machine.name, "--become", "-maimemory.tenancy.service_renew", "-aunit=ai-memory"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        wait_for_phase(machine, "adding")
        machine.run("sudo kill -KILL $(pgrep --full --exact '/usr/bin/python3[.0-9]*')")
        lost.kill()
        lost.wait()
        expect(renewed(machine), "gunicorn", 2)
    assert requests.failed == []
    assert not set(wait_for_workers(machine, lambda found: len(found) == 2)) & set(old)


@pytest.mark.usefixtures("two")
@pytest.mark.parametrize(
    "program",
    [
        "raise RuntimeError('broken')",
        pytest.param("os._exit(9)", marks=pytest.mark.wide),
        pytest.param("time.sleep(60)", marks=pytest.mark.wide),
    ],
    ids=["error", "exit", "slow"],
)
def test_a_worker_that_cannot_boot_is_told_before_any_worker_ends(machine: Host, program: str) -> None:
    old = workers(machine)
    before(machine, program)
    with callers(machine) as requests:
        done = renewed(machine, seconds=5)
    before(machine, "")
    assert "A new worker of ai-memory.service does not boot: a trial worker" in done["msg"], done
    assert (requests.failed, workers(machine)) == ([], old)


@pytest.mark.usefixtures("two")
def test_each_worker_is_read_through(machine: Host) -> None:
    found = read_through_each(machine, "/memory/retrieve", method="POST", body={"user_id": "+15550000000"})
    assert (found.get("workers"), found.get("unproven")) == (workers(machine), ""), found
    assert found["requests"] >= 2
    failed = read_through_each(machine, "/memory/retrieve", method="POST", body={})
    assert ' answered read with an error: HTTP 200 {"success":false' in failed["msg"], failed
    # A request for this path runs no database statement.
    unproven = read_through_each(machine, "/openapi.json", rounds=3)
    assert " requests do not prove that " in unproven["unproven"], unproven
    assert "reads with its new session." in unproven["unproven"], unproven


@pytest.mark.usefixtures("two")
def test_a_session_that_a_renewal_would_leave_is_named(machine: Host) -> None:
    assert inspected(machine) == {"way": "gunicorn", "workers": 2, "obstacle": "", "invalid": ""}
    assert inspected(machine, renew="reload") == {"way": "reload", "workers": 2, "obstacle": "", "invalid": ""}
    assert inspected(machine, renew="restart")["obstacle"] == "service_renew is restart."
    with beside(machine, "import psycopg2\nsession = psycopg2.connect(url)") as pid:
        found = inspected(machine)
    assert found["obstacle"].endswith(f"is not a gunicorn worker also has a database session (python3 {pid}).")
    # Another process without a session is an obstacle only if its connections cannot be read.
    with beside(machine, ""):
        assert inspected(machine)["obstacle"] == ""
    with beside(machine, "import ctypes\nctypes.CDLL(None).prctl(4, 0)"):
        found = inspected(machine)
    said = "ai-memory.service runs a process whose sessions neither root nor its user can read"
    assert found["obstacle"].startswith(said)


@pytest.mark.usefixtures("two")
@pytest.mark.parametrize(
    ("way", "more"),
    [("reload", {}), pytest.param("command", {"command": HANGUP}, marks=pytest.mark.wide)],
    ids=["reload", "command"],
)
def test_the_operators_own_way_is_used(machine: Host, way: str, more: dict[str, Any]) -> None:
    old = workers(machine)
    expect(renewed(machine, way=way, **more), way, 2)
    assert not set(workers(machine)) & set(old)


@pytest.mark.usefixtures("two")
def test_a_master_that_is_killed_is_told(machine: Host) -> None:
    def kill_it(over: threading.Event) -> None:
        wait_for_phase(machine, "adding", over.is_set)
        machine.run("sudo kill -KILL $(systemctl show --property=MainPID --value ai-memory)")

    with meanwhile(kill_it):
        done = renewed(machine)
    assert "The main process of ai-memory.service ended during the renewal, and it runs again" in done["msg"], done
    machine.wait_until_healthy()
    wait_for_workers(machine, lambda found: len(found) == 2)


def test_a_service_that_changes_its_directory_is_renewed(machine: Host) -> None:
    machine.run("sudo mkdir -p /opt/ai-memory/src")
    try:
        with served(machine, f"{GUNICORN} -w 1 --chdir src --pythonpath {CODE},/opt/ai-memory boot:app"):
            old = workers(machine)
            expect(renewed(machine), "gunicorn", 1)
            assert not set(workers(machine)) & set(old)
    finally:
        machine.run("sudo rmdir /opt/ai-memory/src")


@pytest.mark.wide
def test_a_wrapped_and_preloaded_service_is_renewed(machine: Host) -> None:
    with served(machine, f"/bin/sh -c 'true; {GUNICORN} -w 2 --preload boot:app; true'"):
        old = machine.run("pgrep -f 'boot:[a]pp'").split()
        with callers(machine) as requests:
            expect(renewed(machine), "gunicorn", 2)
        new = machine.run("pgrep -f 'boot:[a]pp'").split()
    assert requests.failed == []
    assert (len(new), len(set(new) & set(old))) == (len(old), len(old) - 2)


@pytest.mark.wide
def test_a_session_of_the_main_process_is_named(machine: Host) -> None:
    # The workers inherit this session from the main process.
    before(machine, "import psycopg2\nkept = psycopg2.connect(os.environ['DATABASE_URL'])")
    with served(machine, f"{GUNICORN} -w 2 --preload boot:app"):
        found = inspected(machine)
        pid = machine.service_pid()
        failed = renewed(machine)
        before(machine, "")
    assert f"The main process of gunicorn in ai-memory.service ({pid}) has a database session" in found["obstacle"]
    # A renewal cannot detect inherited sessions. The check in the transaction finds them.
    expect(failed, "gunicorn", 2)
