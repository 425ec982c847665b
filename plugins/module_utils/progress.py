"""Measure the progress of a dump or a restore by the tables that are being read or written.

The progress is the share of the tables' bytes that are copied. For a table that is being copied, the share of its rows
counts instead, because the copy and the table differ in size.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

# The ordinary tables of a database: oid, schema, name, bytes without indexes, estimated rows, bytes of the main fork.
# Partitioned tables and views have no rows of their own.
TABLES = """
SELECT c.oid::bigint, n.nspname::text, c.relname::text, pg_catalog.pg_table_size(c.oid), c.reltuples::float8,
       pg_catalog.pg_relation_size(c.oid)
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND c.relpersistence <> 't' AND n.nspname NOT IN ('pg_catalog', 'information_schema')
"""
# The rows that each running COPY has processed, in PostgreSQL 14 and later.
COPIES = """
SELECT relid::bigint, tuples_processed::float8
FROM pg_catalog.pg_stat_progress_copy WHERE datname = pg_catalog.current_database()
"""
COPIES_VERSION = 140000
# Whether pg_dump is dumping the database.
DUMPING = """
SELECT count(*) FROM pg_catalog.pg_stat_activity
WHERE datname = pg_catalog.current_database() AND application_name LIKE '%pg_dump%'
"""


@dataclass(frozen=True)
class Table:
    """A table with rows: its oid, its name with the schema, its bytes, its rows, and whether its file is not empty."""

    oid: int
    name: str
    size: int
    rows: float
    filled: bool


def tables(rows: Iterable[tuple[Any, ...]]) -> list[Table]:
    """Return the tables from the rows of TABLES."""
    return [Table(oid, f"{schema}.{name}", size, count, main > 0) for oid, schema, name, size, count, main in rows]


def share(whole: Collection[Table], ended: Collection[str], running: Mapping[str, float]) -> float | None:
    """Return the share of the bytes that are copied, from 0 to 1; None if there is nothing to copy.

    ``whole`` lists the tables of the database that is read. ``ended`` lists the names of the completely copied tables,
    and ``running`` contains the number of copied rows for the others. The estimated rows of a table may be too low, or
    unknown (below 1).
    """
    total = sum(table.size for table in whole)
    if total == 0:
        return None
    done: float = sum(table.size for table in whole if table.name in ended and table.name not in running)
    for table in whole:
        if table.name in running and table.rows >= 1:
            done += table.size * min(running[table.name] / table.rows, 1.0)
    return done / total


def data_entries(listed: str) -> list[tuple[int, int]]:
    """Return the dump id and the table's oid of each TABLE DATA entry that ``pg_restore --list`` lists, in order."""
    found = []
    for line in listed.split("\n"):
        number, _, rest = line.partition("; ")
        words = rest.split(" ", 4)
        if number.isdigit() and words[2:4] == ["TABLE", "DATA"]:
            found.append((int(number), int(words[1])))
    return found


def started(entries: Iterable[tuple[int, int]], path: str) -> set[int]:
    """Return the oids of the tables whose files are not empty in a dump in the directory format.

    pg_dump creates the file before it copies the table. Even the file of an empty table does not stay empty.
    """
    with os.scandir(path) as files:
        numbers = {file.name.partition(".")[0] for file in files if file.stat().st_size > 0}
    return {oid for number, oid in entries if str(number) in numbers}


def before(entries: Iterable[tuple[int, int]], running: Collection[int]) -> set[int]:
    """Return the oids of the tables that a dump in the custom format has copied: those before ``running``."""
    done: set[int] = set()
    for _, oid in entries:
        if oid in running:
            return done
        done.add(oid)
    # Between two tables, no table is being copied, so the progress is unknown.
    return set()
