"""Find the open transactions that an online step, or a lock on the tables, must wait for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# Sessions that have been idle in a transaction for fewer seconds are omitted, because many sessions are briefly idle.
IDLE_SECONDS = 1
# A sentence about each transaction. pg_stat_activity does not show the isolation level, so the query infers it. Only a
# SERIALIZABLE transaction has SIReadLocks. An idle session keeps a snapshot only with REPEATABLE READ, SERIALIZABLE or
# an open cursor.
TRANSACTIONS = """
WITH RECURSIVE tree (relid) AS (
  SELECT c.oid FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = %(schema)s AND c.relname = ANY (%(tables)s)
  UNION
  SELECT i.inhrelid FROM tree t JOIN pg_catalog.pg_inherits i ON i.inhparent = t.relid
),
locked AS (
  SELECT l.pid, l.virtualtransaction AS owner, string_agg(DISTINCT c.relname, ', ' ORDER BY c.relname) AS tables
  FROM pg_catalog.pg_locks l JOIN tree t ON t.relid = l.relation JOIN pg_catalog.pg_class c ON c.oid = l.relation
  WHERE l.granted AND l.mode <> 'SIReadLock'
    AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
  GROUP BY 1, 2
),
serial AS (SELECT DISTINCT pid FROM pg_catalog.pg_locks WHERE mode = 'SIReadLock')
SELECT 'session', a.pid::text,
  format('pid %%s (%%s, %%s, %%s) has had a transaction open for %%s', a.pid, a.usename,
         coalesce(nullif(a.application_name, ''), 'no application name'),
         coalesce(host(a.client_addr), 'local'), date_trunc('second', clock_timestamp() - a.xact_start))
  || CASE WHEN a.state LIKE 'idle in transaction%%' THEN ', is idle in it' ELSE '' END
  || coalesce(', holds locks on ' || k.tables, '')
  || CASE WHEN s.pid IS NOT NULL THEN ', is SERIALIZABLE'
          WHEN a.backend_xmin IS NULL THEN ''
          ELSE format(', keeps a snapshot %%s transactions old', age(a.backend_xmin))
            || CASE WHEN a.state LIKE 'idle in transaction%%' THEN ' (REPEATABLE READ, or an open cursor)' ELSE '' END
          END,
  k.tables IS NOT NULL
FROM pg_catalog.pg_stat_activity a
LEFT JOIN locked k ON k.pid = a.pid
LEFT JOIN serial s ON s.pid = a.pid
WHERE a.datname = current_database() AND a.backend_type = 'client backend' AND a.pid <> pg_backend_pid()
  AND (a.xact_start < clock_timestamp() - make_interval(secs => %(seconds)s)
       OR a.state LIKE 'idle in transaction%%' AND a.state_change < clock_timestamp() - make_interval(secs => %(idle)s))
UNION ALL
SELECT 'prepared', p.gid,
  format('the prepared transaction %%s (%%s) has been open for %%s', p.gid, p.owner,
         date_trunc('second', clock_timestamp() - p.prepared)) || coalesce(', holds locks on ' || k.tables, ''),
  k.tables IS NOT NULL
FROM pg_catalog.pg_prepared_xacts p
LEFT JOIN pg_catalog.pg_locks x ON x.pid IS NULL AND x.locktype = 'transactionid' AND x.transactionid = p.transaction
LEFT JOIN locked k ON k.pid IS NULL AND k.owner = x.virtualtransaction
WHERE p.database = current_database()
ORDER BY 1, 2
"""


def find(cursor: Any, tables: Mapping[str, Any], seconds: float) -> list[dict[str, Any]]:
    """Return all prepared transactions, and the sessions' transactions that are idle or older than ``seconds``.

    ``tables`` contains ``schema`` and ``names``. Each transaction has ``kind`` (session or prepared), ``name`` (the
    process ID or the prepared transaction's ID), ``sentence`` and ``locks``. ``locks`` is true if the transaction holds
    locks on the tables.
    """
    cursor.execute("SELECT pg_stat_clear_snapshot()")
    given = {"schema": tables["schema"], "tables": tables["names"], "seconds": seconds, "idle": IDLE_SECONDS}
    cursor.execute(TRANSACTIONS, given)
    return [
        {"kind": kind, "name": name, "sentence": sentence, "locks": locks}
        for kind, name, sentence, locks in cursor.fetchall()
    ]
