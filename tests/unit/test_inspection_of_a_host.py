"""A host's directories, free space and programs are inspected without a PostgreSQL server."""

from __future__ import annotations

import getpass
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.aimemory.tenancy.plugins.module_utils import inspection
from production import ROOT

USER = getpass.getuser()


def run(command: list[str], **_: Any) -> tuple[int, str, str]:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def test_what_stands_at_a_path_is_told(tmp_path: Path) -> None:
    file, link = tmp_path / "file", tmp_path / "link"
    file.touch()
    link.symlink_to(tmp_path)
    missing = dict.fromkeys(("exists", "is_directory", "is_link", "writable"), False)
    assert inspection.directory(str(tmp_path)) == missing | {"exists": True, "is_directory": True, "writable": True}
    assert inspection.directory(str(file)) == missing | {"exists": True, "writable": True}
    assert inspection.directory(str(link)) == missing | {"exists": True, "is_link": True, "writable": True}
    assert inspection.directory(str(tmp_path / "nowhere")) == missing
    assert inspection.directory(str(file / "below")) == missing


def test_the_room_is_that_of_the_first_path_that_exists(tmp_path: Path) -> None:
    system = os.statvfs(tmp_path)
    room = inspection.free_space([str(tmp_path / "nowhere"), str(tmp_path)], run)
    assert room is not None
    assert abs(room["free"] - system.f_bavail * system.f_frsize) < 10**9
    assert os.path.ismount(room["mount"])
    assert inspection.free_space([str(tmp_path / "nowhere")], run) is None
    assert inspection.free_space([], run) is None


def test_a_mount_point_may_hold_blanks() -> None:
    def df(command: list[str], **_: Any) -> tuple[int, str, str]:
        assert command[-2:] == ["--", "/x"]
        return 0, "Avail Mounted on\n  42 /mnt/my disk\n", ""

    assert inspection.free_space(["/x"], df) == {"mount": "/mnt/my disk", "free": 42}


@pytest.mark.skipif(os.geteuid() != 0, reason="the module runs as root")
def test_a_program_says_its_version_or_nothing() -> None:
    assert inspection.program_version("ls", USER, run).startswith("ls ")
    assert inspection.program_version("no-such-program", USER, run) == ""
    assert inspection.program_version("false", USER, lambda *_, **__: (1, "false 1", "")) == ""
    assert inspection.program_version("ls", "no-such-user", run) == ""


def test_systemd_that_cannot_be_asked_is_a_problem() -> None:
    found = inspection.unit("x.service", lambda *_, **__: (1, "", "Failed to connect to bus"))
    assert found == {"obstacles": [], "notes": [], "problem": "Failed to connect to bus"}


def test_a_host_without_psycopg2_is_inspected_all_the_same() -> None:
    program = (
        "import sys; sys.modules['psycopg2'] = None\n"
        "from ansible_collections.aimemory.tenancy.plugins.modules import inspect_host\n"
        "print(inspect_host.inspection.database('ai_memory', 5432, sys.argv[1], [], {})['problem'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, USER],
        cwd=ROOT, env={"PYTHONPATH": "collections"}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.stdout.strip() == f"{sys.executable} has no psycopg2: apt-get install python3-psycopg2.", done.stderr
