"""No scenario passes because it has no tests."""

from __future__ import annotations

import subprocess
import sys

import pytest

from production import ROOT

SCENARIOS = sorted(path.parent.name for path in (ROOT / "molecule").glob("*/molecule.yml"))


def test_there_are_scenarios() -> None:
    assert "migrate" in SCENARIOS


@pytest.mark.parametrize("scenario", [name for name in SCENARIOS if name != "default"])
def test_a_scenario_collects_tests(scenario: str) -> None:
    # Molecule passes a folder in which pytest finds nothing (exit status 5).
    command = [sys.executable, "-m", "pytest", "--collect-only", "--quiet", f"molecule/{scenario}/tests"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
