"""The scenarios' playbook runs are counted, and their number is limited."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from production import ROOT

LAB = ROOT / "lab"


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Return the file of recorded runs, after one run of a lab playbook and three other runs."""
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "ansible-playbook").write_text('#!/bin/sh\necho "made $*"\n')
    (programs / "ansible-playbook").chmod(0o755)
    file = tmp_path / "runs"
    environment = os.environ | {
        "PLAYBOOK_RUNS": str(file),
        "PATH": f"{LAB / 'counted'}:{programs}:{os.environ['PATH']}",
    }
    for arguments in (
        ["--version"],
        ["--inventory", "lab.yml", f"{LAB}/reset.yml"],
        ["migrate.yml", "--limit", "lab17", "-e{\n}"],
        ["--limit=lab15", f"{ROOT}/playbooks/verify.yml"],
        ["rollback.yml"],
    ):
        done = subprocess.run(
            ["ansible-playbook", *arguments], env=environment, capture_output=True, text=True, check=True
        )
        assert done.stdout == f"made {' '.join(arguments)}\n"
    return file


@pytest.mark.parametrize(("most", "returncode"), [(2, 1), (3, 0)])
def test_more_runs_than_allowed_fail(runs: Path, most: int, returncode: int) -> None:
    done = subprocess.run([LAB / "count-runs", runs, str(most)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (returncode, f"3 playbook runs; the limit is {most}.\n")


def test_no_run_is_within_every_maximum(tmp_path: Path) -> None:
    (tmp_path / "runs").touch()
    done = subprocess.run([LAB / "count-runs", tmp_path / "runs", "0"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "0 playbook runs; the limit is 0.\n")


def test_the_scenarios_are_counted() -> None:
    script = (LAB / "run-scenarios").read_text()
    assert re.findall(r"^MOST_RUNS=(\d+)$", script, re.MULTILINE) == ["80"]
    # The limit applies to a sample of the variants. With TESTS=all, every variant runs without a limit.
    sample = script[script.index("\nelse\n") : script.rindex("\nfi\n")]
    assert sample.rstrip().endswith('lab/count-runs "$PLAYBOOK_RUNS" "$MOST_RUNS"')
