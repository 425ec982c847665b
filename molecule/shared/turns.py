"""Which tests a run makes, and on which host: of the side paths a thirtieth, so that a run ends in time."""

from __future__ import annotations

import os
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass

# Every test is made, also the wide ones.
ALL = os.environ.get("TESTS") == "all"
# One side path of so many is made, and one a scenario at least; TESTS=all makes them all.
TURNS = 1 if ALL else 30


def has_turn(number: int, turns: int = TURNS) -> bool:
    """Say whether a run makes the side path ``number``, counted from 0: every run the same ones, whatever the date."""
    return number % turns == 0


@dataclass(frozen=True)
class Case:
    """A test that one host makes: the hosts that can, and what else the same host makes."""

    hosts: Sequence[str]
    together: str


def places(tests: Mapping[str, Case], by_turns: Container[str], turns: int = TURNS) -> dict[str, str]:
    """Return the host that makes each test, without the side paths that are left out: always the same.

    ``by_turns`` holds the side paths. Of a few of them the first is made.
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
