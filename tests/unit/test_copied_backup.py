"""A copied backup gets its final name only if the copy is identical. Rollbacks find the backups from migrations."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleLookupError

from ansible_collections.aimemory.tenancy.plugins.action import fetch_archive
from ansible_collections.aimemory.tenancy.plugins.lookup import logged_backups
from ansible_collections.aimemory.tenancy.plugins.module_utils import age
from ansible_collections.aimemory.tenancy.plugins.modules import backup_archive

CONTENT = b"an archive"
SHA256 = hashlib.sha256(CONTENT).hexdigest()


def test_what_arrived_whole_gets_its_name(tmp_path: Path) -> None:
    incoming, path = tmp_path / "incoming.partial", tmp_path / "db.tar"
    incoming.write_bytes(CONTENT)
    assert fetch_archive.put(incoming, path, SHA256) == ""
    assert (path.read_bytes(), stat.S_IMODE(path.stat().st_mode)) == (CONTENT, 0o600)
    assert not incoming.exists()


def test_what_arrived_otherwise_does_not(tmp_path: Path) -> None:
    incoming, path = tmp_path / "incoming.partial", tmp_path / "db.tar"
    incoming.write_bytes(CONTENT[:-1])
    assert "differs from the backup (SHA-256)" in fetch_archive.put(incoming, path, SHA256)
    assert not path.exists()


def test_a_copy_is_not_overwritten(tmp_path: Path) -> None:
    incoming, path = tmp_path / "incoming.partial", tmp_path / "db.tar"
    incoming.write_bytes(CONTENT)
    path.write_bytes(b"another one")
    assert "already exists and was not overwritten" in fetch_archive.put(incoming, path, SHA256)
    assert path.read_bytes() == b"another one"


def test_an_archive_replaces_what_a_lost_run_left_and_follows_no_link(tmp_path: Path) -> None:
    victim, archive = tmp_path / "victim", tmp_path / "backup.tar"
    victim.write_bytes(CONTENT)
    archive.symlink_to(victim)
    backup_archive.create(str(archive))
    assert not archive.is_symlink()
    assert (archive.stat().st_size, archive.stat().st_uid) == (0, tmp_path.stat().st_uid)
    assert stat.S_IMODE(archive.stat().st_mode) == 0o600
    assert victim.read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("changes", "kept"),
    [
        ({}, True),
        ({"outcome": "PARTIAL"}, True),
        ({"outcome": "FAILED"}, False),
        ({"kind": "backup"}, False),
        ({"host": "other"}, False),
        ({"backup": None}, False),
    ],
)
def test_a_migration_that_changed_the_database_needs_its_backup(changes: dict[str, Any], kept: bool) -> None:
    record = {"kind": "migrate", "outcome": "SUCCESS", "host": "db1", "backup": {"path": "/b/db-1"}} | changes
    assert logged_backups.needed([record], "db1") == (["/b/db-1"] if kept else [])


def test_records_are_those_of_all_runs(tmp_path: Path) -> None:
    for number in (1, 2):
        (tmp_path / f"run-{number}").mkdir()
        (tmp_path / f"run-{number}/run.json").write_text(json.dumps({"number": number}))
    (tmp_path / "run-without").mkdir()
    assert logged_backups.read(str(tmp_path)) == [{"number": 1}, {"number": 2}]
    assert logged_backups.read(str(tmp_path / "none")) == []
    (tmp_path / "run-2/run.json").write_text("{")
    with pytest.raises(AnsibleLookupError, match=r"The record .*run-2/run\.json cannot be read"):
        logged_backups.read(str(tmp_path))


@pytest.fixture
def as_oneself(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let programs run as the user who runs the tests."""
    monkeypatch.setattr(age, "_as", lambda user, directory: {"cwd": directory})


@pytest.mark.usefixtures("as_oneself")
@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        (("cat",), ("grep", "--quiet", "the key"), None),
        (("sh", "-c", "cat > /dev/null; echo wrong >&2; exit 1"), ("cat",), "wrong"),
        # A program may exit without reading its input. That alone is not an error.
        (("true",), ("sh", "-c", "echo differs; exit 1"), "differs"),
        (("cat",), ("false",), "no message"),
    ],
)
def test_a_pipe_fails_with_either_program(
    tmp_path: Path, first: tuple[str, ...], second: tuple[str, ...], said: str | None
) -> None:
    assert age._piped(first, second, "postgres", str(tmp_path), "the key" + " " * 100_000) == said


@pytest.mark.usefixtures("as_oneself")
def test_a_program_that_is_missing_leaves_no_process(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        age._piped(("cat",), ("no-such-program",), "postgres", str(tmp_path))
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)
