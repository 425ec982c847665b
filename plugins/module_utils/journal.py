"""The journal of a service: counts of lines by kind, and a description of each line without its text.

Callers' data and secrets can appear in a journal in any form. A description therefore contains only the line's time and
process, and items from fixed lists. The items are levels, PostgreSQL errors, Python exceptions, HTTP statuses, names in
the model and the operator's patterns.
"""

from __future__ import annotations

import builtins
import datetime
import functools
import json
import os
import re
import subprocess
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from . import logged

FIELDS = ("MESSAGE", "SYSLOG_IDENTIFIER", "_PID", "_HOSTNAME", "PRIORITY")
# The maximum number of described failures. If every request fails, more lines give no new information.
MAX_FAILURES = 50
SYSTEMD = "systemd"

_ACCESS = re.compile(r'"[A-Z]{3,7} \S* HTTP/[\d.]+" ([1-5]\d\d)\b')
_TRACEBACK = "Traceback (most recent call last):"
_RAISED = re.compile(r"(\w+)(?::|$)")
_EXCEPTIONS = frozenset(
    name for name, kind in vars(builtins).items() if isinstance(kind, type) and issubclass(kind, BaseException)
)
# gunicorn logs this at the level ERROR even if the worker ended as intended: at the stop, or to renew its session.
_TOLD_TO_END = re.compile(r"\bWorker \(pid:\d+\) was sent SIGTERM!$")
# The beginnings of systemd's messages about a unit, with or without the unit's name in front.
_OF_SYSTEMD = (
    "Starting", "Started", "Stopping", "Stopped", "Failed to start", "Failed with result", "Main process exited",
    "Deactivated successfully", "Scheduled restart job", "Start request repeated too quickly", "Consumed",
)  # fmt: skip


@dataclass(frozen=True)
class Line:
    """One line: its writer, ``head`` (time, host and writer), its text, and its priority in the journal."""

    speaker: str
    head: str
    text: str
    priority: int | None = None
    time: str = ""
    process: int = 0

    @property
    def whole(self) -> str:
        """Return the line in journalctl's format short-iso, against which the patterns are matched."""
        return f"{self.head}{self.text}"


@dataclass(frozen=True)
class Wanted:
    """The names and patterns to search a journal for: the unit's name, the model's names, and regular expressions.

    ``failures`` lists the application's own patterns, in addition to the errors that ``logged`` recognizes.
    """

    unit: str
    names: Collection[str]
    failures: Sequence[re.Pattern[str]]
    request: re.Pattern[str]
    refused: re.Pattern[str]


class JournalError(Exception):
    """The journal cannot be read; the message gives the reason."""


def read(unit: str, *when: str) -> Iterator[Line]:
    """Yield a unit's lines in the period given by journalctl's options ``when``, oldest first.

    An hour's journal can be hundreds of megabytes long, so a line is read only when the caller needs it. Raises
    JournalError.
    """
    command = [
        "journalctl", f"--unit={unit}", "--no-pager", "--quiet", "--output=json", f"--output-fields={','.join(FIELDS)}",
        *when,
    ]  # fmt: skip
    # journalctl's errors go to memory, because the disk may be full. A pipe could fill up and block journalctl, because
    # the errors are read only at the end.
    with open(os.memfd_create("errors"), "w+", encoding="utf-8", errors="replace") as errors:
        try:
            with subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=errors, encoding="utf-8", errors="replace"
            ) as process:
                yield from lines(process.stdout or ())
        except OSError as error:
            raise JournalError(f"journalctl cannot be started: {error.strerror}.") from None
        except (ValueError, KeyError, TypeError, AttributeError):
            raise JournalError("journalctl printed a line in an unknown format: report it.") from None
        if process.returncode != 0:
            errors.seek(0)
            raise JournalError(f"The journal cannot be read: {errors.read().strip()}")


def lines(entries: Iterable[str]) -> Iterator[Line]:
    """Yield the lines in the entries of ``journalctl --output=json``, oldest first. Raises ValueError."""
    for entry in entries:
        if entry.strip():
            yield from _of_entry(json.loads(entry))


def since_start(found: list[Line]) -> list[Line]:
    """Return the lines after systemd's message that the unit stopped, or all lines if there is no such message.

    ``found`` begins at a whole second, so it may include lines that the stop logged in the same second.
    """
    for number, line in enumerate(found):
        if line.speaker == SYSTEMD and line.text.startswith("Stopped "):
            return found[number + 1 :]
    return found


def without_requests(found: Iterable[Line], requests: Iterable[Mapping[str, str]]) -> Iterator[Line]:
    """Yield all lines except the access log's entries for ``requests`` (method and path) from this host."""
    asked = "|".join(re.escape(f"{request['method']} {request['path']}") for request in requests)
    # Without requests, the pattern matches nothing.
    pattern = re.compile(rf'(?<![\d.])(?:127\.\d+\.\d+\.\d+|::1)(?!\d).*"(?:{asked or "(?!)"}) HTTP/')
    return (line for line in found if not pattern.search(line.text))


