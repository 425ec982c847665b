"""The journal of a service: how many of its lines are of a kind, and those that may be shown."""

from __future__ import annotations

import datetime
import functools
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from . import logged
from .messages import visible
from .redaction import MARK, Known, message, without
from .redaction_logs import journal_message

# A service that fails at every request says no more in all of its lines.
MOST_FAILURES = 50


@dataclass(frozen=True)
class Line:
    """One line: who wrote it, ``head`` (when, where and who), its text, and the journal's priority."""

    speaker: str
    head: str
    text: str
    priority: int | None = None

    @property
    def whole(self) -> str:
        """Return the line as journalctl's short-iso shows it: what patterns are looked for in."""
        return f"{self.head}{self.text}"


def lines(output: str) -> list[Line]:
    """Return the lines in what ``journalctl --output=json`` prints, the oldest first. Raises ValueError."""
    return [line for entry in output.split("\n") if entry.strip() for line in _of_entry(json.loads(entry))]


def since_start(found: list[Line]) -> list[Line]:
    """Return the lines behind the one by which systemd says that the unit stopped, if there is one; else all.

    systemd's times are whole seconds here: what the stop itself logged in that second is not of the start.
    """
    for number, line in enumerate(found):
        if line.speaker == "systemd" and line.text.startswith("Stopped "):
            return found[number + 1 :]
    return found


def _of_entry(fields: Mapping[str, Any]) -> Iterator[Line]:
    said = fields.get("MESSAGE")
    # What is no text comes as numbers.
    text = bytes(said).decode("utf-8", errors="replace") if isinstance(said, list) else str(said or "")
    speaker = str(fields.get("SYSLOG_IDENTIFIER", "-"))
    host, pid = fields.get("_HOSTNAME", "-"), fields.get("_PID", 0)
    head = f"{_time(int(fields['__REALTIME_TIMESTAMP']) // 1_000_000)} {host} {speaker}[{pid}]: "
    priority = str(fields.get("PRIORITY", ""))
    for line in text.split("\n"):
        yield Line(speaker, head, line, int(priority) if priority.isdigit() else None)


@functools.lru_cache(maxsize=16)
def _time(second: int) -> str:
    """Return a time as text; many lines have the same."""
    return datetime.datetime.fromtimestamp(second, datetime.UTC).isoformat()


def shown(line: Line, known: Known, secrets: Iterable[str]) -> str:
    """Return a line as it may be shown and kept: with known words only, and no character that is obeyed."""
    head, text = line.head, line.text
    if line.speaker != "-" and not known.title(line.speaker):
        head = head.replace(f" {line.speaker}[", f" {MARK}[")
    told = message(text, known) if line.speaker == "systemd" else journal_message(text, known)
    return visible(without(f"{head}{told}", secrets))


def summary(
    found: list[Line], before: list[Line], patterns: Mapping[str, str], known: Known, secrets: list[str], last: int
) -> dict[str, Any]:
    """Return what is told of the lines since the start and of those before the stop.

    ``patterns`` are regular expressions: failure (case ignored; of the application's own, beside those that ``logged``
    knows), request and refused. Returned are ``total``, ``own`` (not of systemd), ``errors``, ``requests`` and
    ``refused`` of the first, ``errors_before`` and ``refused_before`` of the second, and as texts that may be shown the
    ``last`` ``lines`` and the first ``failures``.
    """
    failing = re.compile(patterns["failure"], re.IGNORECASE) if patterns["failure"] else None
    errors = 0
    failures: list[str] = []
    for line in found:
        said = logged.read(line.text, line.priority)
        errors += said.level == logged.ERROR
        # systemd says nothing of the database.
        of_database = said.failure and line.speaker != "systemd"
        if (of_database or (failing and failing.search(line.whole))) and len(failures) < MOST_FAILURES:
            failures.append(_with_code(shown(line, known, secrets), said.code))
    return {
        "total": len(found),
        "own": sum(line.speaker != "systemd" for line in found),
        "errors": errors,
        "requests": _count(found, patterns["request"]),
        "refused": _count(found, patterns["refused"]),
        "errors_before": sum(logged.level(line.text, line.priority) == logged.ERROR for line in before),
        "refused_before": _count(before, patterns["refused"]),
        "lines": [shown(line, known, secrets) for line in found[-last:]],
        "failures": failures,
    }


def _with_code(text: str, code: str | None) -> str:
    """Return a line with its SQLSTATE, which nothing else tells of a line that is left out."""
    return f"{text} (SQLSTATE {code})" if code and MARK in text else text


def _count(found: Iterable[Line], pattern: str) -> int:
    wanted = re.compile(pattern)
    return sum(wanted.search(line.whole) is not None for line in found)
