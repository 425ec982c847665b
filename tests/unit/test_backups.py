"""A backup lists its tables and belongs to exactly one database, even if other databases have similar names."""

from __future__ import annotations

import json
from typing import Any

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


def found(*names: str, proven: str = "", snapshot: str = "") -> list[dict[str, object]]:
    """Return backups, oldest first. Those named in ``proven`` are tested, and those in ``snapshot`` have a snapshot."""
    return [{"path": name, "proven": name in proven, "snapshot": name in snapshot} for name in names]


@pytest.mark.parametrize(
    ("backups_found", "keep", "needed", "gone"),
    [
        (found("a", "b", "c"), 2, [], ["a"]),
        (found("a", "b", "c"), 3, [], []),
        (found("a", "b", "c"), 9, [], []),
        # The newest backup is always kept.
        (found("a", "b"), 0, [], ["a"]),
        ([], 1, [], []),
        # The last tested backup is kept if no later backup was tested.
        (found("a", "b", "c", "d", proven="ab"), 1, [], ["a", "c"]),
        (found("a", "b", "c", proven="abc"), 1, [], ["a", "b"]),
        # The backup of a migration is kept for as long as the migration can be rolled back.
        (found("a", "b", "c", snapshot="a"), 1, [], ["b"]),
        (found("a", "b", "c"), 1, ["b", "elsewhere"], ["a"]),
    ],
)
def test_the_oldest_may_go_and_none_that_is_needed(
    backups_found: list[dict[str, object]], keep: int, needed: list[str], gone: list[str]
) -> None:
    assert backups.expendable(backups_found, keep, needed) == gone


def test_a_dump_without_the_rows_of_a_tenant_table_is_refused() -> None:
    held = [{"schema": "public", "name": "a"}]
    assert backups.incomplete(held, "public", ["a"]) == ""
    assert backups.incomplete(held, "public", ["a", "c", "b"]) == (
        "The dump lacks the rows of b, c: correct tenancy_tables, or database_name."
    )


def test_a_copy_with_other_rows_is_refused() -> None:
    assert backups.unproven([]) == ""
    assert backups.unproven(["public.a is missing", "public.b has 1 rows instead of 2"]) == (
        "The test restore failed: the restored copy differs from the dump: public.a is missing; public.b has 1 rows"
        " instead of 2."
    )


def test_a_manifest_names_what_a_restore_and_a_report_ask_for() -> None:
    dump = {
        "tables": [], "snapshot_at": "2026-11-24T18:11:04+00:00", "snapshot_xmin": 7, "duration_seconds": 0.5,
        "size_bytes": 9, "sha256": "ab",
    }  # fmt: skip
    made = backups.manifest(
        dump, path="/b/db-1", database="db", server_version="17.6", layout="custom", encrypted=False,
        proven_seconds=None,
    )  # fmt: skip
    assert list(made) == [
        "version", "path", "database", "server_version", "created", "snapshot_xmin", "duration_seconds", "format",
        "encrypted", "proven_seconds", "size_bytes", "sha256", "tables",
    ]  # fmt: skip
    assert backups.document(json.dumps(made), 1) == made


WHOLE = {
    "version": 1,
    "path": "/b/db-1",
    "database": "db",
    "encrypted": False,
    "tables": [{"schema": "s", "name": "a"}],
}
ASKED: dict[str, Any] = {
    "asked": "", "directory": "/b", "database": "db", "schema": "s", "tables": ["a"], "has_key": False,
    "problem": backups.unreadable("/b/db-1/manifest.json", "{}", 1),
}  # fmt: skip


@pytest.mark.parametrize(
    ("source", "changes", "asked", "sentence"),
    [
        ("/b/db-1/manifest.json", {}, {}, ""),
        ("/b/db-1/manifest.json", {"encrypted": True}, {"has_key": True}, ""),
        ("", {}, {}, "No backup with a manifest was found as /b/db-*: specify a backup with"),
        ("", {}, {"asked": "/none"}, "No backup with a manifest was found as /none: specify a backup with"),
        (
            "/b/db-2/manifest.json",
            {},
            {},
            "/b/db-2/manifest.json describes database db in /b/db-1, but must describe db in its own",
        ),
        (
            "/b/db-1/manifest.json",
            {"database": "x"},
            {},
            "/b/db-1/manifest.json describes database x in /b/db-1, but must describe db",
        ),
        (
            "/b/db-1/manifest.json",
            {},
            {"tables": ["b", "a", "c"]},
            "describes database db in /b/db-1 (without b, c), but must",
        ),
        ("/b/db-1/manifest.json", {}, {"schema": "t"}, "describes database db in /b/db-1 (without a), but must"),
        ("/b/db-1/manifest.json", {"encrypted": True}, {}, "/b/db-1 is encrypted: give the key that it was encrypted"),
    ],
)
def test_a_backup_that_is_another_cannot_be_restored(
    source: str, changes: dict[str, Any], asked: dict[str, Any], sentence: str
) -> None:
    refusal = backups.unsuitable(source, WHOLE | changes, **(ASKED | asked))
    assert sentence in refusal
    assert bool(refusal) is bool(sentence)


@pytest.mark.parametrize("manifest", [{}, {"version": 1}, {"version": 1, "database": "db"}])
def test_a_manifest_that_lacks_what_it_must_have_is_refused(manifest: dict[str, Any]) -> None:
    refusal = backups.unsuitable("/b/db-1/manifest.json", manifest, **ASKED)
    assert refusal.startswith(("/b/db-1/manifest.json is ", "/b/db-1/manifest.json describes "))


def test_damage_is_named() -> None:
    assert backups.damaged("/b/db-1", []) == ""
    assert backups.damaged("/b/db-1", ["toc.dat: FAILED", "x: FAILED"]) == (
        "/b/db-1 is damaged, incomplete or differs from its manifest (SHA-256), so it is not restored: toc.dat:"
        " FAILED; x: FAILED. Name another backup with -e restore_backup=..."
    )
