"""Find the level of a log line, and any PostgreSQL error in it that a change to the database may cause.

A word that also occurs in success messages (a table, a column, a driver's name) is ignored. A line is

* **quiet** (info) if it has a level such as INFO, DEBUG or NOTICE in the usual place (the rest is then ignored);
* an **error** if that level is ERROR or worse;
* a **failure** if it is not quiet and contains a PostgreSQL error of a relevant kind. The relevant kinds are those that
  a change to a schema, policies, privileges or a login may cause. The last line of a traceback has no level, so its
  exception alone makes the line a failure.

The kind of an error is its SQLSTATE. It is derived from the client's name for the error, from a code in the line, or
from PostgreSQL's English message. If a line contains only the word for ERROR in another language, the kind is unknown,
and the line counts as a failure. A PostgreSQL error in another language without a name, a code or this word is not
recognized. The line then counts as an error at most.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from psycopg2 import errorcodes

QUIET, WARNING, ERROR = "info", "warning", "error"

# Classes of SQLSTATEs (PostgreSQL manual, appendix A) that the change may cause. They cover unsupported features (a
# cached plan), cardinality, transaction states (read-only, aborted by an earlier error), logins, functions, names,
# syntax and privileges. They also cover PL/pgSQL exceptions, exceeded limits (such as a key that is too long), object
# states and internal errors.
CHANGE_CLASSES = ("0A", "21", "25", "28", "38", "39", "3D", "3F", "42", "44", "54", "55", "P0", "XX")
# Violations of NOT NULL, foreign keys and unique keys, and settings with an empty or invalid value.
CHANGE_CODES = frozenset(("23000", "23502", "23503", "23505", "22P02", "22023"))
# Codes in the classes above that do not count, because timeouts and locks can occur at any time. For the same reason,
# other classes are not listed above. Examples are a lost connection (08, and 57P01: the run itself ends old sessions),
# a deadlock (40) and a full disk (53). Errors in callers' data that do not concern a key (22, 23514) do not count
# either.
OTHER_CODES = frozenset(("25P03", "25P04", "55P03"))

_WORDS = {
    QUIET: "TRACE TRCE TRC DEBUG DEBUG1 DEBUG2 DEBUG3 DEBUG4 DEBUG5 DBUG DBG VERBOSE INFO INFORMATION INF NOTICE",
    WARNING: "WARNING WARN WRN",
    ERROR: "ERROR EROR ERR FAIL CRITICAL CRIT FATAL FTL PANIC DPANIC PNC EMERGENCY EMERG ALERT SEVERE EXCEPTION",
}
_LEVELS = {word: kind for kind, words in _WORDS.items() for word in words.split()}
# Before a colon, the words may be in lower case.
_LOWER_CASE = "|".join(_LEVELS)
# A sentence may begin with these words, so they count only in upper case.
_LEVELS |= {"LOG": QUIET, "SUCCESS": QUIET}
_LEVEL = "|".join(_LEVELS)
# The parts that may precede the level. They are [brackets], times and numbers, time zones, the letter of Ruby's logger,
# separators, user@database, and a name before a separator or the level. Each part ends at a space, a separator or a
# bracket, which prevents catastrophic backtracking.
_BEFORE = (
    rf"(?:\[(?!\s*(?i:{_LEVEL})\s*\])[^\]]*\][,:]?|\([^()]*\)|<?\d[^\s|]*(?=[\s|])"
    rf"|(?:UTC|GMT|[A-Z]{{2,4}}T|[AP]M|[A-Z],)(?=\s)"
    r"|(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun|Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec),?(?=\s)|[-|:]+(?=\s)|\|"
    rf"|[\w.-]+@[\w.-]+(?=\s)|[A-Za-z_][\w.$/-]*(?:(?=\s?\||\s-\s)|(?:\[\d+\])?:(?=\s+(?:{_LEVEL})\b))"
    rf"|(?<=[\d\])Z]\s)[A-Za-z_][\w.$/-]*(?=\s+(?:{_LEVEL})\b))\s*"
)
_AT_ITS_PLACE = re.compile(
    rf"\s*(?:{_BEFORE}){{0,9}}?(?:\[\s*(?P<bracket>(?i:{_LEVEL}))\s*\]|(?P<upper>{_LEVEL})(?=$|[\s:|,])"
    rf"|(?P<word>(?i:{_LOWER_CASE}))(?=\s*:(?:\s|$)))"
    rf"|\[[\d:., -]+: (?P<celery>{_LEVEL})/"
    # The level directly after a time, without spaces in between.
    rf"|\d\S{{0,60}}?(?:\s\S{{0,60}}?)?[:|](?P<tight>{_LEVEL})[:|]"
    r"|(?P<glog>[IWEF])\d{4} \d\d:\d\d:\d\d"
)
_GLOG = {"I": QUIET, "W": WARNING, "E": ERROR, "F": ERROR}
_FIELD = re.compile(r"(?:^|\s)(?:level|lvl|loglevel|levelname|severity|log\.level)=[\"']?(\w+)", re.IGNORECASE)
_LEVEL_KEYS = ("level", "severity", "levelname", "log.level", "loglevel", "lvl", "@level", "LogLevel", "Level")
_COLOUR = re.compile("\x1b\\[[0-9;]*m")

_SQLSTATES: dict[str, str] = {
    code: name
    for name, code in vars(errorcodes).items()
    if name.isupper() and isinstance(code, str) and len(code) == len("00000")
}
# The SQLSTATE for each exception name in psycopg, Ruby's PG and asyncpg (whose names end with Error).
_OF_NAME = {name.replace("_", "").lower(): code for code, name in _SQLSTATES.items()}
_CLIENTS = ("psycopg", "asyncpg", "PG::")
_NAMED = re.compile(r"\b(?:psycopg2?\.errors\.|asyncpg\.exceptions\.|PG::)(\w+)")


def _forms(*forms: tuple[str, str]) -> tuple[tuple[str, re.Pattern[str]], ...]:
    return tuple((needle, re.compile(pattern, re.MULTILINE)) for needle, pattern in forms)


# Each expression is paired with a string that every match contains. The search for this string is fast, and rules out
# most lines.
_CODED = _forms(
    ("SQLSTATE", r"\bSQLSTATE[\"':=\s\[(]{0,4}([0-9A-Z]{5})\b"),
    ("sqlstate", r"\bsqlstate[\"']?\s*[:=]\s*[\"']?([0-9A-Z]{5})\b"),
    ("pgcode", r"\bpgcode[\"']?\s*[:=]\s*[\"']?([0-9A-Z]{5})\b"),
    # A line of an object that Node.js prints, or of a JSON document.
    ("code: ", r"^\s*code: '?([0-9A-Z]{5})'?,?$"),
    ("ERROR", r"\bERROR:?\s+([0-9A-Z]{5})(?::| \()"),
    ("FATAL", r"\bFATAL:?\s+([0-9A-Z]{5})(?::| \()"),
    ("PostgresException", r"\bPostgresException[^:]*: ([0-9A-Z]{5}):"),
)
# The kind of object must be the message's first word, so 'memory type "x" does not exist' does not match.
_BEGINS = r"(?:^|[^\w\s][\"']?)\s*"
_NAME = r"(?:\"[^\"]+\"|[\w.]+)"
_GONE = "does not exist(?!, skipping)"
_DENIED = (
    "materialized view|foreign table|foreign server|large object|table|view|relation|column|schema|sequence|function"
    "|procedure|routine|aggregate|operator|database|language|type|domain|tablespace|parameter"
)
_SENTENCES = tuple(
    (needle, code, re.compile(pattern, re.MULTILINE))
    for needle, code, pattern in (
        ("permission denied", "42501", rf"permission denied (?:for (?:{_DENIED})\b|to set )"),
        ("must be ", "42501", r"must be (?:owner of|superuser|able to SET ROLE)\b"),
        ("row-level security", "42501", r"(?:violates|affected by) row-level security policy"),
        ("relation", "42P01", rf"relation \"[^\"]+\" {_GONE}"),
        ("missing FROM-clause", "42P01", r"missing FROM-clause entry for table"),
        ("column", "42703", rf"column \"[^\"]+\" (?:of relation \"[^\"]+\" )?{_GONE}|{_BEGINS}column {_NAME} {_GONE}"),
        ("unrecognized configuration", "42704", r"unrecognized configuration parameter"),
        (
            "does not exist",
            "42704",
            rf"{_BEGINS}(?:type|constraint|index|trigger|policy) {_NAME} (?:for (?:table|relation) {_NAME} )?{_GONE}",
        ),
        ("function", "42883", rf"{_BEGINS}(?:function|procedure) [\w.\"]+\([^)]*\) (?:{_GONE}|is not unique)"),
        ("operator does not exist", "42883", rf"{_BEGINS}operator does not exist: "),
        ("schema", "3F000", rf"{_BEGINS}schema {_NAME} {_GONE}"),
        ("database", "3D000", rf"{_BEGINS}database \"[^\"]+\" {_GONE}"),
        ("role", "28000", rf"{_BEGINS}role \"[^\"]+\" (?:{_GONE}|is not permitted to log in)"),
        ("pg_hba.conf", "28000", r"no pg_hba\.conf entry for |pg_hba\.conf rejects connection"),
        ("authentication failed", "28P01", r"password authentication failed for user"),
        ("ON CONFLICT", "42P10", r"no unique or exclusion constraint matching the ON CONFLICT"),
        ("ON CONFLICT", "21000", r"ON CONFLICT DO UPDATE command cannot affect row a second time"),
        ("more than one row", "21000", r"more than one row returned by a subquery"),
        ("more than one row", "P0003", r"query returned more than one row"),
        ("infinite recursion", "42P17", r"infinite recursion detected in (?:policy|rules)"),
        ("is ambiguous", "42702", r"column reference \"[^\"]+\" is ambiguous"),
        ("syntax error at", "42601", r"syntax error at (?:or near|end of input)"),
        ("INSERT has more", "42601", r"INSERT has more (?:expressions|target columns) than "),
        ("but expression is of type", "42804", r"column \"[^\"]+\" is of type .+ but expression is of type"),
        ("not-null", "23502", r"violates not-null constraint"),
        ("foreign key", "23503", r"violates foreign key constraint"),
        ("duplicate key", "23505", r"duplicate key value violates unique constraint"),
        ("check constraint", "23514", r"violates check constraint"),
        ("exclusion constraint", "23P01", r"violates exclusion constraint"),
        ("read-only transaction", "25006", r"cannot execute [A-Z ]+ in a read-only transaction"),
        ("transaction is aborted", "25P02", r"current transaction is aborted, commands ignored"),
        ("cached plan", "0A000", r"cached plan must not change result type"),
        ("invalid input syntax", "22P02", r"invalid input syntax for type .+: \"\""),
        ("cache lookup failed", "XX000", r"cache lookup failed for "),
        ("index row", "54000", r"index row (?:size \d+ exceeds|requires \d+ bytes)"),
        ("stack depth", "54001", r"stack depth limit exceeded"),
    )
)
# Libraries that wrap the driver raise exceptions with the names of the DB API, without the SQLSTATE.
_WRAPPERS = ("sqlalchemy.exc.", "django.db.utils.")
_WRAPPED = re.compile(
    r"\b(?:sqlalchemy\.exc|django\.db\.utils)\.(ProgrammingError|NotSupportedError|InternalError|IntegrityError)\b"
)
_OF_WRAPPER = {
    "ProgrammingError": "42000", "NotSupportedError": "0A000", "InternalError": "XX000", "IntegrityError": "23000",
}  # fmt: skip
# ERROR in the languages of PostgreSQL's messages, as libpq writes it: with two spaces after the colon.
_TRANSLATED = re.compile(r"(?<!\w)(?:FEHLER|ERREUR|ERRORE|ERRO|ОШИБКА|ПОМИЛКА|BŁĄD|CHYBA|FEL|HATA|오류|错误|錯誤):  \S")
_OF_VALUE = "22P02"
# Matches a caller's value that does not fit the type. An empty value comes from a setting instead.
_VALUE = re.compile(r": [\"„\u201c»«]\s?[^\"„\u201c\u201d»«\s]")
# Lines that belong to an error and quote callers' data.
_QUOTING = re.compile(r"\s*(?:DETAIL|CONTEXT|HINT|STATEMENT|QUERY|LINE \d+|\[SQL|\[parameters):")
# The levels of the journal and of syslog (GELF) are at most 7, and 3 is an error. The levels of pino and bunyan are at
# least 10.
_ERROR_PRIORITY, _SYSLOG_LAST = 3, 7
_PINO_WARNING, _PINO_ERROR = 40, 50


@dataclass(frozen=True)
class Said:
    """The meaning of a line: its level, if any, and whether it is a failure, with its SQLSTATE if known."""

    level: str | None
    failure: bool = False
    code: str | None = None


def level(text: str, priority: int | None = None) -> str | None:
    """Return the level of a line; ``priority`` is its priority in the journal, usually 6 for a program's output."""
    document = _document(text)
    found = _level(_plain(text)) if document is None else _level_of_document(document)
    return ERROR if found is None and priority is not None and priority <= _ERROR_PRIORITY else found


