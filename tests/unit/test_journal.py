"""The report on the journal since the service's start contains counts and kinds of lines, but not their text."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.aimemory.tenancy.plugins.module_utils import journal

WANTED = journal.Wanted(
    unit="ai-memory.service",
    names=["memories", "customer_id", "app.current_tenant"],
    failures=[re.compile("language model", re.IGNORECASE)],
    request=re.compile(r'" [1-5][0-9]{2}$'),
    refused=re.compile(r'" [45][0-9]{2}$'),
)
HEAD = "2026-11-28T07:43:11+00:00 ai-memory.service[2]: "


def entry(message: Any, speaker: str = "gunicorn", priority: str = "6") -> str:
    """Return an entry in journalctl's format."""
    return json.dumps(
        {
            "__REALTIME_TIMESTAMP": "1795851791123456", "MESSAGE": message, "SYSLOG_IDENTIFIER": speaker,
            "_PID": "2", "_HOSTNAME": "lab17", "PRIORITY": priority,
        }
    )  # fmt: skip


STOPPED = [entry("ERROR of before"), entry("Stopped ai-memory.service.", "systemd")]
STARTED = entry("Started ai-memory.service.", "systemd")


def summary(*entries: str, before: tuple[str, ...] = (), last: int = 50) -> Any:
    """Return the report on a journal."""
    found = journal.since_start([*journal.lines(entries)])
    return journal.summary(found, journal.lines(before), WANTED, last)


def test_what_is_of_the_start_is_counted() -> None:
    access = [entry(f'127.0.0.1:1 - "POST /memory/store HTTP/1.1" {status}') for status in (200, 200, 404, 500)]
    told = summary(*STOPPED, STARTED, entry("ERROR ai-memory is ill"), *access, before=(*STOPPED, access[3]), last=2)
    numbers = ("total", "own", "errors", "requests", "refused", "errors_before", "refused_before")
    assert {name: told[name] for name in numbers} == dict(zip(numbers, (6, 5, 1, 4, 2, 1, 1), strict=True))
    assert len(told["lines"]) == 2
    assert told["failures"] == []


def test_a_line_of_success_is_no_failure_and_no_error() -> None:
    told = summary(STARTED, entry("INFO ai-memory JWT validated: customer_id=1"))
    assert (told["errors"], told["failures"]) == (0, [])


@pytest.mark.parametrize(("signal", "errors"), [("SIGTERM!", 0), ("SIGKILL! Perhaps out of memory?", 1)])
def test_a_worker_that_ended_as_it_was_told_is_no_error(signal: str, errors: int) -> None:
    ended = entry(f"[2026-12-01 04:17:21 +0000] [565] [ERROR] Worker (pid:576) was sent {signal}")
    told = summary(STARTED, ended, before=(ended,))
    assert (told["total"], told["errors"], told["errors_before"]) == (2, errors, errors)
    assert ("error" in told["lines"][1], "a worker that was told to end" in told["lines"][1]) == (errors, not errors)


def test_a_service_that_fails_at_every_request_says_so_a_few_times() -> None:
    failing = entry("ERROR storing failed: permission denied for table memories")
    told = summary(*[failing] * 60)
    assert (len(told["failures"]), told["errors"]) == (journal.MAX_FAILURES, 60)


def test_systemd_says_nothing_of_the_database() -> None:
    told = summary(entry('Failed to start: role "alice" does not exist', "systemd", priority="3"))
    assert (told["errors"], told["failures"]) == (1, [])


@pytest.mark.parametrize("entries", [(), (STARTED,)])
def test_systemd_alone_is_not_the_service(entries: tuple[str, ...]) -> None:
    assert summary(*STOPPED, *entries)["own"] == 0


def test_without_a_stop_all_is_of_the_start() -> None:
    assert summary(STARTED, entry("ready"))["total"] == 2


