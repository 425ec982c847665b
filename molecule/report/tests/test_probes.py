"""The probes show a restart and a stall as callers experience them, and end if the run is lost. None of these tests
runs a playbook."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from lab import TOKEN_SECRET, Host

pytestmark = pytest.mark.one_host(together=True)

PLACE = "/run/ai-memory-probes"
BASE = "http://127.0.0.1:8100"
CALL = {
    "unit": "ai-memory", "url": BASE, "timeout": 60, "secret": "JWT_SECRET_KEY", "file": "/opt/ai-memory/.env",
    "names": {"column": "customer_id", "setting": "app.current_tenant", "tables": ["memories"]},
    "request": {"name": "GET /v1/memories", "path": "/v1/memories?limit=5", "claims": {"customer_id": 1}},
    "interval": 0.05, "limit": 300, "health_url": f"{BASE}/health", "health_seconds": 0,
}  # fmt: skip


def call(machine: Host, state: str, **other: Any) -> dict[str, Any]:
    """Start or stop the probes."""
    told = machine.module("service_probes", state=state, **CALL | other)
    assert "found" in told, told
    return told


def lines(machine: Host, kind: str = "read", word: str = "good") -> int:
    """Return the number of samples with this kind and result so far."""
    return int(machine.run(f'sudo grep -c \'"{kind}".*"{word}"\' {PLACE}/samples || true') or 0)


def until(condition: Callable[[], Any]) -> None:
    """Wait until a condition is true."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "the condition did not become true"
        time.sleep(0.1)


def nothing_left(machine: Host) -> bool:
    """Return whether neither the unit nor its directory exists."""
    shown = machine.run("systemctl show --property=LoadState --value ai-memory-probes")
    return shown.strip() == "not-found" and not machine.run(f"sudo ls -d {PLACE} 2> /dev/null || true")


def stopped(machine: Host) -> bool:
    """Return whether the prober has ended."""
    return machine.run("systemctl is-active ai-memory-probes || true").strip() == "inactive"


@pytest.fixture(scope="module", autouse=True)
def _tenant_aware(machine: Host) -> Iterator[None]:
    """Use the release that requires a token. At the end, remove the release and the probes."""
    machine.run("sudo lab-reset tenant_aware")
    yield
    machine.reset()


def test_a_restart_is_a_gap_and_the_secret_is_seen_nowhere(machine: Host) -> None:
    began = machine.run("date +@%s").strip()
    assert call(machine, "started")["obstacle"] == ""
    until(lambda: lines(machine) >= 5)
    until(lambda: lines(machine, "health") >= 1)
    shown = machine.run("systemctl show ai-memory-probes; sudo cat /proc/[0-9]*/cmdline | tr '\\0' ' '; ps -eo args")
    assert f"{PLACE}/prober.zip" in shown
    modes = machine.run(f"sudo find {PLACE} -printf '%m %u %f\\n' | sort").splitlines()
    assert modes == ["600 root alive", "600 root prober.zip", "600 root samples", "700 root ai-memory-probes"]
    # The test itself measures how long the service is down. Meanwhile, at least one probe must be refused.
    outage = machine.run(
        "sudo systemctl stop ai-memory; stopped=$(date +%s%N); sleep 0.5; echo $(($(date +%s%N) - stopped));"
        f" sudo grep -c 'no connection' {PLACE}/samples; sudo systemctl start ai-memory"
    ).split()
    machine.wait_until_healthy()
    good = lines(machine)
    until(lambda: lines(machine) > good)
    samples = machine.run(f"sudo cat {PLACE}/samples")
    told = call(machine, "stopped")
    found = told["found"]
    assert told["obstacle"] == ""
    assert int(outage[1]) >= 1
    assert found["failed"] >= found["reasons"]["no connection"] >= int(outage[1])
    assert found["gap"] * 1e9 >= int(outage[0])
    assert 0 < found["failed"] < found["sent"]
    assert nothing_left(machine)
    # The release accepts only tokens that are signed with its secret, and logs their tenant.
    journal = machine.run(f"sudo journalctl --since={began} --output=verbose")
    assert "JWT validated: customer_id=1" in journal
    secret = TOKEN_SECRET.split(":")[0]
    assert [name for name, text in vars_of(shown, samples, journal, str(told)).items() if secret in text] == []
    assert [name for name, text in vars_of(shown, samples, journal, str(told)).items() if "Bearer" in text] == []


def vars_of(*texts: str) -> dict[str, str]:
    """Return the texts by name, so that an assertion message shows only the name of a text with a secret."""
    return dict(zip(("properties and arguments", "samples", "journal", "result"), texts, strict=True))


def test_a_stalled_service_shows_a_long_wait_and_not_fewer_requests(machine: Host) -> None:
    call(machine, "started")
    until(lambda: lines(machine) >= 5)
    # The workers are paused until a read request waits, and then for two more seconds.
    stalled = machine.run(
        "control() { sudo systemctl kill --kill-whom=all --signal=$1 ai-memory; }; control SIGSTOP;"
        f" until sudo tail -n 1 {PLACE}/samples | grep --quiet begun; do sleep 0.05; done;"
        " began=$(date +%s%N); sleep 2; ended=$(date +%s%N); control SIGCONT; echo $((ended - began))"
    )
    before = lines(machine)
    until(lambda: lines(machine) > before)
    found = call(machine, "stopped")["found"]
    seconds = int(stalled) / 1e9
    assert seconds >= 2
    assert (found["failed"], found["reasons"]) == (0, {})
    assert found["worst"] >= seconds
    assert found["gap"] >= seconds
    assert found["sent"] >= seconds / CALL["interval"]
    assert nothing_left(machine)


def test_the_probes_of_a_lost_run_end_and_the_next_run_removes_them(machine: Host) -> None:
    # After this call, the run gives no sign of life, so the probes end at their time limit.
    call(machine, "started", limit=2)
    until(lambda: stopped(machine))
    assert machine.run(f"sudo tail -n 1 {PLACE}/samples").startswith('["ended", ')
    # If the run's call was lost between two steps, the file with the secret still exists.
    machine.run(f"sudo touch {PLACE}/configuration.json")
    call(machine, "started")
    until(lambda: lines(machine) >= 5)
    assert "configuration.json" not in machine.run(f"sudo ls {PLACE}")
    assert machine.run("pgrep --full --count prober.zip").strip() == "1"
    machine.run("sudo systemctl kill --kill-whom=all --signal=SIGKILL ai-memory-probes")
    until(lambda: stopped(machine))
    told = call(machine, "stopped")
    assert told["obstacle"] == "the probes did not continue until the end"
    assert told["found"]["sent"] >= 5
    assert nothing_left(machine)