def read(text: str, priority: int | None = None) -> Said:
    """Return the meaning of a line; ``priority`` means the same as in ``level``."""
    found, document = level(text, priority), _document(text)
    said = _plain(text) if document is None else "\n".join(_values(document))
    if found == QUIET or (found is None and _QUOTING.match(said)):
        return Said(found)
    # In a document without a level, "code" may have any meaning.
    codes = list(_codes(said, coded=document is None or found is not None)) or list(_wrapped(said))
    relevant = next((code for code in codes if _is_of_change(code, said)), None)
    return Said(found, relevant is not None or (not codes and _TRANSLATED.search(said) is not None), relevant)


def condition(code: str) -> str:
    """Return PostgreSQL's name for an SQLSTATE, such as insufficient_privilege."""
    return _SQLSTATES.get(code, "").lower().rstrip("_")


def sqlstate(text: str) -> str | None:
    """Return the most reliable SQLSTATE in a line, of any kind."""
    return next(_codes(text, coded=True), None)


def _plain(text: str) -> str:
    """Return a line without ANSI color codes."""
    return _COLOUR.sub("", text) if "\x1b" in text else text


def _level(text: str) -> str | None:
    """Return the level of a plain-text line: a level name in the usual place, or a logfmt field."""
    if found := _AT_ITS_PLACE.match(text):
        if found["glog"]:
            return _GLOG[found["glog"]]
        return _LEVELS[found[found.lastgroup or 0].upper()]
    if "=" in text and (found := _FIELD.search(text)):
        return _LEVELS.get(found[1].upper())
    return None


