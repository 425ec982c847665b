"""Every scenario has tests, because a scenario without tests passes."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys

import pytest

import prose
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


def test_every_task_that_a_scenario_names_exists() -> None:
    """A fault never starts if it waits for a task that does not exist."""
    files = [path for folder in ("roles", "playbooks") for path in sorted((ROOT / folder).rglob("*.yml"))]
    tasks = [passage.text for path in files for passage in prose.of_task_names(path)]
    named = {
        node.value
        for path in sorted((ROOT / "molecule").rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and re.match(r"\w+ \| [A-Z]", node.value)
    }
    assert "take | Dump the database" in named
    assert [name for name in sorted(named) if not any(name in task for task in tasks)] == []
