"""Continuous integration runs the same commands as a developer, and no others."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

import browser
from production import ROOT

# The actions that provide what make cannot: the checkout, and the Python versions that lab/find-python looks for.
# No action provides a browser: GitHub's runners already have one. make can install one only on Debian.
NEEDED = {"actions/checkout", "actions/setup-python"}


def workflow() -> dict[str, Any]:
    """Return the workflow. BaseLoader reads the key `on` as a string, not as a boolean of YAML 1.1."""
    document: dict[str, Any] = yaml.load((ROOT / ".github/workflows/test.yml").read_text(), Loader=yaml.BaseLoader)
    return document


def test_it_makes_the_tests_and_nothing_else() -> None:
    (job,) = workflow()["jobs"].values()
    commands = [step for step in job["steps"] if "run" in step]
    assert commands == [{"run": "make test"}]
    used = [step["uses"] for step in job["steps"] if "uses" in step]
    assert {name.partition("@")[0] for name in used} <= NEEDED
    # Each action is pinned to a commit, because a tag can be moved to another commit.
    assert [name for name in used if not re.fullmatch(r"[\w/-]+@[0-9a-f]{40}", name)] == []
    assert len(commands) + len(used) == len(job["steps"])


def test_the_pythons_are_those_that_make_looks_for() -> None:
    (job,) = workflow()["jobs"].values()
    (versions,) = [step["with"]["python-version"].split() for step in job["steps"] if "with" in step]
    newest, *_ = re.findall(r"\|\| set -- (\S+)", (ROOT / "lab/find-python").read_text())
    (oldest,) = re.findall(r"find-python ([\d.]+)", (ROOT / "Makefile").read_text())
    assert sorted(versions) == sorted([newest, oldest])


def test_it_runs_for_every_change_with_no_right_and_no_secret() -> None:
    assert set(workflow()["on"]) == {"push", "pull_request"}
    assert workflow()["permissions"] == {"contents": "read"}
    assert "secrets" not in (ROOT / ".github/workflows/test.yml").read_text()


def test_there_is_no_other_workflow() -> None:
    assert [path.name for path in (ROOT / ".github/workflows").iterdir()] == ["test.yml"]
    assert (ROOT / ".ci/run").read_text().rstrip().endswith("exec make test")


def planned(target: str) -> list[str]:
    """Return the commands that make runs for a target on a new machine."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    command = ["make", "--dry-run", "--always-make", target]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_only_the_tests_need_a_browser() -> None:
    wanted = f"command -v {' '.join(browser.BROWSERS)} > /dev/null || lab/install-packages {browser.BROWSERS[0]}"
    demo, scenarios = planned("demo"), planned("scenarios")
    assert [line for line in demo if "lab/install-packages" in line] != []
    assert [line for line in demo if any(name in line for name in browser.BROWSERS)] == []
    assert scenarios.index(wanted) < scenarios.index("lab/run-scenarios")


@pytest.mark.parametrize(
    ("there", "found"), [(["google-chrome", "chromium"], "chromium"), (["google-chrome"], "google-chrome")]
)
def test_a_browser_is_found_by_any_of_its_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: list[str], found: str
) -> None:
    for name in there:
        (tmp_path / name).touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert browser.program() == str(tmp_path / found)


def test_without_a_browser_one_sentence_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(
        FileNotFoundError, match=r"^No browser is on the PATH \(chromium, .*\): apt-get install chromium\.$"
    ):
        browser.program()
