"""Every write to a table after a snapshot is detected, and nothing else counts as a write."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import psycopg2.extensions
import pytest

from ansible_collections.aimemory.tenancy.plugins.module_utils import contents
from lab import Host

MANY = 1 << 30


@pytest.fixture
def connections(machine: Host) -> Iterator[tuple[Any, Any]]:
    """Create a table with 100 rows, and yield two connections: one that reads it and one that writes to it."""
    machine.sql("CREATE TABLE notes AS SELECT n, 'note ' || n AS text FROM generate_series(1, 100) AS n")
    with contextlib.closing(machine.connect()) as reader, contextlib.closing(machine.connect()) as writer:
        reader.set_session(isolation_level=psycopg2.extensions.ISOLATION_LEVEL_REPEATABLE_READ, autocommit=False)
        yield reader, writer
    machine.sql("DROP TABLE notes")


def look(reader: Any) -> tuple[int, list[contents.Contents]]:
    """Return the ID of the oldest running transaction, and the tables' contents, from a new snapshot."""
    with reader.cursor() as cursor:
        cursor.execute("SELECT txid_snapshot_xmin(txid_current_snapshot())")
        xmin = cursor.fetchone()[0]
        tables = contents.read(cursor, MANY)
    reader.rollback()
    return xmin, tables


def changed(reader: Any, writer: Any, since: int, before: list[contents.Contents]) -> list[str]:
    """Return the tables that were written to after the snapshot ``before``. Writes after this call do not count."""
    with writer.cursor() as cursor:
        cursor.execute("SELECT txid_current()")
        until = cursor.fetchone()[0]
        cursor.execute("CREATE TABLE IF NOT EXISTS later (); DROP TABLE later")
    with reader.cursor() as cursor:
        found = contents.changes(cursor, since, until, before)
    reader.rollback()
    return [f"{table['schema']}.{table['name']}" for table in found]


def test_what_was_written_is_counted_and_what_came_later_is_not(connections: tuple[Any, Any]) -> None:
    reader, writer = connections
    xmin, before = look(reader)
    with writer.cursor() as cursor:
        cursor.execute("INSERT INTO notes SELECT n, 'new' FROM generate_series(101, 103) AS n")
        cursor.execute("UPDATE notes SET text = 'x' WHERE n IN (1, 2)")
        cursor.execute("SELECT txid_current()")
        until = cursor.fetchone()[0]
        cursor.execute("INSERT INTO notes VALUES (200, 'later')")
    with reader.cursor() as cursor:
        (found,) = contents.changes(cursor, xmin, until, before)
        assert (found["written"], found["gone"]) == (5, 2)
        (untold,) = contents.changes(cursor, xmin, until, before, ["public.notes"])
    reader.rollback()
    assert contents.changed_names([untold]) == ["public.notes (unknown: this run assigned a tenant to every row)"]


@pytest.mark.parametrize(
    ("statement", "written"),
    [
        ("SELECT count(*) FROM notes", False),
        ("VACUUM (FREEZE, ANALYZE) notes", False),
        ("CREATE INDEX ON notes (n)", False),
        ("INSERT INTO notes VALUES (101, 'more')", True),
        ("UPDATE notes SET text = text WHERE n = 50", True),
        ("DELETE FROM notes WHERE n = 50", True),
        ("WITH d AS (DELETE FROM notes WHERE n = 50 RETURNING n) INSERT INTO notes SELECT n, 'again' FROM d", True),
        ("BEGIN; SAVEPOINT s; UPDATE notes SET text = 'x' WHERE n = 1; RELEASE SAVEPOINT s; COMMIT", True),
        ("TRUNCATE notes", True),
        ("DROP TABLE notes; CREATE TABLE notes AS SELECT n, 'note ' || n AS text FROM generate_series(1, 100) n", True),
    ],
)  # fmt: skip
def test_what_was_written_is_known(connections: tuple[Any, Any], statement: str, written: bool) -> None:
    reader, writer = connections
    xmin, before = look(reader)
    with writer.cursor() as cursor:
        cursor.execute(statement)
    assert changed(reader, writer, xmin, before) == (["public.notes"] if written else [])


