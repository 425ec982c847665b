"""The files of lost runs and the oldest backups are removed, and a backup gets its final name in the last step."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import stat
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.aimemory.tenancy.plugins.module_utils import backup_files, dumping

NAMES = ["db-20260101T000000Z", "db-20260102T000000Z", "db-20260103T000000Z"]


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty backup directory that belongs to the user who runs the tests."""
    monkeypatch.setattr(backup_files, "acting_as", lambda user: contextlib.nullcontext())
    return tmp_path


def made(directory: Path, *names: str, **manifest: Any) -> None:
    """Create backups, each with a manifest."""
    for name in names:
        (directory / name).mkdir()
        (directory / name / "manifest.json").write_text(json.dumps(manifest))


def left(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_what_lost_runs_left_goes_and_nothing_else(directory: Path) -> None:
    for name in ("db-20260101T000000Z.partial", "unpacked"):
        (directory / name / "database").mkdir(parents=True)
    made(directory, *NAMES[:2])
    (directory / "notes.partial").write_text("")
    (directory / "elsewhere.partial").symlink_to(directory / NAMES[0])
    backup_files.remove_leftovers(str(directory))
    assert left(directory) == [*NAMES[:2], "elsewhere.partial", "notes.partial"]
    assert (directory / NAMES[0] / "manifest.json").exists()


def test_a_backup_gets_its_name_with_its_manifest(directory: Path) -> None:
    path = directory / NAMES[0]
    manifest = {"version": 1, "path": str(path), "tables": [{"name": "caf\u00e9"}]}
    (directory / f"{path.name}.partial").mkdir()
    backup_files.put_in_place(manifest, "postgres")
    assert left(directory) == [path.name]
    assert json.loads((path / "manifest.json").read_text()) == manifest
    assert stat.S_IMODE((path / "manifest.json").stat().st_mode) == 0o600


def test_a_manifest_that_cannot_be_written_leaves_no_name(directory: Path) -> None:
    (directory / f"{NAMES[0]}.partial" / "manifest.json").mkdir(parents=True)
    with pytest.raises(IsADirectoryError):
        backup_files.put_in_place({"path": str(directory / NAMES[0])}, "postgres")
    assert left(directory) == [f"{NAMES[0]}.partial"]


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"proven_seconds": null}'])
def test_a_backup_without_a_proof_in_its_manifest_is_not_proven(directory: Path, text: str) -> None:
    made(directory, *NAMES[:2], proven_seconds=3.5)
    (directory / NAMES[0] / "manifest.json").write_text(text)
    (directory / NAMES[1] / "schema-partly.json").write_text("{}")
    assert backup_files.listed(str(directory), "db") == [
        {"path": str(directory / NAMES[0]), "proven": False, "snapshot": False},
        {"path": str(directory / NAMES[1]), "proven": True, "snapshot": True},
    ]


def test_the_newest_is_chosen_unless_one_is_named(directory: Path) -> None:
    made(directory, *NAMES[:2], proven_seconds=3.5)
    made(directory, NAMES[2], "db_archive-20270101T000000Z", proven_seconds=None)
    places = [str(directory / name / "manifest.json") for name in NAMES]
    assert backup_files.manifests(str(directory), "db", "", proven=False) == places
    assert backup_files.manifests(str(directory), "db", "", proven=True) == places[:2]
    assert backup_files.manifests(str(directory / "none"), "db", "", proven=False) == []
    assert backup_files.manifests(str(directory), "db", f"{directory / NAMES[0]}/", proven=False) == places[:1]
    assert backup_files.manifests("/elsewhere", "db", str(directory), proven=False)[:3] == places
    assert backup_files.manifests(str(directory), "db", str(directory / "[d]b*"), proven=False) == []


def sealed(directory: Path) -> dict[str, Any]:
    """Create a backup that consists of two files, and return its manifest."""
    path = directory / NAMES[0]
    (path / "database").mkdir(parents=True)
    (path / "database" / "toc.dat").write_text("list")
    (path / "globals.sql").write_text("CREATE ROLE alice")
    return {"path": str(path), "encrypted": False, **dumping.seal(str(path))}


def test_a_whole_backup_has_no_damage(directory: Path) -> None:
    assert backup_files.damage(sealed(directory), "postgres", "") == []


@pytest.mark.parametrize(
    ("file", "text", "found"),
    [
        ("database/toc.dat", "lisp", ["database/toc.dat: FAILED"]),
        ("database/toc.dat", None, ["database/toc.dat: No such file or directory"]),
        ("SHA256SUMS", None, ["SHA256SUMS: No such file or directory"]),
        ("SHA256SUMS", "", ["SHA256SUMS does not match its checksum in the manifest"]),
        ("SHA256SUMS", "nonsense\n", [": Is a directory"]),
    ],
)
def test_every_file_that_is_not_what_was_written_is_named(
    directory: Path, file: str, text: str | None, found: list[str]
) -> None:
    manifest = sealed(directory)
    path = Path(manifest["path"]) / file
    if text is None:
        path.unlink()
    else:
        path.write_text(text)
    assert backup_files.damage(manifest, "postgres", "") == found


def test_only_the_databases_own_backups_are_removed(directory: Path) -> None:
    others = ["db_archive-20260101T000000Z", "db-20260101T000000Z.partial", "notes"]
    made(directory, *NAMES, *others, proven_seconds=None)
    (directory / "db-20250101T000000Z").mkdir()
    (directory / "db-20250102T000000Z").symlink_to(directory / NAMES[0])
    assert backup_files.prune(str(directory), "db", 1, [str(directory / NAMES[0])]) == []
    assert left(directory) == sorted([NAMES[0], NAMES[2], *others, "db-20250101T000000Z", "db-20250102T000000Z"])


def test_a_backup_that_cannot_be_removed_is_named_and_the_others_go(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(directory, *NAMES, proven_seconds=None)
    remove = shutil.rmtree

    def refuse(path: str) -> None:
        if os.path.basename(path) == NAMES[0]:
            raise OSError(1, "Operation not permitted", path)
        remove(path)

    monkeypatch.setattr(shutil, "rmtree", refuse)
    sentence = f"{directory / NAMES[0]} cannot be removed (Operation not permitted)"
    assert backup_files.prune(str(directory), "db", 1, []) == [sentence]
    assert left(directory) == [NAMES[0], NAMES[2]]
