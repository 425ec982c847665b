"""Lines of PostgreSQL's log and of the journal: when, who, how severe, and the message without what is unknown."""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from .redaction import MARK, Known, message
from .redaction_sql import statement
from .vocabulary import EXCEPTIONS, SQLSTATES

_SEVERITIES = (
    "DEBUG[1-5]|LOG|INFO|NOTICE|WARNING|ERROR|FATAL|PANIC|DETAIL|HINT|QUERY|CONTEXT|LOCATION|STATEMENT|BACKTRACE"
)
_RECORD = re.compile(rf"(?s)(?P<prefix>[^\n]*?)\b(?P<severity>{_SEVERITIES}):  (?P<text>.*)")
_PREFIX = re.compile(
    r"(?P<keep>20\d\d-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d{3})? [A-Z]{3,5}|\[\d{1,7}(?:-\d+)?\]|\[local\])"
    r"|(?P<word>\w+)|(?P<rest>[^\w])"
)
_LOGGED = re.compile(
    r"(?s)(?P<head>(?:duration: [\d.]+ ms(?:  |$))?)"
    r"(?P<what>statement|execute [^:]*|parse [^:]*|bind [^:]*|prepare|plan|fastpath function call)?(?::\s*(?P<sql>.*))?"
)
# Where something happened, as PostgreSQL says it; what follows, and whatever else it says there, quotes what was sent.
_PLACE = re.compile(
    r"PL/pgSQL function [\w.]+\([^()']*\) line \d+ at [\w ]+|SQL function \"\w+\" statement \d+"
    r"|(?:automatic|while) [\w ]+ (?:\([\d,]+\) )?(?:of table|in relation) \"[\w.]+\""
    r"|COPY \w+, line \d+(?:, column \w+)?"
)
_OWN = ("checkpoint ", "restartpoint ", "automatic ", "starting PostgreSQL ", "listening on ", "temporary file: ")
_LEVEL = r"DEBUG|INFO|NOTICE|WARNING|ERROR|CRITICAL|FATAL"
_ACCESS = re.compile(
    r'(?:INFO:?\s+)?(?:[\da-fA-F.:]+ - )?"(?P<method>[A-Z]{3,7}) (?P<path>\S*) HTTP/[\d.]+" (?P<status>\d{3}).*'
)
_GUNICORN = re.compile(
    rf"\[(?P<time>[-\d]{{10}} [\d:]{{8}} [-+]\d{{4}})\] \[(?P<pid>\d+)\] \[(?P<level>{_LEVEL})\] (?P<text>.*)"
)
_LEVELLED = re.compile(rf"(?P<level>{_LEVEL})(?P<colon>:?)\s+(?P<text>.*)")
_FRAME = re.compile(r'\s*File "(?P<path>/[\w./+-]*\.py|<[a-z. ]+>)", line (?P<line>\d+), in (?P<name>[\w<>]+)')
_RAISED = re.compile(r"(?P<path>(?:\w+\.)*)(?P<name>\w+)(?::(?P<text>.*))?")
_SPOKEN = (
    "Traceback (most recent call last):",
    "During handling of the above exception, another exception occurred:",
    "The above exception was the direct cause of the following exception:",
)


def postgresql_log(text: str, known: Known) -> str:
    """Return PostgreSQL's log (``log_destination = stderr``) with known prefixes, severities and words only.

    Lines of another form are replaced by how many they were.
    """
    kept: list[str] = []
    for record in _records(text.splitlines()):
        found = _RECORD.fullmatch(record)
        if found is None:
            kept.append(f"{MARK} a line of unknown form")
        else:
            spoken = _spoken(found["severity"], found["text"], known)
            kept.append(f"{_prefix(found['prefix'], known)}{found['severity']}:  {spoken}".replace("\n", "\n\t"))
    return "\n".join(kept) + "\n"


def _records(lines: Iterable[str]) -> Iterator[str]:
    """Yield records: PostgreSQL begins the further lines of one with a tab."""
    record: list[str] = []
    for line in lines:
        if line.startswith("\t") and record:
            record.append(line[1:])
            continue
        if record:
            yield "\n".join(record)
        record = [line]
    if record:
        yield "\n".join(record)


