"""The transactions that hold locks on tables, as sentences."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

# A prepared transaction has no process. Its lock on its own number identifies it.
HOLDERS = """
WITH RECURSIVE tree (relid) AS (
  SELECT name::regclass::oid FROM unnest(%(tables)s::text[]) AS t (name)
  UNION
  SELECT i.inhrelid FROM tree t JOIN pg_catalog.pg_inherits i ON i.inhparent = t.relid
),
held AS (
  SELECT DISTINCT l.pid, l.virtualtransaction FROM pg_catalog.pg_locks l JOIN tree ON tree.relid = l.relation
  WHERE l.granted AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
)
SELECT format('pid %%s (%%s) has had a transaction open for %%s s', a.pid,
              concat_ws(', ', a.usename, nullif(a.application_name, ''), a.backend_type, a.state),
              coalesce(round(extract(epoch FROM clock_timestamp() - a.xact_start)), 0))
FROM held JOIN pg_catalog.pg_stat_activity a ON a.pid = held.pid
WHERE a.pid <> pg_catalog.pg_backend_pid()
UNION ALL
SELECT format('the prepared transaction %%s of %%s has been open for %%s s', p.gid, p.owner,
              round(extract(epoch FROM clock_timestamp() - p.prepared)))
FROM held
JOIN pg_catalog.pg_locks l ON l.pid IS NULL AND l.virtualtransaction = held.virtualtransaction
JOIN pg_catalog.pg_prepared_xacts p ON p.transaction = l.transactionid
WHERE held.pid IS NULL
"""


def read(cursor: Any, tables: Collection[str]) -> list[str]:
    """Return the transactions with locks on ``tables``, which are qualified names. Raises psycopg2.Error."""
    cursor.execute("SELECT pg_catalog.pg_stat_clear_snapshot()")
    cursor.execute(HOLDERS, {"tables": list(tables)})
    return [text for (text,) in cursor.fetchall()]
