"""The service is watched after the start: what callers meet then is summed up, and trouble ends the run at once."""

from __future__ import annotations

import time

import pytest

from lab import MIGRATE, Host, Run

pytestmark = pytest.mark.one_host

WATCHED = (*MIGRATE, "-emigrate_watch_minutes=1", "-eservice_watch_interval=5")
STORE = {"user_id": "+15550001111", "content": "a caller's sentence"}


def wait_for(run: Run, path: str, word: str) -> None:
    """Wait until the run's log has a word in it."""
    deadline = time.monotonic() + 120
    while word not in run.files().get(path, ""):
        assert time.monotonic() < deadline, "the run does not come to that"
        time.sleep(0.5)


def test_what_callers_met_is_summed_up(machine: Host) -> None:
    machine.reset()
    run = Run(machine.name, *WATCHED)
    wait_for(run, "execution-log.md", "| watch |")
    for _ in range(5):
        machine.call("/memory/store", **STORE)
    run.wait()
    assert run.returncode == 0, run.output
    watched = run.record["watched"]
    assert (watched["seconds"], watched["samples"], watched["trouble"]) == (60, 12, [])
    # The five, the trial of the start, and a question for health a sample.
    assert watched["requests"] >= 5 + 2 + 11
    assert watched["refused"] == 0
    assert watched["errors"] == 1
    assert "WATCHED for 60 s: " in run.words
    assert "a session last named no tenant" in run.words
    assert "Watched for 60 s: " in run.log


def test_trouble_ends_the_run_at_once(machine: Host) -> None:
    machine.reset()
    run = Run(machine.name, *WATCHED)
    wait_for(run, "execution-log.md", "| watch |")
    machine.sql("REVOKE INSERT ON memories FROM alice")
    machine.call("/memory/store", **STORE)
    run.wait()
    assert run.returncode != 0
    record = run.record
    assert record["outcome"] == "PARTIAL"
    assert record["failure"]["phase"] == "watch"
    assert "permission denied for table memories" in record["failure"]["message"]
    assert "rollback.yml -e rollback_mode=policies" in record["failure"]["message"]
    assert record["watched"]["seconds"] < 60
    machine.sql("GRANT INSERT ON memories TO alice")


def test_a_service_that_falls_ill_is_noticed(machine: Host) -> None:
    machine.reset()
    run = Run(machine.name, *WATCHED)
    wait_for(run, "execution-log.md", "| watch |")
    machine.run("sudo systemctl stop ai-memory")
    run.wait()
    assert run.record["failure"]["phase"] == "watch"
    assert "/health answers -1" in run.record["failure"]["message"]
    machine.run("sudo systemctl start ai-memory")
