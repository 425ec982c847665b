"""The administrator's sessions: their settings come from here, whatever role, database and environment say.

Whoever owns the service's login may own functions, operators and the settings of role and database. A session of the
administrator resolves no name of theirs and keeps none of their settings. What runs their code all the same is bounded
from outside: within the session it can swallow or reset a timeout.
"""

from __future__ import annotations

import contextlib
import re
import socket
import sys
import threading
from collections.abc import Iterator, Mapping
from typing import Any

from .errors import TenancyError

try:
    import psycopg2
except ImportError:
    psycopg2 = None

# How the sessions of a run call themselves, so that one that is left behind is known.
APPLICATION = "tenancy runbook"

# Settings at the start of a session come before those of role and database (PostgreSQL manual, 20.1.3).
SETTINGS: Mapping[str, str] = {
    "search_path": "pg_catalog,pg_temp",
    "role": "none",
    "local_preload_libraries": "",
    "lc_messages": "C",
    "client_encoding": "UTF8",
    # Definitions are compared as they are printed.
    "quote_all_identifiers": "off",
    # What builds an index needs as much room as the index.
    "temp_file_limit": "-1",
    "track_counts": "on",
    "jit": "off",
    "statement_timeout": "0",
    "lock_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "standard_conforming_strings": "on",
    "session_replication_role": "origin",
    "row_security": "on",
    "check_function_bodies": "on",
    "default_transaction_read_only": "off",
    "default_transaction_isolation": "read committed",
    "default_transaction_deferrable": "off",
    # A CHECK is never planned with, and so none of its constants is computed.
    "constraint_exclusion": "off",
}
# What only reads cannot write by accident, sees one state of the database however long it takes, and fails where row
# security would filter it.
READING: Mapping[str, str] = {
    "default_transaction_read_only": "on",
    "default_transaction_isolation": "repeatable read",
    "row_security": "off",
    # Whoever may read a table may lock it, and go away.
    "lock_timeout": "60s",
}
# An unknown name in ``options`` refuses the session: these are given to it where the server knows them. No view of the
# database's owner stands in for a table, a client that is gone is noticed, and nobody ends the session from inside.
KNOWN_BY_SOME: Mapping[str, str] = {
    "restrict_nonsystem_relation_kind": "view,foreign-table",
    "client_connection_check_interval": "1s",
    "idle_session_timeout": "0",
    "transaction_timeout": "0",
}

# What else a session needs, as one JSON object of names and values: the settings above that this server knows, and the
# server's own value of everything that is set for this role or database. Reads the catalogs alone.
QUERY = f"""
WITH given (name, value) AS (
  VALUES {", ".join(f"('{name}', '{value}')" for name, value in KNOWN_BY_SOME.items())}
),
preset AS (
  SELECT DISTINCT lower(split_part(x.entry, '=', 1)) AS name
  FROM pg_catalog.pg_db_role_setting s
  CROSS JOIN LATERAL unnest(s.setconfig) AS x (entry)
  WHERE s.setrole IN (0, (SELECT oid FROM pg_catalog.pg_roles WHERE rolname = session_user))
    AND s.setdatabase IN (0, (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database()))
),
filed AS (
  SELECT DISTINCT ON (lower(name)) lower(name) AS name, setting
  FROM pg_catalog.pg_file_settings WHERE applied ORDER BY lower(name), seqno DESC
)
SELECT coalesce(json_object_agg(name, value), '{{}}') AS settings FROM (
  SELECT g.name, g.value FROM given g JOIN pg_catalog.pg_settings k USING (name)
  UNION ALL
  SELECT p.name, coalesce(f.setting, k.boot_val, '')
  FROM preset p
  LEFT JOIN pg_catalog.pg_settings k ON lower(k.name) = p.name
  LEFT JOIN filed f ON f.name = p.name
  WHERE p.name NOT IN (SELECT name FROM given) AND p.name ~ '^[a-z_][a-z0-9_$]*([.][a-z_][a-z0-9_$]*)*$'
    AND p.name NOT IN ('session_authorization', {", ".join(f"'{name}'" for name in SETTINGS)})
    -- The others are the server's own, or are fixed once a session has begun.
    AND coalesce(k.context, 'user') IN ('user', 'superuser')
) AS found
"""
# Seconds that a session that was ended from outside has to go before its connection is cut.
GRACE = 5


class SessionError(TenancyError):
    """A session of the administrator is not what it must be; the message says why."""


class TimeLimitError(TenancyError):
    """What was bounded did not end in time, and was ended from outside; the message names it."""