def test_a_service_that_writes_stopped_itself_stops_nothing() -> None:
    assert summary(entry("Stopped listening"), entry("ready"))["total"] == 2


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("INFO ai-memory Ophelia said: customer_id", "info"),
        ('INFO:     127.0.0.1:1 - "POST /of/Ophelia HTTP/1.1" 500', "info, HTTP 500"),
        ("ERROR ai-memory: Ophelia's memories are lost", "error, memories"),
        ("WARNING the LANGUAGE MODEL of Ophelia is slow", "warning, matches 'language model'"),
        ("Traceback (most recent call last):", "a traceback"),
        ("KeyError: 'Ophelia'", "KeyError"),
        ("Ophelia: 'a sentence'", "a line without a level"),
        (
            'psycopg2.errors.NotNullViolation: null value in column "customer_id" of relation "memories": (Ophelia)',
            "SQLSTATE 23502 not_null_violation, customer_id, memories",
        ),
        (
            'ERROR storing failed: unrecognized configuration parameter "app.current_tenant"',
            "error, SQLSTATE 42704 undefined_object, app.current_tenant",
        ),
        (
            '{"level": "error", "error": "permission denied for table x", "of": "Ophelia"}',
            "error, SQLSTATE 42501 insufficient_privilege",
        ),
        ("FEHLER:  Ophelia", "a PostgreSQL error in another language"),
    ],
)  # fmt: skip
def test_what_a_line_is_is_shown_and_no_word_of_it(said: str, shown: str) -> None:
    assert summary(STARTED, entry(said))["lines"][1] == f"{HEAD}{shown}"


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("Started ai-memory.service - of Ophelia.", "Started"),
        ("ai-memory.service: Failed with result 'Ophelia'.", "Failed with result"),
        ("Ophelia", "a line without a level"),
    ],
)
def test_of_systemd_the_kind_of_its_sentence_is_shown(said: str, shown: str) -> None:
    assert summary(entry(said, "systemd"))["lines"] == [f"2026-11-28T07:43:11+00:00 systemd[2]: {shown}"]


def test_who_writes_under_another_name_is_the_unit() -> None:
    assert summary(entry("ERROR", "Ophelia"))["lines"] == [f"{HEAD}error"]


# Lines as services, frameworks and systemd write them. Each line contains SECRET.
SECRET = "S3CRET-vWq9"
TELLING = (
    f"--api-key {SECRET}",
    f"started with --api-key={SECRET} --port 8100",
    f"password={SECRET}",
    f'INFO config: {{"password": "{SECRET}", "port": 5432}}',
    f'{{"level": "error", "api_key": "{SECRET}", "error": "permission denied for table memories"}}',
    f"DATABASE_URL=postgresql://alice:{SECRET}@127.0.0.1:5432/ai_memory",
    f'ERROR connection to "postgresql://alice:{SECRET}@/ai_memory" failed: role "alice" does not exist',
    f"Authorization: Bearer {SECRET}",
    f'127.0.0.1:1 - "GET /memory?token={SECRET} HTTP/1.1" 500',
    f'INFO: 127.0.0.1:1 - "GET /{SECRET} HTTP/1.1" 404',
    f"AWS_SECRET_ACCESS_KEY: {SECRET}",
    f"KeyError: '{SECRET}'",
    f"{SECRET}: a line that begins with it",
    f"{SECRET}Error: an exception of that name",
    f"[{SECRET}] ERROR memories: customer_id {SECRET}",
    f"ERROR {SECRET}.memories: relation \"{SECRET}\" does not exist",
    f"psycopg2.errors.{SECRET.replace('-', '')}: {SECRET}",
    f"SQLSTATE {SECRET} ERROR: 42501: {SECRET}",
    f"FEHLER:  {SECRET}",
    f"DETAIL:  Failing row contains ({SECRET}, customer_id).",
    f"language model key {SECRET} is not valid",
    f"-----BEGIN PRIVATE KEY----- {SECRET}",
    f"level={SECRET} msg={SECRET}",
    f"a\n  multi-line {SECRET}\n{SECRET}",
)  # fmt: skip


@pytest.mark.parametrize("speaker", ["gunicorn", "systemd", SECRET])
@pytest.mark.parametrize("priority", ["3", "6"])
@pytest.mark.parametrize("said", TELLING)
def test_no_secret_in_a_line_is_shown_or_kept(said: str, speaker: str, priority: str) -> None:
    told = summary(entry(said, speaker, priority), before=(entry(said, speaker, priority),))
    assert told["total"] == said.count("\n") + 1
    for part in (SECRET, SECRET.replace("-", ""), "S3CRET"):
        assert part not in json.dumps(told)


def test_failures_are_described_as_lines_are() -> None:
    told = summary(STARTED, entry("psycopg2.errors.InsufficientPrivilege: permission denied for table memories"))
    assert told["failures"] == told["lines"][1:] == [f"{HEAD}SQLSTATE 42501 insufficient_privilege, memories"]


