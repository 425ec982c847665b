"""Only one run at a time holds the lock. A run breaks another run's lock only on request."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.aimemory.tenancy.plugins.modules import run_lock
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.host import refusals

MINE, OTHER = "eve on laptop, run 1 (migrate), since 2026-01-01 00:00:00 UTC", "bob, since yesterday"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return the path of the lock."""
    return tmp_path / "tenancy-ai_memory.lock"


def lock(path: Path, state: str = "taken", *, break_lock: bool = False) -> dict[str, Any]:
    wanted = {"path": str(path), "text": MINE, "state": state, "break_lock": break_lock, "port": 1, "user": "root"}
    return run_lock.lock(wanted)


def alive(monkeypatch: pytest.MonkeyPatch, found: dict[str, Any]) -> None:
    monkeypatch.setattr(run_lock, "_alive", lambda _: found)


def test_it_is_taken_once_and_holds_its_text(path: Path) -> None:
    taken = lock(path)
    assert (taken["held"], taken["text"], taken["holder"]) == (True, MINE, "")
    assert refusals.of_lock(taken, "ai_memory") == []
    assert str(path.readlink()) == MINE
    again = lock(path)
    assert (again["held"], again["holder"]) == (False, MINE)
    (refusal,) = refusals.of_lock(again, "ai_memory")
    assert refusal == (
        f"Another run uses ai_memory: {MINE}. Wait until it has ended. If that run is lost, add -e"
        " migrate_break_lock=true."
    )


def test_one_that_cannot_be_made_says_why(path: Path) -> None:
    (refusal,) = refusals.of_lock(lock(path / "no-directory"), "ai_memory")
    assert refusal.startswith("The lock cannot be taken (")
    assert "No such file or directory" in refusal
    path.mkdir()
    (refusal,) = refusals.of_lock(lock(path), "ai_memory")
    assert "File exists" in refusal


def test_a_lost_run_s_is_broken_if_none_of_its_sessions_is_alive(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alive(monkeypatch, {})
    path.symlink_to(OTHER)
    taken = lock(path, break_lock=True)
    assert (taken["held"], taken["broken"], taken["holder"]) == (True, True, OTHER)
    assert str(path.readlink()) == MINE
    path.unlink()
    taken = lock(path, break_lock=True)
    assert (taken["held"], taken["broken"]) == (True, False)


@pytest.mark.parametrize("holder", [OTHER, ""])
def test_it_is_not_broken_while_a_session_is_alive(path: Path, monkeypatch: pytest.MonkeyPatch, holder: str) -> None:
    alive(monkeypatch, {"pid": 7, "names": "process 7 in ai_memory since noon"})
    if holder:
        path.symlink_to(holder)
    refused = lock(path, break_lock=True)
    assert not refused["held"]
    (refusal,) = refusals.of_lock(refused, "ai_memory")
    assert refusal == (
        f"The lock of {holder or 'no run'} is not stale: a session of a run still exists, process 7 in ai_memory since"
        " noon. Wait until it has ended, or terminate it with SELECT pg_terminate_backend(7)."
    )
    assert path.is_symlink() == bool(holder)


def test_it_is_not_broken_if_sessions_cannot_be_looked_for(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(_: dict[str, Any]) -> dict[str, Any]:
        raise OSError("no answer")

    monkeypatch.setattr(run_lock, "_alive", silent)
    path.symlink_to(OTHER)
    assert refusals.of_lock(lock(path, break_lock=True), "ai_memory")[0].startswith(
        "The lock cannot be taken (no answer): check"
    )
    assert str(path.readlink()) == OTHER


def test_one_that_cannot_be_released_is_told(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), name)

    lock(path)
    with monkeypatch.context() as patch:
        patch.setattr(os, "unlink", refuse)
        kept = lock(path, "released")
    assert kept["held"]
    (warning,) = refusals.of_kept_lock(kept, str(path))
    assert warning == (
        f"WARNING: The lock of this run was not released ([Errno 30] Read-only file system: '{path}'). Fix this"
        f" problem, and run rm {path} on the server. Otherwise, the next run reports that another run uses the"
        " database."
    )
    # The module itself may fail, for example if there is no Python on the server.
    assert "(MODULE FAILURE)" in refusals.of_kept_lock({"failed": True, "msg": "MODULE FAILURE"}, str(path))[0]
    assert refusals.of_kept_lock(lock(path, "released"), str(path)) == []


def test_only_the_own_one_is_released(path: Path) -> None:
    assert not lock(path, "released")["held"]
    path.symlink_to(OTHER)
    assert not lock(path, "released")["held"]
    assert str(path.readlink()) == OTHER
    path.unlink()
    lock(path)
    assert not lock(path, "released")["held"]
    assert not path.is_symlink()