def _prefix(text: str, known: Known) -> str:
    parts = []
    for found in _PREFIX.finditer(text):
        harmless = found.lastgroup != "word" or known.word(found.group()) or found.group() in SQLSTATES
        parts.append(found.group() if harmless else MARK)
    return "".join(parts)


def _spoken(severity: str, text: str, known: Known) -> str:
    if severity in ("STATEMENT", "QUERY"):
        return statement(text, known)
    if severity == "DETAIL":
        return "\n".join(_detail(line, known) for line in text.split("\n"))
    if severity == "CONTEXT":
        return "\n".join(_context(line, known) for line in text.split("\n"))
    if severity in ("LOCATION", "BACKTRACE"):
        return MARK
    logged = _LOGGED.fullmatch(text) if severity in ("LOG", "INFO", "NOTICE") else None
    if logged is not None and (logged["head"] or logged["what"]):
        what = f"{message(logged['what'], known)}: {statement(logged['sql'] or '', known)}" if logged["what"] else ""
        return logged["head"] + what
    # What the server says of itself; callers have no part in it.
    return message(text, known, numbers=severity == "LOG" and text.startswith(_OWN))


def _context(line: str, known: Known) -> str:
    """Return where something happened, without what it happened to."""
    found = _PLACE.match(line)
    if found is None:
        return MARK
    return message(found.group(), known) + (f": {MARK}" if found.end() < len(line) else "")


def _detail(line: str, known: Known) -> str:
    """Return a line of a detail where its form is known: which key, and who waits for whom."""
    if re.fullmatch(r"Key \([\w, \"]+\)=\(.*", line) or line.startswith("Failing row contains ("):
        return message(line, known)
    waits = re.fullmatch(r"Process \d+ waits for \w+ on [\w ();,]+; blocked by process \d+\.", line)
    if waits:
        return line
    if waiting := re.fullmatch(r"(?s)(Process \d+: )(.*)", line):
        return waiting[1] + statement(waiting[2], known)
    return MARK


def journal(text: str, known: Known) -> str:
    """Return the journal, given as journalctl writes it in JSON, one line an entry and line of its message."""
    return "".join(f"{line}\n" for entry in text.splitlines() if entry.strip() for line in _entry(entry, known))


def _entry(entry: str, known: Known) -> Iterator[str]:
    try:
        fields: dict[str, Any] = json.loads(entry)
        time = datetime.datetime.fromtimestamp(int(fields["__REALTIME_TIMESTAMP"]) / 1e6, datetime.UTC)
    except (ValueError, KeyError, TypeError):
        yield f"{MARK} a line of unknown form"
        return
    said = fields.get("MESSAGE")
    if isinstance(said, list):
        # What is no text comes as numbers.
        said = bytes(said).decode("utf-8", errors="replace")
    speaker = str(fields.get("SYSLOG_IDENTIFIER", "-"))
    name = speaker if speaker == "-" or known.title(speaker) else MARK
    head = f"{time.isoformat(timespec='milliseconds')} {name}[{int(fields.get('_PID', 0))}]: "
    for line in str(said or "").split("\n"):
        yield head + (message(line, known) if speaker == "systemd" else journal_message(line, known))


def journal_message(line: str, known: Known) -> str:
    """Return one line that a Python service wrote: where its form is known, and with known words only."""
    if line in _SPOKEN:
        return line
    if found := _ACCESS.fullmatch(line):
        path = message(found["path"].partition("?")[0], known)
        return f'"{found["method"]} {path} HTTP" {found["status"]}'
    if found := _GUNICORN.fullmatch(line):
        return f"[{found['time']}] [{found['pid']}] [{found['level']}] {message(found['text'], known)}"
    if found := _LEVELLED.fullmatch(line):
        return f"{found['level']}{found['colon']} {message(found['text'], known)}"
    if found := _FRAME.fullmatch(line):
        return f'  File "{message(found["path"], known)}", line {found["line"]}, in {message(found["name"], known)}'
    found = _RAISED.fullmatch(line)
    if found and found["name"] in EXCEPTIONS:
        text = f":{message(found['text'], known)}" if found["text"] else ""
        return f"{message(found['path'], known)}{found['name']}{text}"
    if line.startswith(("connection to server ", "[ERROR]", "DETAIL:", "CONTEXT:", "HINT:", "LINE ")):
        return message(line, known)
    return MARK
