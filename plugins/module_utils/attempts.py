"""Make attempts with the service's login, compare the outcomes with the permitted ones, and roll back each attempt."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import psycopg2
from psycopg2 import errors as database_errors

from . import messages, service_login, sessions

_TEXT = {"type": "str", "required": True}
# The options of an attempt (plugins/doc_fragments/attempts.py describes them).
OPTIONS: dict[str, dict[str, Any]] = {
    "id": _TEXT,
    "table": _TEXT,
    "sentence": _TEXT,
    "tenant": {"type": "str"},
    "sql": _TEXT,
    "data": {"type": "str"},
    "visible": {"type": "int"},
    "writes": {"type": "bool", "default": False},
    "expected": {"type": "list", "elements": "str", "required": True},
}
# The time limit for all attempts together, in seconds.
TIMEOUT: dict[str, Any] = {"type": "int", "default": 60}


class Lines:
    """A file object for COPY TO STDOUT that counts and discards the lines: each line is one row."""

    def __init__(self) -> None:
        """Start the count at zero."""
        self.count = 0

    def write(self, data: Any) -> int:
        """Count the line breaks in ``data``; a line break inside a value is escaped."""
        self.count += data.count(b"\n" if isinstance(data, bytes) else "\n")
        return len(data)


def outcome(cursor: Any, attempt: dict[str, Any]) -> str:
    """Run one attempt and return its outcome, such as ``3 rows`` or ``done``. Raises psycopg2.Error."""
    if attempt.get("visible") is not None:
        cursor.execute(attempt["sql"])
        total, young, forbidden = cursor.fetchone()
        if forbidden:
            return f"{total} rows, {forbidden} of which the login must not see"
        return f"{attempt['visible'] if total - young <= attempt['visible'] <= total else total} rows"
    copies = attempt["sql"].startswith("COPY ")
    if copies and attempt["data"] is None:
        lines = Lines()
        cursor.copy_expert(attempt["sql"], lines)
        return f"{lines.count} rows"
    if copies:
        cursor.copy_expert(attempt["sql"], io.StringIO(attempt["data"]))
    else:
        cursor.execute(attempt["sql"])
    return f"{cursor.rowcount} rows" if cursor.rowcount >= 0 else "done"


def make(connection: Any, setting: str, attempts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Make the attempts in one transaction that is never committed, and return a finding for each.

    Raises psycopg2.Error if the session is lost, or if a lock is not free.
    """
    findings = []
    with connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        cursor.execute("SET LOCAL lock_timeout = '5s'")
        for attempt in attempts:
            cursor.execute("SAVEPOINT attempt")
            try:
                if not attempt["writes"]:
                    cursor.execute("SET LOCAL transaction_read_only = on")
                if attempt["tenant"] is not None:
                    cursor.execute("SELECT pg_catalog.set_config(%s, %s, true)", (setting, attempt["tenant"]))
                actual = outcome(cursor, attempt)
            except psycopg2.Error as error:
                # A lock that another session holds shows nothing about the login.
                if connection.closed or isinstance(error, database_errors.LockNotAvailable):
                    raise
                actual = f"error {error.pgcode}"
            cursor.execute("ROLLBACK TO SAVEPOINT attempt")
            findings.append(
                {
                    "check": attempt["id"], "table": attempt["table"], "sentence": attempt["sentence"],
                    "expected": attempt["expected"], "actual": actual, "ok": actual in attempt["expected"],
                }
            )  # fmt: skip
    return findings


def log_in_and_make(
    parameters: Mapping[str, Any],
    password: str,
    environment: Mapping[str, str],
    setting: str,
    attempts: list[dict[str, Any]],
    seconds: float,
) -> dict[str, Any]:
    """Log in as the service, make the attempts within ``seconds`` and return ``{logged_in, problem, findings}``.

    ``problem`` is the reason why the attempts could not be made, or "" if they were made. ``logged_in`` tells a failed
    login from attempts that did not end. After ``seconds``, another session of the same login terminates the session
    that makes the attempts.
    """
    made: dict[str, Any] = {"logged_in": False, "problem": "", "findings": []}
    try:
        with service_login.bounded(parameters, password, environment, seconds, "The attempts") as connection:
            made["logged_in"] = True
            made["findings"] = make(connection, setting, attempts)
    except psycopg2.Error as error:
        text = messages.of_connection(error)
        made["problem"] = f"the attempts failed: {text}" if made["logged_in"] else text
    except sessions.TimeLimitError:
        made["problem"] = f"the attempts took longer than {seconds:g} s"
    return made
