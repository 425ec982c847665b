"""What the service's journal since the start is taken for: counts, and lines that tell nothing of callers."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ansible_collections.aimemory.tenancy.plugins.module_utils import journal
from ansible_collections.aimemory.tenancy.plugins.module_utils.redaction import Known

PATTERNS = {
    "failure": "psycopg2", "request": r'" [1-5][0-9]{2}$', "refused": r'" [45][0-9]{2}$',
}  # fmt: skip
KNOWN = Known(["memories", "ai", "ai-memory"])
HEAD = "2026-11-28T07:43:11+00:00 lab17 gunicorn[2]: "


def entry(message: Any, speaker: str = "gunicorn", priority: str = "6") -> str:
    """Return an entry as journalctl writes it."""
    return json.dumps(
        {
            "__REALTIME_TIMESTAMP": "1795851791123456", "MESSAGE": message, "SYSLOG_IDENTIFIER": speaker,
            "_PID": "2", "_HOSTNAME": "lab17", "PRIORITY": priority,
        }
    )  # fmt: skip


STOPPED = [entry("ERROR of before"), entry("Stopped ai-memory.service.", "systemd")]
STARTED = entry("Started ai-memory.service.", "systemd")


def summary(*entries: str, before: tuple[str, ...] = (), secrets: tuple[str, ...] = (), last: int = 50) -> Any:
    """Return what is told of a journal."""
    found = journal.since_start(journal.lines("\n".join(entries)))
    return journal.summary(found, journal.lines("\n".join(before)), PATTERNS, KNOWN, list(secrets), last)


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


def test_a_line_that_is_left_out_has_its_sqlstate() -> None:
    said = '{"level": "error", "error": "permission denied for table memories"}'
    assert summary(STARTED, entry(said))["failures"] == [f"{HEAD}[removed] (SQLSTATE 42501)"]


def test_a_service_that_fails_at_every_request_says_so_a_few_times() -> None:
    failing = entry("ERROR storing failed: permission denied for table memories")
    told = summary(*[failing] * 60)
    assert (len(told["failures"]), told["errors"]) == (journal.MOST_FAILURES, 60)


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
    "said",
    [
        "starting with --api-key S3CRET",
        "--api-key S3CRET",
        "INFO ai-memory started with --api-key S3CRET",
        "INFO ai-memory started with --api-key=S3CRET",
        "INFO ai-memory API_KEY: S3CRET",
        "INFO Authorization: Bearer S3CRET",
        "psycopg2 DETAIL:  Failing row contains (4711, S3CRET said (this)).",
        "psycopg2.errors.NotNullViolation: FEHLER:  Fehlgeschlagene Zeile enthält (4711, S3CRET, (this)).",
        "DETAIL:  Schlüssel »(user_id)=(S3CRET)« existiert bereits.",
        "DÉTAIL : La ligne en échec contient (4711, S3CRET)",
        "ERROR ai-memory 失敗した行は(4711, S3CRET)を含みます",
        "she said\nS3CRET\nand so on",
        "the value of the environment is kept-in-the-file S3CRET",
    ],
)
def test_no_line_that_is_shown_has_a_secret_or_a_value(said: str) -> None:
    told = summary(STARTED, entry(said), entry(f"psycopg2: {said}"), secrets=("S3CRET",))
    for secrets in ((), ("kept-in-the-file",)):
        told = summary(STARTED, entry(said), entry(f"psycopg2: {said}"), secrets=secrets)
        assert "S3CRET" not in "".join(told["lines"] + told["failures"])
        assert "4711" not in "".join(told["lines"] + told["failures"])
        assert told["failures"]


def test_what_is_known_is_shown() -> None:
    told = summary(STARTED, entry("psycopg2.errors.InsufficientPrivilege: permission denied for table memories"))
    assert told["lines"][1] == f"{HEAD}psycopg2.errors.InsufficientPrivilege: permission denied for table memories"
    assert told["failures"] == told["lines"][1:]


def test_a_line_is_shown_and_not_obeyed() -> None:
    told = summary(entry([27, 91, 51, 65, *b"ready"]), entry("INFO \x1b[2K\u202eready"))
    assert all(line.isprintable() for line in told["lines"])


@pytest.mark.parametrize("output", ["no json", "[]", "{}", '{"__REALTIME_TIMESTAMP": "x"}'])
def test_what_journalctl_never_writes_is_an_error(output: str) -> None:
    with pytest.raises((ValueError, KeyError, TypeError, AttributeError)):
        journal.lines(output)
