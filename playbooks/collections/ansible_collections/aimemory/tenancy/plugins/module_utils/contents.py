"""What the tables of a database hold, as numbers that do not depend on the order of the rows."""

from __future__ import annotations

from typing import Any

try:
    import psycopg2
    from psycopg2 import sql
except ImportError:
    psycopg2 = None

Contents = dict[str, Any]

# How the sessions of a run call themselves, so that one that is left behind is known.
APPLICATION = "tenancy runbook"

# Every table that a dump carries; those of extensions come with the extension.
TABLES = """
SELECT n.nspname, c.relname, c.relkind = 'p', pg_table_size(c.oid)
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't'
  AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
  -- What partitions on other servers hold is not in the dump, and need not answer.
  AND NOT EXISTS (SELECT FROM pg_partition_tree(c.oid) t JOIN pg_class f ON f.oid = t.relid WHERE f.relkind = 'f')
  AND NOT EXISTS (SELECT FROM pg_depend d
                  WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
ORDER BY n.nspname, c.relname
"""
# A row as text is the same text in every session only with these.
SETTINGS = """
SET row_security = off;
SET TimeZone = 'UTC'; SET DateStyle = 'ISO, YMD'; SET IntervalStyle = 'postgres';
SET extra_float_digits = 3; SET bytea_output = 'hex'; SET lc_monetary = 'C'; SET xmloption = 'content';
"""


# xmin has 32 bits: it comes after {since} when it is at most half the circle ahead. 1 and 2 are older than any.
YOUNG = (
    "count(*) FILTER (WHERE t.xmin::text::bigint > 2"
    " AND (t.xmin::text::bigint - {since} + 4294967296) % 4294967296 < 2147483648)"
)
HASH = "coalesce(sum(hashtextextended(ROW(t.*)::text, 0)::numeric), 0)::text"


def differences(found: list[Contents], wanted: list[Contents]) -> list[str]:
    """Return how ``found`` differs from ``wanted``, a sentence a table.

    A hash that one of them lacks, since the table was too large, is no difference.
    """
    remaining = {(table["schema"], table["name"]): table for table in found}
    sentences = []
    for table in wanted:
        name = f"{table['schema']}.{table['name']}"
        other = remaining.pop((table["schema"], table["name"]), None)
        if other is None:
            sentences.append(f"{name} is missing")
        elif other["rows"] != table["rows"]:
            sentences.append(f"{name} has {other['rows']:,} rows instead of {table['rows']:,}")
        elif None not in (other["hash"], table["hash"]) and other["hash"] != table["hash"]:
            sentences.append(f"{name} has {table['rows']:,} rows, but not the same ones")
    # A manifest of an earlier version of this runbook names the partitions of a partitioned table alone.
    return sentences + [
        f"{schema}.{name} is not expected" for (schema, name), table in remaining.items() if not table["partitioned"]
    ]


def written(found: list[Contents], wanted: list[Contents]) -> list[str]:
    """Return the tables that were written to since ``wanted`` was read; ``found`` was read with ``since``."""
    before = {(table["schema"], table["name"]): table["rows"] for table in wanted}
    now = {(table["schema"], table["name"]): (table["rows"], table["young"]) for table in found}
    unchanged = {key for key, rows in before.items() if now.get(key) == (rows, 0)}
    return sorted(f"{schema}.{name}" for schema, name in (before.keys() | now.keys()) - unchanged)


def connect(database: str, port: int) -> Any:
    """Return a connection whose one transaction reads one snapshot. Raises psycopg2.Error."""
    connection = psycopg2.connect(dbname=database, port=port, application_name=APPLICATION)
    connection.set_session(isolation_level="REPEATABLE READ", readonly=True)
    return connection


def read(cursor: Any, hash_max_bytes: int, since: int | None = None) -> list[Contents]:
    """Return schema, name, partitioned, rows and hash of every table, as the cursor's transaction sees them.

    ``hash`` is the sum of 64-bit hashes of the rows as text; a sum, unlike XOR, sees duplicated pairs. It is None for
    a table of more than ``hash_max_bytes``, and for one that is ``partitioned``: its rows are counted, and those of
    each partition hashed. With ``since``, the oldest transaction that was running when a snapshot
    was taken, ``young`` counts the rows that this or a later transaction wrote: if there is none and ``rows`` is as
    in the snapshot, the table holds what it held then (a row that was changed or removed is missing from the old
    ones, and subtransactions have higher numbers than their parents).

    Raises psycopg2.Error; a table that row security would filter is one.
    """
    cursor.execute(SETTINGS)
    cursor.execute(TABLES)
    found = []
    for schema, name, partitioned, size in cursor.fetchall():
        columns = ["count(*)", HASH if size <= hash_max_bytes and not partitioned else "NULL"]
        if since is not None:
            columns.append(YOUNG)
        query = sql.SQL(f"SELECT {', '.join(columns)} FROM {'' if partitioned else 'ONLY '}{{table}} AS t")
        cursor.execute(query.format(table=sql.Identifier(schema, name), since=sql.Literal((since or 0) % 2**32)))
        rows, digest, *young = cursor.fetchone()
        table = {"schema": schema, "name": name, "partitioned": partitioned, "rows": rows, "hash": digest}
        found.append(table | ({"young": young[0]} if young else {}))
    return found
