"""A webhook receives messages about the start and the end of a run. A webhook that does not respond does not
affect the run. The URL is never shown."""

from __future__ import annotations

import re
import socket
import time
from pathlib import Path

import pytest

from lab import MIGRATE, Host, Run
from receiver import TOKEN, listening
from reported import Runs, told

pytestmark = pytest.mark.one_host

SECRET = re.compile("0SECRET|verysecret")
BACKUP = ("playbooks/backup.yml", "-ebackup_test_restore=false", "-ebackup_copy_max_bytes=0")


def assert_kept(run: Run) -> None:
    """Assert that no output and no file of the run contains the secret."""
    assert not SECRET.search(run.output)
    assert run.files()
    assert not any(SECRET.search(text) for text in run.files().values())


def test_the_start_and_the_success_are_told(machine: Host, runs: Runs) -> None:
    run = runs.done
    begun, ended = runs.told
    assert begun == f"{machine.name}: migrate of ai_memory started. Run {run.record['run']}."
    assert re.fullmatch(
        rf"{machine.name}: migrate of ai_memory SUCCESS, downtime [\d.]+ s\. Run {run.record['run']}\.", ended
    )
    # The first message was sent before any change, and the second when the service was running again.
    assert runs.states[0] == runs.before
    assert runs.states[1][0] != runs.before[0]
    assert runs.states[1][1] not in (0, runs.before[1])
    assert "ansible-playbook" in runs.listed[0]
    assert not any(SECRET.search(text) for text in runs.listed)
    assert "The webhook was not notified" not in run.words
    assert_kept(run)


def test_a_failure_is_told_without_what_callers_said(machine: Host, runs: Runs) -> None:
    run = runs.failed
    (text,) = runs.told_of_failure
    assert re.fullmatch(
        rf"{machine.name}: migrate of ai_memory FAILED in phase apply, downtime [\d.]+ s\."
        rf" Service: ai-memory responds again\. Run {run.record['run']}\.",
        text,
    )
    assert "<b>one</b>" in run.record["failure"]["message"]
    assert_kept(run)


@pytest.mark.wide
def test_nothing_to_do_is_told_and_a_dry_run_tells_nobody(machine: Host, runs: Runs, tmp_path: Path) -> None:
    with listening() as receiver:
        given = told(tmp_path, receiver.url)
        machine.playbook("migrate.yml", "--check", given)
        assert receiver.texts == []
        run = machine.playbook(*MIGRATE, given)
        assert receiver.texts == [
            f"{machine.name}: migrate of ai_memory SUCCESS, nothing to do. Run {run.record['run']}."
        ]


@pytest.mark.wide
@pytest.mark.usefixtures("fresh")
def test_a_refusal_is_told_as_a_failure(machine: Host, tmp_path: Path) -> None:
    before = machine.untouched()
    with listening() as receiver:
        machine.playbook("migrate.yml", "-emigrate_confirm=no", told(tmp_path, receiver.url), check=False)
    (text,) = receiver.texts
    assert text.startswith(f"{machine.name}: migrate of ai_memory FAILED in phase confirm. ")
    assert "was not stopped" in text
    assert machine.untouched() == before


@pytest.mark.wide
def test_a_webhook_that_is_silent_or_gone_is_reported_and_harmless(machine: Host, tmp_path: Path) -> None:
    def first_silent(text: str) -> None:
        if "started" in text:
            time.sleep(3)

    with listening(status=404, then=first_silent) as receiver:
        run = machine.playbook(*BACKUP, told(tmp_path, receiver.url, report_webhook_timeout=1))
    assert "WARNING: The webhook was not notified of the start: it did not respond in time" in run.words
    assert "WARNING: The webhook was not notified of the success: it responded with HTTP status 404." in run.words
    assert run.record["outcome"] == "SUCCESS"
    assert_kept(run)
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}/{TOKEN}"
    run = machine.playbook(*BACKUP, told(tmp_path, url))
    assert run.words.count("Connection refused. The run is not affected.") == 2
    assert run.record["outcome"] == "SUCCESS"
    assert_kept(run)


@pytest.mark.wide
@pytest.mark.parametrize("url", [f"http://example.org/{TOKEN}", f"hooks/{TOKEN}", f"https://example.org/{TOKEN} x"])
def test_what_is_no_url_is_refused_and_not_shown(machine: Host, tmp_path: Path, url: str) -> None:
    before = machine.untouched()
    run = machine.playbook(*MIGRATE, told(tmp_path, url), check=False)
    assert "report_webhook_url is not the URL of a webhook" in run.words
    assert "it must start with https:// (http:// only for this machine)" in run.words
    assert machine.untouched() == before
    assert_kept(run)


@pytest.mark.wide
def test_unknown_events_are_refused(machine: Host, tmp_path: Path) -> None:
    run = machine.playbook(
        *MIGRATE, told(tmp_path, "", report_webhook_events=["end"], report_webhook_timeout=0), check=False
    )
    assert "report_webhook_events" in run.words
    assert "start, success, failure" in run.words
