"""Extract facts for the support archive from logs: the time, level, SQLSTATE and unit of each line."""

from __future__ import annotations

import datetime
import re

from ...module_utils import journal, logged

_SEVERITIES = (
    "DEBUG[1-5]|LOG|INFO|NOTICE|WARNING|ERROR|FATAL|PANIC|DETAIL|HINT|QUERY|CONTEXT|LOCATION|STATEMENT|BACKTRACE"
)
_RECORD = re.compile(rf"(20\d\d-\d\d-\d\d \d\d:\d\d:\d\d)?[^\n]*?\b({_SEVERITIES}):  (.*)")


def of_journal(text: str, unit: str) -> str:
    """Return a line of facts for each line of a journal in journalctl's JSON. Raises ValueError for other formats."""
    return "".join(
        _line(
            line.time,
            logged.level(line.text, line.priority),
            None if line.speaker == journal.SYSTEMD else logged.sqlstate(line.text),
            journal.SYSTEMD if line.speaker == journal.SYSTEMD else unit,
        )
        for line in journal.lines(text.split("\n"))
    )


def of_postgresql(text: str, unit: str) -> str:
    """Return a line of facts for each record of PostgreSQL's log (``stderr``), with times in ``log_timezone``."""
    # PostgreSQL starts continuation lines of a record with a tab.
    records = (_RECORD.match(line) for line in text.splitlines() if not line.startswith("\t"))
    return "".join(
        _line(_time(found[1]), found[2], logged.sqlstate(found[3]) if found[2] in _FAILING else None, unit)
        if found
        else _line(None, None, None, unit)
        for found in records
    )


def raw_journal(text: str) -> str:
    """Return the lines of a journal in journalctl's JSON, with their unchanged text, in the format short-iso."""
    return "".join(f"{line.whole}\n" for line in journal.lines(text.split("\n")))


_FAILING = ("ERROR", "FATAL", "PANIC", "WARNING")


def _time(text: str | None) -> str | None:
    try:
        return datetime.datetime.strptime(text or "", "%Y-%m-%d %H:%M:%S").isoformat()
    except ValueError:
        return None


def _line(time: str | None, level: str | None, code: str | None, unit: str) -> str:
    return f"{time or '-':<25} {level or '-':<9} {code or '-':<5} {unit}\n"
