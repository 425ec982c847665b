"""Count and hash the rows of a database's tables, regardless of the row order."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from psycopg2 import sql

Contents = dict[str, Any]

# Every table that a dump must contain. Tables that an extension's script creates are excluded. Tables that a user has
# added to an extension are included, so that the comparison reports that the dump omits them.
TABLES = """
SELECT n.nspname, c.relname, c.relkind = 'p', pg_table_size(c.oid)
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't'
  AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
  -- A dump does not contain the rows of partitions on other servers, which need not be reachable.
  AND NOT EXISTS (SELECT FROM pg_partition_tree(c.oid) t JOIN pg_class f ON f.oid = t.relid WHERE f.relkind = 'f')
  AND NOT EXISTS (SELECT FROM pg_depend d
                  JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND e.oid = d.refobjid
                  JOIN pg_roles o ON o.oid = c.relowner
                  WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'
                    AND (o.rolsuper OR c.oid = ANY (e.extconfig)))
ORDER BY n.nspname, c.relname
"""
# With these settings, every session converts a row to the same text.
SETTINGS = """
SET row_security = off;
SET TimeZone = 'UTC'; SET DateStyle = 'ISO, YMD'; SET IntervalStyle = 'postgres';
SET extra_float_digits = 3; SET bytea_output = 'hex'; SET lc_monetary = 'C'; SET xmloption = 'content';
"""


# xmin has 32 bits and wraps around. It is later than {since} if it is ahead by less than half the range. The
# transaction IDs 1 and 2 are older than all others. Names are schema-qualified, so they do not depend on the
# search_path.
_XMIN = "t.xmin::pg_catalog.text::pg_catalog.int8"
AHEAD = (
    f"(({_XMIN} OPERATOR(pg_catalog.-) {{since}} OPERATOR(pg_catalog.+) 4294967296) OPERATOR(pg_catalog.%) 4294967296)"
)
YOUNG = f"{_XMIN} OPERATOR(pg_catalog.>) 2 AND {AHEAD} OPERATOR(pg_catalog.<) 2147483648"
YOUNG_ROWS = f"pg_catalog.count(*) FILTER (WHERE {YOUNG})"
CHANGES = (
    f"SELECT pg_catalog.count(*) FILTER (WHERE {YOUNG} AND {AHEAD} OPERATOR(pg_catalog.<) ({{until}}"
    f" OPERATOR(pg_catalog.-) {{since}})), pg_catalog.count(*) FILTER (WHERE NOT ({YOUNG})) FROM ONLY {{table}} AS t"
)
HASH = "coalesce(sum(hashtextextended(ROW(t.*)::text, 0)::numeric), 0)::text"


def differences(found: list[Contents], wanted: list[Contents]) -> list[str]:
    """Return the differences between ``found`` and ``wanted``, as one sentence for each table.

    A hash that is missing on one side, because the table was too large, is not a difference.
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
            sentences.append(f"{name} has {table['rows']:,} rows, but their contents differ")
    # Partitioned tables are not reported, because a manifest from an earlier version lists only their partitions.
    return sentences + [
        f"{schema}.{name} is not expected" for (schema, name), table in remaining.items() if not table["partitioned"]
    ]


def read(cursor: Any, hash_max_bytes: int) -> list[Contents]:
    """Return {schema, name, partitioned, rows, hash} of every table, as the cursor's transaction sees the tables.

    ``hash`` is the sum of 64-bit hashes of the rows as text; unlike XOR, a sum detects pairs of equal rows. It is None
    for a table of more than ``hash_max_bytes``. It is also None for a ``partitioned`` table: its rows are counted, and
    the rows of each partition are hashed.

    Raises psycopg2.Error, also for a table that row security would filter.
    """
    found = []
    for schema, name, partitioned, size in _tables(cursor):
        hashed = HASH if size <= hash_max_bytes and not partitioned else "NULL"
        query = sql.SQL(f"SELECT count(*), {hashed} FROM {'' if partitioned else 'ONLY '}{{table}} AS t")
        cursor.execute(query.format(table=sql.Identifier(schema, name)))
        rows, digest = cursor.fetchone()
        found.append({"schema": schema, "name": name, "partitioned": partitioned, "rows": rows, "hash": digest})
    return found


def changes(
    cursor: Any, since: int, until: int, before: list[Contents], rewritten: Collection[str] = ()
) -> list[Contents]:
    """Return {schema, name, written, gone} of each table that changed between a snapshot and a transaction.

    ``since`` is the ID of the oldest transaction that was running at the snapshot. ``until`` is the transaction's ID.
    ``before`` is the result of ``read`` at the snapshot. ``written`` counts the rows that were added or changed in
    between. ``gone`` counts the rows of the snapshot that were changed or deleted. ``rewritten`` lists, as schema.name,
    the tables in which the caller has changed every row. For these tables, ``written`` and ``gone`` are None: the
    caller's row versions hide earlier changes by other sessions. ``written`` excludes changes by the transaction
    and its subtransactions, because their IDs are not lower than ``until``.

    Raises psycopg2.Error, also for a table that row security would filter.
    """
    rows = {(table["schema"], table["name"]): table["rows"] for table in before if not table["partitioned"]}
    found: list[Contents] = []
    for schema, name, partitioned, _ in _tables(cursor):
        if partitioned:
            continue
        table: Contents = {"schema": schema, "name": name, "written": None, "gone": None}
        expected = rows.pop((schema, name), 0)
        if f"{schema}.{name}" in rewritten:
            found.append(table)
            continue
        numbers = {"since": sql.Literal(since % 2**32), "until": sql.Literal(since % 2**32 + until - since)}
        cursor.execute(sql.SQL(CHANGES).format(table=sql.Identifier(schema, name), **numbers))
        written, old = cursor.fetchone()
        gone = max(0, expected - old)
        if written or gone:
            found.append(table | {"written": written, "gone": gone})
    return found + [
        {"schema": schema, "name": name, "written": 0, "gone": gone} for (schema, name), gone in rows.items()
    ]


def changed_names(found: Iterable[Contents]) -> list[str]:
    """Return the result of ``changes`` as one string for each table."""
    return [f"{table['schema']}.{table['name']} ({_changed(table['written'], table['gone'])})" for table in found]


def _changed(written: int | None, gone: int | None) -> str:
    if written is None:
        return "unknown: this run assigned a tenant to every row"
    parts = [f"{written:,} rows added or changed"] if written else []
    return ", ".join(parts + ([f"{gone:,} rows of the backup changed or deleted since"] if gone else []))


def _tables(cursor: Any) -> list[tuple[str, str, bool, int]]:
    cursor.execute(SETTINGS)
    cursor.execute(TABLES)
    return list(cursor.fetchall())