def test_a_subtransaction_that_began_before_the_snapshot_is_known(connections: tuple[Any, Any]) -> None:
    """The subtransaction's ID is lower than the newest ID in the snapshot, but the snapshot does not list that ID."""
    reader, writer = connections
    with writer.cursor() as cursor:
        cursor.execute("BEGIN; UPDATE notes SET text = 'top' WHERE n = 1; SAVEPOINT s")
        cursor.execute("UPDATE notes SET text = 'sub' WHERE n = 2")
        xmin, before = look(reader)
        cursor.execute("COMMIT")
    assert changed(reader, writer, xmin, before) == ["public.notes"]


@pytest.mark.parametrize(
    ("statement", "sentence"),
    [
        ("DELETE FROM notes WHERE n = 7", "public.notes has 99 rows instead of 100"),
        ("UPDATE notes SET text = NULL WHERE n = 7", "public.notes has 100 rows, but their contents differ"),
        ("DROP TABLE notes; CREATE TABLE other ()", "public.notes is missing; public.other is not expected"),
        ("ALTER TABLE notes ADD COLUMN extra int", "public.notes has 100 rows, but their contents differ"),
    ],
)
def test_differences_are_described(connections: tuple[Any, Any], statement: str, sentence: str) -> None:
    reader, writer = connections
    _, before = look(reader)
    with writer.cursor() as cursor:
        cursor.execute(f"BEGIN; {statement}")
        assert "; ".join(contents.differences(contents.read(cursor, MANY), before)) == sentence
        cursor.execute("ROLLBACK; RESET ALL")


def test_the_order_of_the_rows_and_the_session_do_not_matter(connections: tuple[Any, Any]) -> None:
    reader, writer = connections
    _, before = look(reader)
    with writer.cursor() as cursor:
        cursor.execute("CREATE TABLE turned AS SELECT * FROM notes ORDER BY n DESC")
        cursor.execute("BEGIN; DROP TABLE notes; ALTER TABLE turned RENAME TO notes")
        cursor.execute("SET DateStyle = 'German'; SET extra_float_digits = -10; SET bytea_output = 'escape'")
        assert contents.differences(contents.read(cursor, MANY), before) == []
        cursor.execute("ROLLBACK; DROP TABLE turned")


def test_a_large_table_is_counted_alone(connections: tuple[Any, Any]) -> None:
    reader, _ = connections
    with reader.cursor() as cursor:
        tables = contents.read(cursor, 1000)
    assert {table["hash"] for table in tables if table["rows"]} == {None}


def test_a_partitioned_table_is_counted_and_its_partitions_are_hashed(connections: tuple[Any, Any]) -> None:
    reader, _ = connections
    with reader.cursor() as cursor:
        cursor.execute("CREATE TABLE parted (n integer) PARTITION BY LIST (n)")
        cursor.execute("CREATE TABLE parted_1 PARTITION OF parted FOR VALUES IN (1)")
        cursor.execute("CREATE TABLE parted_2 PARTITION OF parted DEFAULT")
        cursor.execute("INSERT INTO parted VALUES (1), (2), (3)")
        before = contents.read(cursor, MANY)
        found = {table["name"]: table for table in before}
        assert [found[name]["rows"] for name in ("parted", "parted_1", "parted_2")] == [3, 1, 2]
        assert [found[name]["hash"] is None for name in ("parted", "parted_1", "parted_2")] == [True, False, False]
        # A manifest from an earlier version lists only the partitions.
        older = [table for table in before if not table["partitioned"]]
        assert contents.differences(before, older) == []
        cursor.execute("DELETE FROM parted WHERE n = 3")
        assert contents.differences(contents.read(cursor, MANY), before) == [
            "public.parted has 2 rows instead of 3", "public.parted_2 has 1 rows instead of 2",
        ]  # fmt: skip
        # Foreign tables are not read, because their servers may not respond.
        cursor.execute("CREATE EXTENSION file_fdw; CREATE SERVER files FOREIGN DATA WRAPPER file_fdw")
        elsewhere = "FOR VALUES IN (9) SERVER files OPTIONS (program 'false')"
        cursor.execute(f"CREATE FOREIGN TABLE parted_9 PARTITION OF parted {elsewhere}")
        found = {table["name"]: table["rows"] for table in contents.read(cursor, MANY)}
        assert ("parted" in found, found["parted_1"]) == (False, 1)
    reader.rollback()
