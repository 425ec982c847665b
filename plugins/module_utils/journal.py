"""The journal of a service: how many of its lines are of a kind, and what each line is, without its words.

Callers' sentences and secrets come to lie in a journal, and nobody can list what they look like. So nothing of a line
is shown but its time and process, and what is found in it of things that are known beforehand: a level, an error of
PostgreSQL, an exception of Python, an HTTP status, a name of the model, a pattern of the operator's.
"""

from __future__ import annotations

import builtins
import datetime
import functools
import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from . import logged

# A service that fails at every request says no more in all of its lines.
MOST_FAILURES = 50
SYSTEMD = "systemd"

_ACCESS = re.compile(r'"[A-Z]{3,7} \S* HTTP/[\d.]+" ([1-5]\d\d)\b')
_TRACEBACK = "Traceback (most recent call last):"
_RAISED = re.compile(r"(\w+)(?::|$)")
_EXCEPTIONS = frozenset(
    name for name, kind in vars(builtins).items() if isinstance(kind, type) and issubclass(kind, BaseException)
)
# What systemd says of a unit begins so, or has it behind the unit's name.
_OF_SYSTEMD = (
    "Starting", "Started", "Stopping", "Stopped", "Failed to start", "Failed with result", "Main process exited",
    "Deactivated successfully", "Scheduled restart job", "Start request repeated too quickly", "Consumed",
)  # fmt: skip


@dataclass(frozen=True)
class Line:
    """One line: who wrote it, ``head`` (when, where and who), its text, and the journal's priority."""

    speaker: str
    head: str
    text: str
    priority: int | None = None
    time: str = ""
    process: int = 0

    @property
    def whole(self) -> str:
        """Return the line as journalctl's short-iso shows it: what patterns are looked for in."""
        return f"{self.head}{self.text}"


@dataclass(frozen=True)
class Wanted:
    """What a journal is searched for: the unit's name, the model's names, and regular expressions.

    ``failures`` are those of the application's own, beside those that ``logged`` knows.
    """

    unit: str
    names: Collection[str]
    failures: Sequence[re.Pattern[str]]
    request: re.Pattern[str]
    refused: re.Pattern[str]


def lines(output: str) -> list[Line]:
    """Return the lines in what ``journalctl --output=json`` prints, the oldest first. Raises ValueError."""
    return [line for entry in output.split("\n") if entry.strip() for line in _of_entry(json.loads(entry))]


def since_start(found: list[Line]) -> list[Line]:
    """Return the lines behind the one by which systemd says that the unit stopped, if there is one; else all.

    systemd's times are whole seconds here: what the stop itself logged in that second is not of the start.
    """
    for number, line in enumerate(found):
        if line.speaker == SYSTEMD and line.text.startswith("Stopped "):
            return found[number + 1 :]
    return found


def _of_entry(fields: Mapping[str, Any]) -> Iterator[Line]:
    said = fields.get("MESSAGE")
    # What is no text comes as numbers.
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
    """Return a time as text; many lines have the same."""
    return datetime.datetime.fromtimestamp(second, datetime.UTC).isoformat()


def shown(line: Line, wanted: Wanted) -> str:
    """Return what a line is, without any of its words: time, process, and what is known beforehand of its form."""
    who = SYSTEMD if line.speaker == SYSTEMD else wanted.unit
    found = _of_systemd(line.text) if line.speaker == SYSTEMD else _of_service(line, wanted)
    found += [f"it meets {pattern.pattern!r}" for pattern in wanted.failures if pattern.search(line.whole)]
    return f"{line.time} {who}[{line.process}]: {', '.join(found) or 'a line without a level'}"


def _of_systemd(text: str) -> list[str]:
    return [said for said in _OF_SYSTEMD if text.startswith(said) or f": {said}" in text][:1]


def _of_service(line: Line, wanted: Wanted) -> list[str]:
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
        *(["an error of PostgreSQL in another language"] if said.failure and not said.code else []),
        *sorted(words.intersection(wanted.names)),
    ]


def summary(found: list[Line], before: list[Line], wanted: Wanted, last: int) -> dict[str, Any]:
    """Return what is told of the lines since the start and of those before the stop.

    Returned are ``total``, ``own`` (not of systemd), ``errors``, ``requests`` and ``refused`` of the first,
    ``errors_before`` and ``refused_before`` of the second, and what the ``last`` ``lines`` and the first ``failures``
    are.
    """
    errors = 0
    failures: list[str] = []
    for line in found:
        said = logged.read(line.text, line.priority)
        errors += said.level == logged.ERROR
        # systemd says nothing of the database.
        failed = said.failure and line.speaker != SYSTEMD
        failed = failed or any(pattern.search(line.whole) for pattern in wanted.failures)
        if failed and len(failures) < MOST_FAILURES:
            failures.append(shown(line, wanted))
    return {
        "total": len(found),
        "own": sum(line.speaker != SYSTEMD for line in found),
        "errors": errors,
        "requests": _count(found, wanted.request),
        "refused": _count(found, wanted.refused),
        "errors_before": sum(logged.level(line.text, line.priority) == logged.ERROR for line in before),
        "refused_before": _count(before, wanted.refused),
        "lines": [shown(line, wanted) for line in found[len(found) - min(last, len(found)) :]],
        "failures": failures,
    }


def _count(found: Iterable[Line], pattern: re.Pattern[str]) -> int:
    return sum(pattern.search(line.whole) is not None for line in found)
