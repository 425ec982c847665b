"""Find the sessions of the service's logins, and those among them that are older than a change.

A session keeps the role settings from its login. To find the sessions with old settings, the current sessions are
compared with those that existed immediately after the commit of the change.
"""

from __future__ import annotations

import datetime
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

SESSIONS = """
SELECT pid, backend_start, usename,
       concat_ws(' ', pid, usename, application_name, coalesce(host(client_addr), 'local'), state)
FROM pg_catalog.pg_stat_activity
WHERE datname = %(database)s AND usename = ANY (%(roles)s) AND backend_type = 'client backend'
  AND pid <> pg_backend_pid()
"""


@dataclass(frozen=True)
class Session:
    """A session: the server process, when it started, the login, and a description in one line."""

    pid: int
    started: datetime.datetime
    role: str
    name: str


@dataclass(frozen=True)
class Moment:
    """The time of a commit by the server's clock, and the sessions (pid, start) that existed at that time."""

    time: datetime.datetime
    sessions: frozenset[tuple[int, datetime.datetime]]

    def older(self, found: Collection[Session]) -> list[Session]:
        """Return the sessions that may have the settings from before the change.

        A clock can be set back, so a session that existed at the commit is old even if its start looks later.
        """
        return [item for item in found if (item.pid, item.started) in self.sessions or item.started <= self.time]


def read(cursor: Any, database: str, roles: Collection[str]) -> list[Session]:
    """Return the current sessions of the roles in the database. Raises psycopg2.Error."""
    # PostgreSQL caches the activity statistics for the duration of a transaction.
    cursor.execute("SELECT pg_catalog.pg_stat_clear_snapshot()")
    cursor.execute(SESSIONS, {"database": database, "roles": list(roles)})
    return [Session(*found) for found in cursor.fetchall()]


def now(cursor: Any, database: str, roles: Collection[str]) -> Moment:
    """Return the current time and sessions. Call this after the commit of the change. Raises psycopg2.Error."""
    cursor.execute("SELECT pg_catalog.clock_timestamp()")
    (time,) = cursor.fetchone()
    return Moment(time, frozenset((item.pid, item.started) for item in read(cursor, database, roles)))


def end(cursor: Any, found: Collection[Session]) -> None:
    """Terminate the sessions. Raises psycopg2.Error."""
    for item in found:
        # Another session may have the same pid by now.
        cursor.execute(
            "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity"
            " WHERE pid = %s AND backend_start = %s",
            (item.pid, item.started),
        )