def _document(text: str) -> Mapping[str, Any] | None:
    """Return the JSON document of a structured log's line, or None."""
    if not text.startswith("{"):
        return None
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, Mapping) else None


def _level_of_document(document: Mapping[str, Any]) -> str | None:
    log = document.get("log")
    for place in (document, log if isinstance(log, Mapping) else {}):
        for key in _LEVEL_KEYS:
            value = place.get(key)
            if isinstance(value, str) and value.upper() in _LEVELS:
                return _LEVELS[value.upper()]
            if isinstance(value, int) and not isinstance(value, bool):
                return _level_of_number(value)
    return None


def _level_of_number(number: int) -> str:
    if number <= _SYSLOG_LAST:
        return ERROR if number <= _ERROR_PRIORITY else WARNING if number == _ERROR_PRIORITY + 1 else QUIET
    return ERROR if number >= _PINO_ERROR else WARNING if number >= _PINO_WARNING else QUIET


def _values(document: Mapping[str, Any]) -> Iterator[str]:
    """Yield the strings in a document, each after its key. Unlike recursion, a loop handles any depth."""
    left: list[tuple[str, Any]] = [("", document)]
    while left:
        key, value = left.pop()
        if isinstance(value, Mapping):
            left += value.items()
        elif isinstance(value, list):
            left += [(key, item) for item in value]
        elif isinstance(value, str):
            yield f"{key}: {value}"


