"""The run watches the service after the start: it summarizes the results of callers' requests, and ends immediately
after failures."""

from __future__ import annotations

import re
import time

import pytest

from lab import MIGRATE, Host, Run

pytestmark = pytest.mark.one_host

WATCHED = (*MIGRATE, "-emigrate_watch_minutes=1", "-eservice_watch_interval=5")
STORE = {"user_id": "+15550001111", "content": "a caller's sentence"}


def refuse(machine: Host, path: str) -> None:
    """Send a request that fails with HTTP 404."""
    with pytest.raises(AssertionError, match="404"):
        machine.call(path)


def watching(path: str) -> str:
    """Return the option that counts only failed requests for this path, and not those of other tests."""
    return f'-e{{"service_journal_refused_pattern": "{path} HTTP"}}'


def wait_for(run: Run, path: str, word: str) -> None:
    """Wait until the file ``path`` of the run contains ``word``."""
    deadline = time.monotonic() + 600
    while word not in run.files().get(path, ""):
        assert run.process.poll() is None, f"the run ended before {path} contained {word!r}"
        assert time.monotonic() < deadline, f"{path} does not contain {word!r}"
        time.sleep(0.5)


@pytest.mark.wide
def test_what_callers_met_is_summed_up(machine: Host) -> None:
    machine.reset()
    refuse(machine, "/gone")
    run = Run(machine.name, *WATCHED)
    wait_for(run, "run.json", '"name": "watch"')
    for _ in range(5):
        machine.call("/memory/store", **STORE)
    # The number of failures does not exceed the number before the run.
    refuse(machine, "/gone")
    run.wait()
    assert run.returncode == 0, run.output
    watched = run.record["watched"]
    assert (watched["seconds"], watched["samples"], watched["trouble"]) == (60, 12, [])
    # These are the five requests and the smoke test's requests. Health checks do not count as callers' requests.
    assert watched["requests"] >= 5 + 2
    assert watched["refused"] == 1
    assert watched["refused_before"] >= 1
    assert re.fullmatch(r"the last session that set no tenant was \d+ s ago", watched["unnamed"])
    assert watched["errors"] == 1
    assert "WATCHED for 60 s: " in run.words
    assert "the last session that set no tenant" in run.words
    assert "Watched for 60 s: " in run.log


@pytest.mark.wide
def test_more_failed_requests_than_before_are_trouble(machine: Host) -> None:
    machine.reset()
    run = Run(machine.name, *WATCHED, watching("/nowhere"))
    wait_for(run, "run.json", '"name": "watch"')
    refuse(machine, "/nowhere")
    run.wait()
    assert "1 requests failed since the start, 0 in the previous hour" in run.record["failure"]["message"]


@pytest.mark.wide
def test_a_service_that_is_started_again_is_noticed(machine: Host) -> None:
    machine.reset()
    run = Run(machine.name, *WATCHED, "-eservice_watch_interval=20")
    wait_for(run, "run.json", '"name": "watch"')
    # The watch has started, and takes its first sample when the service is running again.
    time.sleep(5)
    machine.run("sudo systemctl restart ai-memory")
    run.wait()
    assert "ai-memory was restarted during the watch" in run.record["failure"]["message"]
    assert "Service: ai-memory responds again." in run.words


@pytest.mark.wide
def test_trouble_ends_the_run_at_once(machine: Host) -> None:
    machine.reset()
    run = Run(machine.name, *WATCHED)
    wait_for(run, "run.json", '"name": "watch"')
    machine.sql("REVOKE INSERT ON memories FROM alice")
    machine.call("/memory/store", **STORE)
    run.wait()
    assert run.returncode != 0
    record = run.record
    assert record["outcome"] == "PARTIAL"
    assert record["failure"]["phase"] == "watch"
    assert "error, SQLSTATE 42501 insufficient_privilege, memories" in record["failure"]["message"]
    command = "Read the journal on the server: journalctl --unit=ai-memory.service --since="
    assert command in record["failure"]["message"]
    assert "rollback_mode=policies (immediate)" in record["failure"]["message"]
    assert f"-l {machine.name} rollback.yml -e rollback_mode=policies" in run.words
    assert record["watched"]["seconds"] < 60
    machine.sql("GRANT INSERT ON memories TO alice")


@pytest.mark.wide
def test_a_service_that_falls_ill_and_stays_so_is_not_said_to_answer(machine: Host) -> None:
    machine.reset()
    impatient = ("-eservice_health_timeout=3", "-eservice_health_request_timeout=3", "-eservice_failsafe_seconds=15")
    run = Run(machine.name, *WATCHED, *impatient)
    wait_for(run, "run.json", '"name": "watch"')
    with machine.drop_in("ExecStartPre=/bin/false\nRestart=no"):
        machine.run("sudo systemctl stop ai-memory")
        run.wait()
    assert run.record["failure"]["phase"] == "watch"
    assert "/health cannot be reached: [Errno 111] Connection refused" in run.record["failure"]["message"]
    assert "Service: ai-memory DOES NOT RESPOND." in run.words
    assert "The service did not start: " in run.words
    assert "responds again" not in run.words
    assert "from stop to healthy" not in run.words
    assert "The server tries again in 15 s (ai-memory-failsafe.timer)." in run.words
    machine.wait_until_healthy()
