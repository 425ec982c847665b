"""Of the tests of side paths a run makes some; none is forgotten."""

from __future__ import annotations

import pytest

from turns import has_turn, places

TURNS = 5

HOSTS = ["new", "old"]
SIDE_PATHS = {f"side {number}": HOSTS for number in range(20)}
MAIN_PATHS = {f"main {number}": HOSTS for number in range(3)}


@pytest.mark.parametrize("first", [0, 739_947])
def test_each_side_path_has_its_turn_once_in_five_days_and_always_on_the_same_host(first: int) -> None:
    days = [places(SIDE_PATHS, SIDE_PATHS, TURNS, day) for day in range(first, first + TURNS)]
    assert sorted(test for made in days for test in made) == sorted(SIDE_PATHS)
    whole = places(SIDE_PATHS, SIDE_PATHS, 1, first)
    assert {test: host for made in days for test, host in made.items()} == whole
    for made in days:
        assert sorted(made.values()) == ["new", "new", "old", "old"]


@pytest.mark.parametrize("day", range(TURNS))
def test_five_side_paths_are_enough_for_every_day(day: int) -> None:
    few = dict(list(SIDE_PATHS.items())[:TURNS])
    assert len(places(few, few, TURNS, day)) == 1


@pytest.mark.parametrize("day", range(TURNS))
def test_what_is_no_side_path_is_made_by_every_run(day: int) -> None:
    made = places(MAIN_PATHS | SIDE_PATHS, SIDE_PATHS, TURNS, day)
    assert MAIN_PATHS.keys() <= made.keys()


def test_all_are_made_on_request() -> None:
    assert places(SIDE_PATHS, SIDE_PATHS, 1, 5).keys() == SIDE_PATHS.keys()
    assert all(has_turn(number, 1, 5) for number in range(5))


def test_one_host_alone_makes_what_two_would_share() -> None:
    assert set(places({test: ["new"] for test in MAIN_PATHS}, (), 3, 0).values()) == {"new"}
