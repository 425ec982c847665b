"""Every command in the documentation is run by a test."""

from __future__ import annotations

import ast
import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

import documents
from lab import MIGRATE
from production import ROOT

BLOCK = re.compile(r"^    (ansible-playbook .+?)(?:\s+#.*)?$", re.MULTILINE)
# A command may continue on the next line.
INLINE = re.compile(r"`(ansible-playbook\s[^`]+)`")
TARGET = re.compile(r"(?:^    |`)make ([a-z-]+)", re.MULTILINE)
# The names of the functions that run a playbook.
CALLS = ("playbook", "Run", "run")
# Names of playbooks in the installed collection have this prefix.
COLLECTION = "aimemory.tenancy."
# Variables that a test may set in addition to the documented ones: they answer questions, run hosts together, or
# shorten slow work.
BESIDE = {
    "migrate_confirm", "rollback_confirm", "enforce_confirm", "run_batches", "backup_test_restore", "migrate_rehearse",
    "backup_copy_max_bytes", "tenancy_bridge_quiet_seconds", "tenancy_bridge_startup_seconds",
}  # fmt: skip


@dataclass(frozen=True)
class Command:
    """A playbook run: the name of the playbook, whether the run is a dry run, and the variables."""

    playbook: str
    check: bool
    variables: tuple[tuple[str, str], ...]

    def runs(self, documented: Command) -> bool:
        """Return whether this run, which a test makes, is the documented run."""
        mine, theirs = dict(self.variables), dict(documented.variables)
        return (
            (self.playbook, self.check) == (documented.playbook, documented.check)
            and all(mine.get(name) == value for name, value in theirs.items())
            and set(mine) - set(theirs) <= BESIDE
        )


def parsed(words: list[str]) -> Command:
    """Return the command for the arguments of ansible-playbook."""
    playbooks: list[str] = []
    variables: dict[str, str] = {}
    check = False
    rest = iter(words)
    for word in rest:
        if word in ("-l", "--limit", "-i", "--inventory"):
            next(rest)
        elif word == "--check":
            check = True
        elif word.startswith(("-e", "--extra-vars=")):
            text = word.removeprefix("--extra-vars=").removeprefix("-e") or next(rest)
            if text.startswith("@"):
                # The file contains the inventory's own values, as strings.
                continue
            given = json.loads(text) if text.startswith("{") else [text.split("=", 1)]
            # The operator chooses the elements of a list, so the comparison ignores them.
            variables |= {name: value if isinstance(value, str) else "" for name, value in dict(given).items()}
        elif not word.startswith("-"):
            playbooks.append(word)
    assert len(playbooks) == 1, words
    return Command(playbooks[0], check, tuple(sorted(variables.items())))


def _texts(node: ast.expr, names: dict[str, list[str]]) -> Iterator[str]:
    """Yield the strings in an expression: a string, a tuple of strings, or the name of either. Ignore the rest."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    elif isinstance(node, ast.Tuple):
        for element in node.elts:
            yield from _texts(element, names)
    elif isinstance(node, ast.Starred):
        yield from _texts(node.value, names)
    elif isinstance(node, ast.Name):
        yield from names.get(node.id, ())


def _runs(path: Path) -> Iterator[Command]:
    """Yield the runs in a test file."""
    names = {"MIGRATE": list(MIGRATE)}
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            names[node.targets[0].id] = list(_texts(node.value, names))
        if isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) in CALLS:
            words = [word for argument in node.args for word in _texts(argument, names)]
            if any(word.endswith(".yml") or word.startswith(COLLECTION) for word in words):
                yield parsed(words[words[0] == "ansible-playbook" :])


def _of_molecule() -> Iterator[Command]:
    """Yield the runs that Molecule starts before a scenario's tests."""
    shared = yaml.safe_load((ROOT / ".config/molecule/config.yml").read_text())
    for path in (ROOT / "molecule").glob("*/molecule.yml"):
        own = yaml.safe_load(path.read_text())
        options = (own if "ansible" in own else shared)["ansible"]["executor"]["args"]["ansible_playbook"]
        sequence = own.get("scenario", shared["scenario"])["test_sequence"]
        for step in set(sequence) & {"cleanup", "converge"}:
            playbook = (path.parent / shared["ansible"]["playbooks"][step]).resolve()
            yield parsed([str(playbook.relative_to(ROOT)), *options])


@pytest.fixture(scope="module")
def made() -> set[Command]:
    """Return the runs in the scenarios."""
    runs = {run for path in (ROOT / "molecule").glob("*/tests/test_*.py") for run in _runs(path)}
    return runs | set(_of_molecule())


def shown() -> list[str]:
    """Return the ansible-playbook commands in the documentation, each on one line."""
    found = {" ".join(text.split()) for text in (*documents.found(BLOCK), *documents.found(INLINE))}
    return sorted(found - {*ELSEWHERE})


# This command needs an AWX controller. tests/unit/test_awx.py validates its tasks without a controller.
ELSEWHERE = ("ansible-playbook awx/configure.yml -e awx_scm_url=... -e awx_image=...",)


def test_a_command_within_a_text_may_be_broken_across_lines() -> None:
    assert INLINE.findall("  * so: `ansible-playbook\n    a.yml -e b=c` does, `ansible-playbook` is") == [
        "ansible-playbook\n    a.yml -e b=c"
    ]
    assert "ansible-playbook playbooks/verify.yml -e verify_proof=true" in shown()


@pytest.mark.parametrize("command", shown())
def test_a_scenario_makes_the_run(command: str, made: set[Command]) -> None:
    wanted = parsed(shlex.split(command)[1:])
    path = re.sub(rf"^{re.escape(COLLECTION)}(\w+)$", r"playbooks/\1.yml", wanted.playbook)
    assert (ROOT / path).is_file()
    assert any(run.runs(wanted) for run in made), f"no scenario makes this run: {command}"


def test_every_target_of_make_is_one() -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert set(documents.found(TARGET)) - set(targets) == set()


def test_help_has_a_line_for_every_target_that_is_no_file() -> None:
    makefile = (ROOT / "Makefile").read_text()
    [phony] = re.findall(r"^\.PHONY: (.+)$", makefile.replace("\\\n", " "), re.MULTILINE)
    helped = subprocess.run(
        ["make", "--silent", "--no-print-directory", "help"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert sorted(line.split()[0] for line in helped.splitlines()) == sorted(phony.split())
    assert all(len(line.split()) > 2 for line in helped.splitlines())


# These programs need resources that a test lacks: the project's page, a package index, Galaxy, an image registry.
FROM_ELSEWHERE = {"apt-get", "git", "pip", "ansible-galaxy", "ansible-builder"}
# The tests above check the commands of these programs, or run in an environment that these programs create.
HERE = {"ansible-playbook", "make", "python", "python3", "python3.12"}


def _taken(path: Path) -> Iterator[str]:
    """Yield the programs whose commands a test file reads from the documentation."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "commands":
            yield from _texts(node.args[0], {})


def test_a_test_takes_every_other_command_from_the_documents() -> None:
    first = {line.split()[0] for line in documents.found(documents.LINE)}
    here = {word for word in first if shutil.which(word)} - FROM_ELSEWHERE - HERE
    assert {"scp", "ssh"} <= here
    taken = {program for path in (ROOT / "molecule").glob("*/tests/test_*.py") for program in _taken(path)}
    # Tests may read more commands, because some documented programs are not installed on every machine.
    assert here <= taken
    assert [program for program in taken if not documents.commands(program)] == []