def _codes(text: str, *, coded: bool) -> Iterator[str]:
    """Yield the SQLSTATEs in a line, the most reliable first."""
    if any(needle in text for needle in _CLIENTS):
        for found in _NAMED.finditer(text):
            name = found[1].lower().rstrip("_").removeprefix("postgres")
            if code := _OF_NAME.get(name) or _OF_NAME.get(name.removesuffix("error")):
                yield code
    for needle, pattern in _CODED:
        if needle in text and (coded or needle != "code: "):
            yield from (found[1] for found in pattern.finditer(text) if found[1] in _SQLSTATES)
    for needle, code, pattern in _SENTENCES:
        if needle in text and pattern.search(text):
            yield code


def _wrapped(text: str) -> Iterator[str]:
    """Yield the generic SQLSTATEs of the wrapper exceptions in a line, for use if the line has no specific SQLSTATE."""
    if any(needle in text for needle in _WRAPPERS):
        yield from (_OF_WRAPPER[found[1]] for found in _WRAPPED.finditer(text))


def _is_of_change(code: str, text: str) -> bool:
    """Return whether the change may cause an error with this SQLSTATE."""
    if code == _OF_VALUE and _VALUE.search(text):
        return False
    return code in CHANGE_CODES or (code.startswith(CHANGE_CLASSES) and code not in OTHER_CODES)
