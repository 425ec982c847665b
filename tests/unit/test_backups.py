"""A backup belongs to one database, whatever others are called, and says which tables it holds."""

from __future__ import annotations

import pytest

from ansible_collections.aimemory.tenancy.plugins.module_utils import backups

HERE = "/var/backups/ai.memory"


def test_own_backups_are_those_of_the_database() -> None:
    mine = [f"{HERE}/db-20260101T000000Z/manifest.json", f"{HERE}/db-20260102T000000Z"]
    others = [
        f"{HERE}/db_archive-20260101T000000Z/manifest.json", f"{HERE}/db-20260101T000000Z.partial/manifest.json",
        f"{HERE}/other/db-20260101T000000Z", "/var/backups/aixmemory/db-20260101T000000Z", f"{HERE}/unpacked",
    ]  # fmt: skip
    assert backups.own([*reversed(mine), *others], HERE, "db") == mine


def test_a_name_is_no_pattern() -> None:
    path = f"{HERE}/a.b (c)+-20260101T000000Z"
    assert backups.own([path], HERE, "a.b (c)+") == [path]
    assert backups.own([path], HERE, "a.*") == []


def test_tables_of_another_schema_do_not_count() -> None:
    held = [{"schema": "public", "name": "a"}, {"schema": "old", "name": "b"}]
    assert backups.lacking(held, "public", ["b", "a", "c"]) == ["b", "c"]
    assert backups.lacking([], "public", ["a"]) == ["a"]


@pytest.mark.parametrize("text", ["", "{", "[1]", "1", "{}", '{"version": 2}', '{"version": "1"}', "\x00"])
def test_a_document_of_another_version_or_none_at_all_is_empty(text: str) -> None:
    assert backups.document(text, 1) == {}


def test_a_document_of_the_version_is_whole() -> None:
    assert backups.document('{"version": 1, "run": "x"}', 1) == {"version": 1, "run": "x"}
