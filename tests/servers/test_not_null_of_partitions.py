"""rollback_mode=schema removes NOT NULL from partitions, whose constraints have their own names since PostgreSQL 18."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

import schemas
from planner import Database
from server import Server

ENTRY: dict[str, Any] = {"name": "logs", "natural_keys": [["at", "n"]], "sample": {}}
# The tenant column exists before the migration, and is nullable.
LOGS = "CREATE TABLE logs (at date NOT NULL, n integer NOT NULL, customer_id integer) PARTITION BY RANGE (at)"
YEARS = {2024: "logs_2024", 2025: "logs_2025", 2026: "logs_2026", 2027: "logs_2027"}
PARTITIONS = (
    "CREATE TABLE logs_2024 PARTITION OF logs FOR VALUES FROM ('2024-01-01') TO ('2025-01-01')",
    "CREATE TABLE logs_2025 PARTITION OF logs FOR VALUES FROM ('2025-01-01') TO ('2026-01-01') PARTITION BY LIST (n)",
    "CREATE TABLE logs_2025_a PARTITION OF logs_2025 FOR VALUES IN (1) PARTITION BY LIST (n)",
    "CREATE TABLE logs_2025_aa PARTITION OF logs_2025_a DEFAULT",
    "CREATE TABLE logs_2025_rest PARTITION OF logs_2025 DEFAULT",
    # A table that is created separately, with its columns in another order, and then attached.
    "CREATE TABLE logs_2026 (customer_id integer, n integer NOT NULL, at date NOT NULL)",
    "ALTER TABLE logs ATTACH PARTITION logs_2026 FOR VALUES FROM ('2026-01-01') TO ('2027-01-01')",
    # A partition that is detached and attached again.
    "CREATE TABLE logs_2027 PARTITION OF logs FOR VALUES FROM ('2027-01-01') TO ('2028-01-01')",
    "ALTER TABLE logs DETACH PARTITION logs_2027",
    "ALTER TABLE logs ATTACH PARTITION logs_2027 FOR VALUES FROM ('2027-01-01') TO ('2028-01-01')",
    "INSERT INTO logs SELECT make_date(y, 1, 1), n FROM generate_series(2024, 2027) AS y, generate_series(1, 2) AS n",
)
KEYS: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    "no key": ((), {"natural_keys": []}),
    "a unique key": (("ALTER TABLE logs ADD UNIQUE (at, n)",), {}),
    "a primary key": (("ALTER TABLE logs ADD PRIMARY KEY (at, n)",), {}),
}
# NOT NULL constraints on individual partitions. The partitions keep them, because the rollback drops only what the
# migration added.
OWN = {
    "of a partition": (
        "UPDATE logs_2024 SET customer_id = 1", "ALTER TABLE logs_2024 ALTER customer_id SET NOT NULL",
    ),
    "of a partition of a partition": (
        "UPDATE logs_2025 SET customer_id = 1", "ALTER TABLE logs_2025_aa ALTER customer_id SET NOT NULL",
    ),
    "of a partition and its partitions": (
        "UPDATE logs_2025 SET customer_id = 1", "ALTER TABLE logs_2025 ALTER customer_id SET NOT NULL",
    ),
}  # fmt: skip


@contextlib.contextmanager
def logs(server: Server, key: str, *statements: str) -> Iterator[Database]:
    """Yield a database with the partitioned table "logs", whose key is one of ``KEYS``."""
    made, entry = KEYS[key]
    with schemas.database(server, [LOGS, *PARTITIONS, *made, *statements], [ENTRY | entry]) as found:
        yield found


def nullable(found: Database) -> dict[str, bool]:
    """Return for each table whether the catalogs show its tenant column as nullable."""
    named = found.value(
        "SELECT json_object_agg(attrelid::regclass::text, NOT attnotnull) FROM pg_attribute"
        " WHERE attname = 'customer_id' AND attrelid::regclass::text LIKE 'logs%'"
        " AND EXISTS (SELECT FROM pg_class c WHERE c.oid = attrelid AND c.relkind IN ('r', 'p'))"
    )
    assert isinstance(named, dict)
    return named


@pytest.mark.since(18)
@pytest.mark.parametrize("key", KEYS)
def test_no_partition_keeps_the_not_null_of_the_migration(server: Server, key: str) -> None:
    with logs(server, key) as found:
        assert set(nullable(found).values()) == {True}
        schemas.round_trip(server, found)
        assert set(nullable(found).values()) == {True}
        # The older release stores rows without naming the tenant column.
        for year, partition in YEARS.items():
            found.run(f"INSERT INTO logs (at, n) VALUES ('{year}-06-01', 1)")
            found.run(f"INSERT INTO {partition} (at, n) VALUES ('{year}-07-01', 1)")


@pytest.mark.parametrize("own", OWN)
def test_a_partition_keeps_its_own_not_null(server: Server, own: str) -> None:
    with logs(server, "no key", *OWN[own]) as found:
        before = nullable(found)
        assert set(before.values()) == {True, False}
        schemas.round_trip(server, found)
        assert nullable(found) == before


def test_a_tenant_table_that_inherits_from_another_is_an_error(server: Server) -> None:
    made = (
        "CREATE TABLE parents (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), customer_id integer)",
        "CREATE TABLE children (PRIMARY KEY (id)) INHERITS (parents)",
    )
    entries: list[dict[str, Any]] = [
        {"name": name, "surrogate_keys": [["id"]], "sample": {}} for name in ("parents", "children")
    ]
    with schemas.database(server, made, entries) as found:
        named = [(entry["severity"], entry["subject"]) for entry in found.audit() if entry["rule"] == "child-table"]
        assert named == [("error", "public.children")]
