"""Which tests a run makes, and on which host: of the side paths those whose turn it is, so that a run ends in time."""

from __future__ import annotations

import datetime
import os
from collections.abc import Container, Mapping, Sequence

# Days in which every side path is tried once; TESTS=all tries them all at once. Odd, so that two hosts share a day's.
TURNS = 1 if os.environ.get("TESTS") == "all" else 5


def has_turn(number: int, turns: int = TURNS, day: int | None = None) -> bool:
    """Say whether it is the turn of the side path ``number``, all day long (``day``: its ordinal, today's if None)."""
    return (number + (datetime.date.today().toordinal() if day is None else day)) % turns == 0


def places(
    tests: Mapping[str, Sequence[str]], by_turns: Container[str], turns: int = TURNS, day: int | None = None
) -> dict[str, str]:
    """Return the host that makes each test, without those whose turn it is not.

    ``tests`` names the hosts that could make it, ``by_turns`` holds the tests that wait for their turn.
    """
    made: dict[str, str] = {}
    waiting = 0
    for number, (test, hosts) in enumerate(tests.items()):
        if test in by_turns:
            waiting += 1
            if not has_turn(waiting, turns, day):
                continue
        made[test] = hosts[number % len(hosts)]
    return made
