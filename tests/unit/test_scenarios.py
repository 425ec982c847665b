"""Every scenario has tests, because a scenario without tests passes."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from production import ROOT

SCENARIOS = sorted(path.parent.name for path in (ROOT / "molecule").glob("*/molecule.yml"))


def collect(tests: str) -> list[str]:
    """Return the collected tests of all scenarios for this value of TESTS."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "--quiet", "molecule"]
    environment = os.environ | {"TESTS": tests, "FAULTS": "all"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()


@pytest.fixture(scope="module")
def collected() -> list[str]:
    """Return every test of the scenarios."""
    return collect("all")


def test_there_are_scenarios() -> None:
    assert "migrate" in SCENARIOS


@pytest.mark.parametrize("scenario", [name for name in SCENARIOS if name != "default"])
def test_a_scenario_collects_tests(collected: list[str], scenario: str) -> None:
    # Molecule does not fail if pytest finds no tests in a directory (exit status 5).
    assert [test for test in collected if test.startswith(f"molecule/{scenario}/tests/test_")] != []


def test_a_run_makes_a_sample(collected: list[str]) -> None:
    made, module = set(collect("")), "molecule/failure/tests/test_after_the_start.py"
    assert {name.partition("[")[0] for name in made if "::" in name} < {name.partition("[")[0] for name in collected}
    assert [name.partition("[")[0] for name in made if module in name] == [
        f"{module}::test_an_error_of_the_database_rolls_the_change_back"
    ]
