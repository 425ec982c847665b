"""The comparison that the operator sees before a restore lists the changes that the restore discards."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.aimemory.tenancy.plugins.plugin_utils.report import comparison

MANIFEST = {
    "path": "/backups/a", "created": "2026-11-25T17:22:42.000000", "size_bytes": 2048,
    "tables": [
        {"schema": "public", "name": "memories", "rows": 5755}, {"schema": "public", "name": "calls", "rows": 3},
        {"schema": "other", "name": "calls", "rows": 99},
    ],
}  # fmt: skip
NOW: dict[str, Any] = {
    "schema": "public", "tables": ["memories", "calls"], "state": {"memories": {"rows": 5800}, "calls": {}},
    "written": [{"name": "memories", "written": 1045}],
}  # fmt: skip


def test_a_backup_is_compared_with_each_table() -> None:
    assert comparison.lines({"manifest": MANIFEST, "written": None}, NOW) == [
        "Backup /backups/a",
        "of 2026-11-25 17:22:42, 2,048 bytes, checksum verified.",
        "ROWS                           IN BACKUP         NOW WRITTEN SINCE",
        "memories                           5,755       5,800 1,045",
        "calls                                  3           0 not known",
    ]


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ({}, "not known, because written.json is damaged."),
        ({"tables": []}, "nothing."),
    ],
)
def test_rows_written_after_the_backup_of_a_migration_are_named(written: dict[str, Any], told: str) -> None:
    found = comparison.lines({"manifest": MANIFEST, "written": written}, NOW)
    assert " ".join(found[5:]).endswith(f"but not in the backup: {told}")
    assert max(map(len, found[5:])) <= comparison.WIDTH


def test_rows_are_counted_in_tables_with_a_time() -> None:
    tables = [{"name": "o'hara", "written_at": "made"}, {"name": "calls"}, {"name": "b", "written_at": "at"}]
    counts = comparison.written_since_query(tables, "public").split(" UNION ALL ")
    assert counts == [
        (
            "SELECT 'o''hara' AS name, count(*) AS written FROM \"public\".\"o'hara\""
            ' WHERE "made" > %(created)s::timestamptz'
        ),
        'SELECT \'b\' AS name, count(*) AS written FROM "public"."b" WHERE "at" > %(created)s::timestamptz',
    ]
    assert comparison.written_since_query([{"name": "calls"}], "public") == ""
