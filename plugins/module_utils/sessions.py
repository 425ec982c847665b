"""The administrator's sessions, whose settings come from this module, not from the role, database or environment.

The service's login may own functions and operators, and may set the settings of its role and database. A session of the
administrator never resolves names to these objects and never uses these settings. If the session nevertheless runs the
login's code, another session limits its duration, because code inside the session can catch or reset a timeout.
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
from .identity import acting_as

try:
    import psycopg2
except ImportError:
    psycopg2 = None

# The application_name of a run's sessions, by which a later run recognizes a session that still exists.
APPLICATION = "tenancy runbook"

# Settings at the start of a session override the settings of the role and the database (PostgreSQL manual, 20.1.3).
SETTINGS: Mapping[str, str] = {
    "search_path": "pg_catalog,pg_temp",
    "role": "none",
    "local_preload_libraries": "",
    "lc_messages": "C",
    "client_encoding": "UTF8",
    # Definitions are compared as text.
    "quote_all_identifiers": "off",
    # Building an index needs temporary files as large as the index.
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
    # With "off", the planner does not use CHECK constraints, and does not evaluate their constants.
    "constraint_exclusion": "off",
}
# A read-only session cannot write by accident, and sees a single state of the database. A query fails if row security
# would filter its result.
READING: Mapping[str, str] = {
    "default_transaction_read_only": "on",
    "default_transaction_isolation": "repeatable read",
    "row_security": "off",
    # Any role that can read a table can also lock the table and keep the lock.
    "lock_timeout": "60s",
}
# The server rejects a session with an unknown name in ``options``. These settings are therefore set after its start, if
# the server supports them. With them, no view of the database's owner can replace a table, the server detects a lost
# client, and no setting ends the session early.
OPTIONAL_SETTINGS: Mapping[str, str] = {
    "restrict_nonsystem_relation_kind": "view,foreign-table",
    "client_connection_check_interval": "1s",
    "idle_session_timeout": "0",
    "transaction_timeout": "0",
}

# The other settings that a session needs, as one JSON object of names and values. They are the settings above that this
# server supports, and the server's own value of every setting that is set for this role or database. The query reads
# only catalogs.
QUERY = f"""
WITH given (name, value) AS (
  VALUES {", ".join(f"('{name}', '{value}')" for name, value in OPTIONAL_SETTINGS.items())}
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
    -- Settings with other contexts have the server's value, or cannot change after the start of a session.
    AND coalesce(k.context, 'user') IN ('user', 'superuser')
) AS found
"""
# The seconds between the termination of a session and the shutdown of its connection.
GRACE = 5


class SessionError(TenancyError):
    """A session is not the administrator's own; the message gives the reason."""


class TimeLimitError(TenancyError):
    """A block exceeded its time limit, and its session was terminated; the message names the block."""


def options(
    settings: Mapping[str, str] | None = None, kind: str = "writing", more: Mapping[str, str] | None = None
) -> str:
    """Return libpq's ``options`` for an administrator's session.

    ``settings`` is the result of QUERY. The fixed settings of all sessions override ``settings``. The settings of
    ``kind`` override both; ``reading`` is for sessions that must not write. ``more`` overrides all others. Raises
    ValueError for an unknown kind.
    """
    kinds: Mapping[str, Mapping[str, str]] = {"reading": READING, "writing": {}}
    if kind not in kinds:
        raise ValueError(f"Unknown kind of session {kind!r}: use {' or '.join(kinds)}.")
    chosen = {**(settings or {}), **SETTINGS, **kinds[kind], **(more or {})}
    return written(chosen)


def written(settings: Mapping[str, str]) -> str:
    """Return only ``settings``, without the administrator's settings, in the format of libpq's ``options``."""
    return " ".join(f"-c {name}={_escaped(value)}" for name, value in settings.items())


def connect(
    database: str, port: int, *, host: str = "", settings: Mapping[str, str] | None = None, kind: str = "writing"
) -> Any:
    """Return a connection of the administrator, outside a transaction.

    ``host`` is the directory of the server's socket, or "" for libpq's default; ``settings`` override those of
    ``kind``. Raises psycopg2.Error, and SessionError if psycopg2 is missing or the session is not the administrator's
    own.
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


@contextlib.contextmanager
def opened(user: str, database: str, port: int, *, autocommit: bool = False, **how: Any) -> Iterator[Any]:
    """Yield a connection of the system user ``user``, as ``connect`` returns it with ``how``, and close it at the end.

    Raises KeyError if the user does not exist, and the same errors as ``connect``.
    """
    with acting_as(user):
        connection = connect(database, port, **how)
    with contextlib.closing(connection):
        connection.autocommit = autocommit
        yield connection


def prepare(connection: Any) -> None:
    """Change the settings that could not be set at the start of a new session (see QUERY). Raises psycopg2.Error and
    SessionError."""
    connection.autocommit = True
    with connection.cursor() as cursor:
        # No setting at the start overrides ALTER ROLE ... SET session_authorization.
        cursor.execute("SET SESSION AUTHORIZATION DEFAULT")
        cursor.execute("SELECT current_user, session_user, current_setting('is_superuser') = 'on'")
        acts_as, logged_in_as, is_superuser = cursor.fetchone()
        if acts_as != logged_in_as:
            raise SessionError(
                f"The session of {logged_in_as} acts as {acts_as}: run ALTER ROLE {logged_in_as} RESET role."
            )
        if is_superuser:
            cursor.execute(QUERY)
            for name, value in cursor.fetchone()[0].items():
                cursor.execute("SELECT set_config(%s, %s, false)", (name, value))
    connection.autocommit = False


@contextlib.contextmanager
def bounded(connection: Any, guard: Any, seconds: float, what: str) -> Iterator[None]:
    """Terminate the session of ``connection`` if the block takes longer than ``seconds``, and raise TimeLimitError.

    Another connection, ``guard``, terminates the session. If the session does not end, its connection is shut down. The
    error names ``what``.
    """
    over, fired = threading.Event(), threading.Event()
    pid = connection.info.backend_pid

    def watch() -> None:
        if over.wait(seconds):
            return
        fired.set()
        # The connection is shut down even if the server does not respond.
        with contextlib.suppress(psycopg2.Error), guard.cursor() as cursor:
            cursor.execute("SELECT pg_catalog.pg_terminate_backend(%s)", (pid,))
        if not over.wait(GRACE):
            with (
                contextlib.suppress(OSError),
                socket.fromfd(connection.fileno(), socket.AF_UNIX, socket.SOCK_STREAM) as s,
            ):
                s.shutdown(socket.SHUT_RDWR)

    message = (
        f"{what} did not end within {seconds:g} s and was terminated. Either code in the database (a trigger, a CHECK, "
        "a function in an index) did not return, or another session held a lock."
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
    """Return a value in the format of libpq's ``options``, with a backslash before each space and backslash."""
    return re.sub(r"([\\\s])", r"\\\1", value)
