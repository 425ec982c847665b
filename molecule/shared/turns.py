"""Choose the tests of a run and their hosts. Only one in thirty variants runs, which limits the duration of a run."""

from __future__ import annotations

import os
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass

# TESTS=all runs every test, including those that are marked wide.
ALL = os.environ.get("TESTS") == "all"
# Every n-th variant runs, and at least one for each scenario; TESTS=all runs all variants.
TURNS = 1 if ALL else 30


def has_turn(number: int, turns: int = TURNS) -> bool:
    """Return whether a run tests the variant ``number``, counted from 0. The result is the same in every run, on any
    date."""
    return number % turns == 0


@dataclass(frozen=True)
class Case:
    """A test that runs on one host: the possible hosts, and the group of tests that must run on the same host."""

    hosts: Sequence[str]
    together: str


def places(tests: Mapping[str, Case], by_turns: Container[str], turns: int = TURNS) -> dict[str, str]:
    """Return the host of each selected test. The result is the same in every run.

    ``by_turns`` contains the names of the variants. Every ``turns``-th variant is selected, starting with the first.
    """
    made: dict[str, str] = {}
    groups: dict[str, int] = {}
    side_paths = 0
    for name, test in tests.items():
        if name in by_turns:
            side_paths += 1
            if not has_turn(side_paths - 1, turns):
                continue
        number = groups.setdefault(test.together, len(groups))
        made[name] = test.hosts[number % len(test.hosts)]
    return made