def _of_entry(fields: Mapping[str, Any]) -> Iterator[Line]:
    said = fields.get("MESSAGE")
    # journalctl prints a message with unprintable or invalid characters as a list of numbers.
    text = bytes(said).decode("utf-8", errors="replace") if isinstance(said, list) else str(said or "")
    speaker = str(fields.get("SYSLOG_IDENTIFIER", "-"))
    host, pid = fields.get("_HOSTNAME", "-"), int(fields.get("_PID", 0))
    time = _time(int(fields["__REALTIME_TIMESTAMP"]) // 1_000_000)
    head = f"{time} {host} {speaker}[{pid}]: "
    priority = str(fields.get("PRIORITY", ""))
    for line in text.split("\n"):
        yield Line(speaker, head, line, int(priority) if priority.isdigit() else None, time, pid)


@functools.lru_cache(maxsize=16)
def _time(second: int) -> str:
    """Return a Unix time as text. The result is cached, because many lines have the same time."""
    return datetime.datetime.fromtimestamp(second, datetime.UTC).isoformat()


def shown(line: Line, wanted: Wanted) -> str:
    """Return a description of a line without its text: time, process, and the known items in it."""
    who = SYSTEMD if line.speaker == SYSTEMD else wanted.unit
    found = _of_systemd(line.text) if line.speaker == SYSTEMD else _of_service(line, wanted)
    found += [f"matches {pattern.pattern!r}" for pattern in wanted.failures if pattern.search(line.whole)]
    return f"{line.time} {who}[{line.process}]: {', '.join(found) or 'a line without a level'}"


def _of_systemd(text: str) -> list[str]:
    return [said for said in _OF_SYSTEMD if text.startswith(said) or f": {said}" in text][:1]


def _of_service(line: Line, wanted: Wanted) -> list[str]:
    if _TOLD_TO_END.search(line.text):
        return ["a worker that was told to end"]
    said = logged.read(line.text, line.priority)
    access, raised = _ACCESS.search(line.text), _RAISED.match(line.text)
    telling = said.failure or said.level == logged.ERROR
    words = {*re.findall(r"\w+", line.text), *re.findall(r"\w+(?:\.\w+)+", line.text)} if telling else set()
    return [
        *([said.level] if said.level else []),
        *([f"HTTP {access[1]}"] if access else []),
        *(["a traceback"] if line.text == _TRACEBACK else []),
        *([raised[1]] if raised and raised[1] in _EXCEPTIONS else []),
        *([f"SQLSTATE {said.code} {logged.condition(said.code)}"] if said.code else []),
        *(["a PostgreSQL error in another language"] if said.failure and not said.code else []),
        *sorted(words.intersection(wanted.names)),
    ]


def summary(found: Sequence[Line], before: Iterable[Line], wanted: Wanted, last: int) -> dict[str, Any]:
    """Return a summary of ``found``, the lines since the start, and ``before``, the lines before the stop.

    ``total``, ``own`` (not systemd's), ``errors``, ``requests`` and ``refused`` count lines since the start.
    ``errors_before`` and ``refused_before`` count lines before the stop. ``lines`` describes the ``last`` lines, and
    ``failures`` the first MAX_FAILURES lines with a failure. ``before`` is iterated only once.
    """
    errors = 0
    failures: list[str] = []
    for line in found:
        said = logged.read(line.text, line.priority)
        errors += _is_error(line, said.level)
        # systemd's messages are never errors from the database.
        failed = said.failure and line.speaker != SYSTEMD
        failed = failed or any(pattern.search(line.whole) for pattern in wanted.failures)
        if failed and len(failures) < MAX_FAILURES:
            failures.append(shown(line, wanted))
    errors_before = refused_before = 0
    for line in before:
        errors_before += _is_error(line, logged.level(line.text, line.priority))
        refused_before += wanted.refused.search(line.whole) is not None
    return {
        "total": len(found),
        "own": sum(line.speaker != SYSTEMD for line in found),
        "errors": errors,
        "requests": _count(found, wanted.request),
        "refused": _count(found, wanted.refused),
        "errors_before": errors_before,
        "refused_before": refused_before,
        "lines": [shown(line, wanted) for line in found[len(found) - min(last, len(found)) :]],
        "failures": failures,
    }


def _is_error(line: Line, level: str | None) -> bool:
    return level == logged.ERROR and not _TOLD_TO_END.search(line.text)


def _count(found: Iterable[Line], pattern: re.Pattern[str]) -> int:
    return sum(pattern.search(line.whole) is not None for line in found)
