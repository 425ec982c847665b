"""Every command of the documents is one that a test runs on a real host, or is named here with the reason why not."""

from __future__ import annotations

import ast
import importlib.util
import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

from production import ROOT

DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "examples").glob("*/*.md"))]
PROGRAMS = "ansible-playbook|ansible-navigator|ansible-builder|ansible-galaxy|ara|ara-manage|make|pip|git|ssh|scp|sudo|apt-get|python3?[.0-9]*"
BLOCK = re.compile(rf"^    ((?:{PROGRAMS}) .+?)(?:\s+#.*)?$", re.MULTILINE)
INLINE = re.compile(rf"`((?:{PROGRAMS}) [^`]+)`")
# What a test gives beside what the document says: the answer that an operator types, or less of what takes long.
BESIDE = {
    "migrate_confirm", "rollback_confirm", "enforce_confirm", "run_batches", "backup_test_restore", "backup_copy_max_bytes",
    "tenancy_bridge_quiet_seconds", "report_directory", "report_watch_bytes", "support_directory",
}  # fmt: skip
# Where another program, or no scenario, runs the command.
ELSEWHERE = {
    "make demo": "docs: tried in an empty container; its playbooks are those of the scenarios",
    "make test": "is what runs the tests",
    "make lint": "is part of `make test`",
    "make unit": "is part of `make test`",
    "make docs": "its pages are compared by test_docs",
    "make test-faults": "the scenario `faults` is a sample of it",
    "make bench": "measures; no verdict depends on it",
    "make clean": "removes what the tests run in",
}


@dataclass(frozen=True)
class Command:
    """A run of a playbook: which, whether dry, and its variables."""

    playbook: str
    check: bool
    variables: tuple[tuple[str, str], ...]

    def runs(self, documented: Command) -> bool:
        """Say whether this run, which a test makes, is the documented one."""
        mine, theirs = dict(self.variables), dict(documented.variables)
        return (
            (self.playbook, self.check) == (documented.playbook, documented.check)
            and all(mine.get(name) == value for name, value in theirs.items())
            and set(mine) - set(theirs) <= BESIDE
        )


def parsed(words: list[str]) -> Command:
    """Return the command of ansible-playbook's arguments."""
    playbooks, check, variables = [], False, {}
    rest = iter(words)
    for word in rest:
        if word in ("-l", "--limit", "-i", "--inventory"):
            next(rest)
        elif word == "--check":
            check = True
        elif word.startswith(("-e", "--extra-vars=")):
            text = word.removeprefix("--extra-vars=").removeprefix("-e") or next(rest)
            given = json.loads(text) if text.startswith("{") else [text.split("=", 1)]
            variables |= {name: str(value) for name, value in dict(given).items()}
        elif not word.startswith("-"):
            playbooks.append(word)
    assert len(playbooks) == 1, words
    return Command(playbooks[0], check, tuple(sorted(variables.items())))