@pytest.mark.parametrize("last", [0, 1, 3])
def test_no_more_lines_are_described_than_are_wanted(last: int) -> None:
    assert len(summary(STARTED, entry("ready"), last=last)["lines"]) == min(last, 2)


def test_what_is_no_text_is_described_as_well() -> None:
    assert summary(entry([27, 91, 51, 65, *b"ready"]))["lines"] == [f"{HEAD}a line without a level"]


@pytest.mark.parametrize("output", ["no json", "[]", "{}", '{"__REALTIME_TIMESTAMP": "x"}'])
def test_what_journalctl_never_writes_is_an_error(output: str) -> None:
    with pytest.raises((ValueError, KeyError, TypeError, AttributeError)):
        list(journal.lines([output]))


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Return a function that writes the script that runs as journalctl."""
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")

    def write(script: str) -> None:
        (tmp_path / "journalctl").write_text(f"#!/bin/sh\ncd {tmp_path}\n{script}\n")
        (tmp_path / "journalctl").chmod(0o755)

    return write


def test_a_journal_of_any_size_is_read_line_by_line(tmp_path: Path, program: Callable[[str], None]) -> None:
    (tmp_path / "entry").write_text(f"{entry('ready')}\n")
    # The second line is written only after the first one has been read.
    program("cat entry; timeout 60 sh -c 'until [ -e is_read ]; do sleep 0.01; done' && cat entry")
    read = journal.read("ai-memory.service")
    assert next(read).text == "ready"
    (tmp_path / "is_read").touch()
    assert [line.text for line in read] == ["ready"]


def test_the_options_name_the_unit_the_period_and_the_fields(tmp_path: Path, program: Callable[[str], None]) -> None:
    program('printf "%s\\n" "$@" > arguments')
    assert list(journal.read("ai-memory.service", "--since=-1h")) == []
    assert (tmp_path / "arguments").read_text().split() == [
        "--unit=ai-memory.service", "--no-pager", "--quiet", "--output=json",
        "--output-fields=MESSAGE,SYSLOG_IDENTIFIER,_PID,_HOSTNAME,PRIORITY", "--since=-1h",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("echo 'Failed to open journal' >&2; exit 1", "The journal cannot be read: Failed to open journal"),
        ("cat entry; echo oops", "journalctl printed a line in an unknown format: report it."),
    ],
)
def test_a_journal_that_cannot_be_read_says_why(
    tmp_path: Path, program: Callable[[str], None], script: str, message: str
) -> None:
    (tmp_path / "entry").write_text(f"{entry('ready')}\n")
    program(script)
    with pytest.raises(journal.JournalError) as error:
        list(journal.read("ai-memory.service"))
    assert str(error.value) == message


def test_a_host_without_journalctl_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(journal.JournalError, match=r"journalctl cannot be started: No such file or directory\."):
        list(journal.read("ai-memory.service"))


PROBES = [{"method": "GET", "path": "/health"}, {"method": "GET", "path": "/v1/memories?limit=5"}]


@pytest.mark.parametrize(
    ("text", "own"),
    [
        ('127.0.0.1:40312 - "GET /v1/memories?limit=5 HTTP/1.1" 500', True),
        ('INFO:     ::1:40312 - "GET /health HTTP/1.0" 503', True),
        ('127.0.0.1 - - [30/Nov/2026] "GET /health HTTP/1.1" 200 5 "-" "curl"', True),
        # Requests from other hosts, other requests, and text that only mentions a probe.
        ('10.127.0.0.1:1 - "GET /health HTTP/1.1" 500', False),
        ('192.0.2.7:40312 - "GET /v1/memories?limit=5 HTTP/1.1" 500', False),
        ('127.0.0.1:1 - "GET /v1/memories?limit=50 HTTP/1.1" 500', False),
        ('127.0.0.1:1 - "POST /health HTTP/1.1" 500', False),
        ('127.0.0.1:1 - "GET /v1/memoriesXlimit=5 HTTP/1.1" 500', False),
        ("ERROR 127.0.0.1 GET /health failed: permission denied for table memories", False),
    ],
)
def test_the_requests_of_the_run_itself_are_no_lines_of_callers(text: str, own: bool) -> None:
    found = [*journal.lines([entry(text)])]
    assert [*journal.without_requests(found, PROBES)] == ([] if own else found)
    assert [*journal.without_requests(found, [])] == found
