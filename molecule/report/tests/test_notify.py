"""A webhook gets the start and the end of a run; a silent one changes nothing; its URL is never shown."""

from __future__ import annotations

import json
import re
import socket
import time
from pathlib import Path
from typing import Any

import pytest

from lab import MIGRATE, Host, Run
from receiver import TOKEN, listening

pytestmark = pytest.mark.one_host

SECRET = re.compile("0SECRET|verysecret")
BACKUP = ("playbooks/backup.yml", "-ebackup_test_restore=false", "-ebackup_copy_max_bytes=0")


def told(tmp_path: Path, url: str, **variables: Any) -> str:
    """Return the argument that sets the webhook from a file, because an argument would show the URL."""
    path = tmp_path / "webhook.json"
    path.write_text(json.dumps({"report_webhook_url": url} | variables))
    return f"-e@{path}"


def assert_kept(run: Run) -> None:
    """Assert that the secret is in no output and no file of the run."""
    assert not SECRET.search(run.output)
    assert run.files()
    assert not any(SECRET.search(text) for text in run.files().values())


def command_lines() -> str:
    """Return the command line of every process on this machine."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(path.read_text(errors="replace"))
        except OSError:
            continue
    return "\n".join(found)


@pytest.mark.usefixtures("fresh")
def test_the_start_and_the_success_are_told(machine: Host, tmp_path: Path) -> None:
    before = (machine.catalogs(), machine.service_pid(), machine.backups())
    when_told: list[tuple[Any, ...]] = []
    listed: list[str] = []

    def look(text: str) -> None:
        when_told.append((machine.catalogs(), machine.service_pid(), machine.backups()))
        listed.append(command_lines() + machine.run("ps -eo args"))

    with listening(then=look) as receiver:
        run = machine.playbook(*MIGRATE, told(tmp_path, receiver.url, report_webhook_timeout=30), "-vvv")
    begun, ended = receiver.texts
    assert begun == f"{machine.name}: migrate of ai_memory started. Run {run.record['run']}."
    assert re.fullmatch(
        rf"{machine.name}: migrate of ai_memory SUCCESS, downtime [\d.]+ s\. Run {run.record['run']}\.", ended
    )
    # The first message came before any change, the second when the service was back.
    assert when_told[0] == before
    assert when_told[1][0] != before[0]
    assert when_told[1][1] not in (0, before[1])
    assert "ansible-playbook" in listed[0]
    assert not any(SECRET.search(text) for text in listed)
    assert "The webhook was not told" not in run.words
    assert_kept(run)
    # Now there is nothing to do, and the webhook says so; a dry run sends nothing.
    with listening() as receiver:
        given = told(tmp_path, receiver.url)
        machine.playbook("migrate.yml", "--check", given)
        assert receiver.texts == []
        run = machine.playbook(*MIGRATE, given)
        assert receiver.texts == [
            f"{machine.name}: migrate of ai_memory SUCCESS, nothing to do. Run {run.record['run']}."
        ]


@pytest.mark.by_turns
@pytest.mark.usefixtures("fresh", "one_row_refuses")
def test_a_failure_is_told_without_what_callers_said(machine: Host, tmp_path: Path) -> None:
    with listening() as receiver:
        run = machine.playbook(*MIGRATE, told(tmp_path, receiver.url, report_webhook_events=["failure"]), check=False)
    (text,) = receiver.texts
    assert re.fullmatch(
        rf"{machine.name}: migrate of ai_memory FAILED in phase apply, downtime [\d.]+ s\."
        rf" Service: ai-memory answers again\. Run {run.record['run']}\.",
        text,
    )
    assert "one_row" in run.record["failure"]["message"]
    assert_kept(run)


@pytest.mark.by_turns
@pytest.mark.usefixtures("fresh")
def test_a_refusal_is_told_as_a_failure(machine: Host, tmp_path: Path) -> None:
    before = machine.untouched()
    with listening() as receiver:
        machine.playbook("migrate.yml", "-emigrate_confirm=no", told(tmp_path, receiver.url), check=False)
    (text,) = receiver.texts
    assert text.startswith(f"{machine.name}: migrate of ai_memory FAILED in phase confirm. ")
    assert "was not stopped" in text
    assert machine.untouched() == before


@pytest.mark.by_turns
def test_a_webhook_that_is_silent_or_gone_is_reported_and_harmless(machine: Host, tmp_path: Path) -> None:
    def first_silent(text: str) -> None:
        if "started" in text:
            time.sleep(3)

    with listening(status=404, then=first_silent) as receiver:
        run = machine.playbook(*BACKUP, told(tmp_path, receiver.url, report_webhook_timeout=1))
    assert "WARNING: The webhook was not told of the start: it did not answer" in run.words
    assert "WARNING: The webhook was not told of the success: it answered with HTTP status 404." in run.words
    assert run.record["outcome"] == "SUCCESS"
    assert_kept(run)
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}/{TOKEN}"
    run = machine.playbook(*BACKUP, told(tmp_path, url))
    assert run.words.count("Connection refused. The run is not affected.") == 2
    assert run.record["outcome"] == "SUCCESS"
    assert_kept(run)


@pytest.mark.by_turns
@pytest.mark.parametrize("url", [f"http://example.org/{TOKEN}", f"hooks/{TOKEN}", f"https://example.org/{TOKEN} x"])
def test_what_is_no_url_is_refused_and_not_shown(machine: Host, tmp_path: Path, url: str) -> None:
    before = machine.untouched()
    run = machine.playbook(*MIGRATE, told(tmp_path, url), check=False)
    assert "report_webhook_url is not the URL of a webhook" in run.words
    assert "it must start with https:// (http:// only for this machine)" in run.words
    assert machine.untouched() == before
    assert_kept(run)


@pytest.mark.by_turns
def test_unknown_events_are_refused(machine: Host, tmp_path: Path) -> None:
    run = machine.playbook(
        *MIGRATE, told(tmp_path, "", report_webhook_events=["end"], report_webhook_timeout=0), check=False
    )
    assert "report_webhook_events" in run.words
    assert "start, success, failure" in run.words