def options(
    settings: Mapping[str, str] | None = None, kind: str = "writing", more: Mapping[str, str] | None = None
) -> str:
    """Return libpq's ``options`` of an administrator's session.

    ``settings`` is what QUERY selects; the fixed settings of all sessions come on top, then those of ``kind``
    (``reading`` for what must not write), then ``more``. Raises ValueError for an unknown kind.
    """
    kinds: Mapping[str, Mapping[str, str]] = {"reading": READING, "writing": {}}
    if kind not in kinds:
        raise ValueError(f"Unknown kind of session {kind!r}: use {' or '.join(kinds)}.")
    chosen = {**(settings or {}), **SETTINGS, **kinds[kind], **(more or {})}
    return written(chosen)


def written(settings: Mapping[str, str]) -> str:
    """Return settings as libpq's ``options``: for a login that may not set all that the administrator sets."""
    return " ".join(f"-c {name}={_escaped(value)}" for name, value in settings.items())


def connect(
    database: str, port: int, *, host: str = "", settings: Mapping[str, str] | None = None, kind: str = "writing"
) -> Any:
    """Return a connection of the administrator, in no transaction yet.

    ``host`` is the directory of the server's socket, "" for libpq's own; ``settings`` come on top of those of ``kind``.
    Raises psycopg2.Error, and SessionError if psycopg2 is missing or the session is not the administrator's own.
    """
    if psycopg2 is None:
        raise SessionError(f"{sys.executable} has no psycopg2: apt-get install python3-psycopg2.")
    where = {"host": host} if host else {}
    connection = psycopg2.connect(
        dbname=database, port=port, application_name=APPLICATION, options=options(None, kind, settings), **where
    )
    try:
        prepare(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def prepare(connection: Any) -> None:
    """Give a new session what its start could not: see QUERY. Raises psycopg2.Error and SessionError."""
    connection.autocommit = True
    with connection.cursor() as cursor:
        # ALTER ROLE ... SET session_authorization is no setting that a start overrides.
        cursor.execute("SET SESSION AUTHORIZATION DEFAULT")
        cursor.execute("SELECT current_user, session_user, current_setting('is_superuser') = 'on'")
        acts_as, logged_in_as, is_superuser = cursor.fetchone()
        if acts_as != logged_in_as:
            raise SessionError(
                f"The session of {logged_in_as} works as {acts_as}: ALTER ROLE {logged_in_as} RESET role."
            )
        if is_superuser:
            cursor.execute(QUERY)
            for name, value in cursor.fetchone()[0].items():
                cursor.execute("SELECT set_config(%s, %s, false)", (name, value))
    connection.autocommit = False


@contextlib.contextmanager
def bounded(connection: Any, guard: Any, seconds: float, what: str) -> Iterator[None]:
    """End the connection's session from ``guard``, another one's connection, where the block takes longer.

    Raises TimeLimitError then, which names ``what``. A session that does not even obey that is left alone.
    """
    over, fired = threading.Event(), threading.Event()
    pid = connection.info.backend_pid

    def watch() -> None:
        if over.wait(seconds):
            return
        fired.set()
        # Without an answer the connection is cut all the same.
        with contextlib.suppress(psycopg2.Error), guard.cursor() as cursor:
            cursor.execute("SELECT pg_catalog.pg_terminate_backend(%s)", (pid,))
        if not over.wait(GRACE):
            with (
                contextlib.suppress(OSError),
                socket.fromfd(connection.fileno(), socket.AF_UNIX, socket.SOCK_STREAM) as s,
            ):
                s.shutdown(socket.SHUT_RDWR)

    message = (
        f"{what} did not end within {seconds:g} s and was ended from outside: code of the database that it calls (a"
        " trigger, a CHECK, a function in an index) does not return, or another session keeps it waiting."
    )
    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    except psycopg2.Error as error:
        if fired.is_set():
            raise TimeLimitError(message) from error
        raise
    finally:
        over.set()
        watcher.join()
    if fired.is_set():
        raise TimeLimitError(message)


def parse_options(text: str) -> dict[str, str]:
    """Return the settings in libpq's ``options``: ``-c name=value``, ``-cname=value`` and ``--name=value``."""
    words = [re.sub(r"\\(.)", r"\1", word) for word in re.findall(r"(?:\\.|[^\s\\])+", text)]
    found: dict[str, str] = {}
    rest = iter(words)
    for word in rest:
        if word == "-c":
            word = next(rest, "")
        elif word.startswith(("-c", "--")):
            word = word[2:]
        else:
            continue
        name, given, value = word.partition("=")
        if given:
            found[name.replace("-", "_").lower()] = value
    return found


def _escaped(value: str) -> str:
    """Return a value as libpq's ``options`` want it: blanks and backslashes behind a backslash."""
    return re.sub(r"([\\\s])", r"\\\1", value)
