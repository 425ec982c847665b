"""The clients of a database: those that block a change, and the sessions of the service's pooler."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# Each client, and whether it is a session of the pooler. While the service runs, every session with the pooler's role
# and address counts as a pooler session. After the stop, only the idle ones count, and the query terminates them. With
# ``terminate``, the query terminates all clients.
CLIENTS = """
SELECT pid, usename, concat_ws(' ', pid, usename, application_name, coalesce(host(client_addr), 'local'), state),
       coalesce(host(client_addr), ''), coalesce(client_port, -1), pooled,
       CASE WHEN %(terminate)s OR pooled AND NOT %(running)s THEN pg_terminate_backend(pid) END
FROM (
  SELECT *, coalesce(
    usename = %(role)s AND coalesce(host(client_addr), '') = %(address)s AND (%(running)s OR state = 'idle'
    -- The pooler resets a session after use. A session that no client has used has run no query.
    AND query ~* '^\\s*(DISCARD\\s+ALL\\s*;?\\s*)?$'), false) AS pooled
  FROM pg_stat_activity
) AS a
WHERE datname = %(database)s AND backend_type = 'client backend' AND pid <> pg_backend_pid()
"""
# Sessions that are not clients but hold locks on the tables. LOCK TABLE waits for a replication connection that copies
# a table. It also waits for a vacuum that prevents wraparound, which PostgreSQL never cancels to grant a lock. Parallel
# workers are omitted, because their leader holds the same locks.
HOLDERS = """
WITH RECURSIVE tree (relid) AS (
  SELECT c.oid FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = %(schema)s AND c.relname = ANY (%(tables)s)
  UNION
  SELECT i.inhrelid FROM tree t JOIN pg_catalog.pg_inherits i ON i.inhparent = t.relid
),
touched AS (
  SELECT relid FROM tree
  UNION
  SELECT i.indexrelid FROM tree t JOIN pg_catalog.pg_index i ON i.indrelid = t.relid
)
SELECT a.pid, coalesce(a.usename, ''),
       concat_ws(' ', a.pid, a.usename, a.backend_type, nullif(a.application_name, ''),
                      coalesce(host(a.client_addr), 'local'), a.state),
       coalesce(host(a.client_addr), ''), coalesce(a.client_port, -1)
FROM pg_catalog.pg_stat_activity a
WHERE a.backend_type NOT IN ('client backend', 'parallel worker')
  AND (a.backend_type <> 'autovacuum worker' OR a.query LIKE '%%(to prevent wraparound)')
  AND a.pid IN (
    SELECT l.pid FROM pg_catalog.pg_locks l JOIN touched ON touched.relid = l.relation
    WHERE l.granted AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database()))
"""

# The option that identifies the pooler's sessions.
POOLER = {
    "type": "dict",
    "options": {"role": {"type": "str", "required": True}, "address": {"type": "str", "required": True}},
}  # fmt: skip
# The option that lists the tables on which no other session may hold a lock.
TABLES = {
    "type": "dict",
    "options": {
        "schema": {"type": "str", "required": True},
        "names": {"type": "list", "elements": "str", "required": True},
    },
}  # fmt: skip


@dataclass(frozen=True)
class Client:
    """A client session: ``name`` describes it in one line, and ``address`` is "" for a Unix socket."""

    pid: int
    role: str
    name: str
    address: str
    port: int


@dataclass(frozen=True)
class Pooler:
    """The role and the address of the pooler's sessions; both are None if there is no pooler."""

    role: str | None = None
    address: str | None = None


def beside(cursor: Any, database: str, pooler: Pooler) -> list[Client]:
    """Return the other clients of a database while the service runs, except the pooler's sessions."""
    return _asked(cursor, database, pooler, running=True, terminate=False)


def holders(cursor: Any, tables: Mapping[str, Any] | None) -> list[Client]:
    """Return the sessions that are not clients but hold a lock on the tables, in the database of ``cursor``.

    ``tables`` contains schema and names. The run never terminates these sessions: a subscriber's copy would start from
    the beginning, and PostgreSQL would immediately restart a vacuum that prevents wraparound.
    """
    if tables is None:
        return []
    cursor.execute(HOLDERS, {"schema": tables["schema"], "tables": tables["names"]})
    return [Client(*found) for found in cursor.fetchall()]


def end(cursor: Any, database: str, pooler: Pooler, *, everybody: bool) -> list[Client]:
    """Terminate the pooler's idle sessions, or all sessions if ``everybody`` is true.

    Return the clients other than the pooler's idle sessions.
    """
    return _asked(cursor, database, pooler, running=False, terminate=everybody)


def _asked(cursor: Any, database: str, pooler: Pooler, **how: bool) -> list[Client]:
    # PostgreSQL caches the activity statistics for the duration of a transaction.
    cursor.execute("SELECT pg_stat_clear_snapshot()")
    cursor.execute(CLIENTS, {"database": database, "role": pooler.role, "address": pooler.address, **how})
    return [Client(*found[:5]) for found in cursor.fetchall() if not found[5]]
