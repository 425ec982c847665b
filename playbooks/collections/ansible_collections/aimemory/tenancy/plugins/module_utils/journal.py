"""The journal of a service: how many of its lines are of a kind, and those that may be shown."""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .messages import visible
from .redaction import MARK, Known, message, without
from .redaction_logs import journal_message


@dataclass(frozen=True)
class Line:
    """One line: who wrote it, ``head`` (when, where and who), and its text."""

    speaker: str
    head: str
    text: str

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
    time = datetime.datetime.fromtimestamp(int(fields["__REALTIME_TIMESTAMP"]) / 1e6, datetime.UTC)
    said = fields.get("MESSAGE")
    # What is no text comes as numbers.
    text = bytes(said).decode("utf-8", errors="replace") if isinstance(said, list) else str(said or "")
    speaker = str(fields.get("SYSLOG_IDENTIFIER", "-"))
    host, pid = fields.get("_HOSTNAME", "-"), fields.get("_PID", 0)
    head = f"{time.isoformat(timespec='seconds')} {host} {speaker}[{pid}]: "
    for line in text.split("\n"):
        yield Line(speaker, head, line)


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

    ``patterns`` are regular expressions: failure (case ignored), error, request and refused. Returned are ``total``,
    ``own`` (not of systemd), ``errors``, ``requests`` and ``refused`` of the first, ``errors_before`` and
    ``refused_before`` of the second, and as texts that may be shown the ``last`` ``lines`` and all ``failures``.
    """
    failing = re.compile(patterns["failure"], re.IGNORECASE)
    return {
        "total": len(found),
        "own": sum(line.speaker != "systemd" for line in found),
        "errors": _count(found, patterns["error"]),
        "requests": _count(found, patterns["request"]),
        "refused": _count(found, patterns["refused"]),
        "errors_before": _count(before, patterns["error"]),
        "refused_before": _count(before, patterns["refused"]),
        "lines": [shown(line, known, secrets) for line in found[-last:]],
        "failures": [shown(line, known, secrets) for line in found if failing.search(line.whole)],
    }


def _count(found: Iterable[Line], pattern: str) -> int:
    wanted = re.compile(pattern)
    return sum(wanted.search(line.whole) is not None for line in found)
