"""A test run includes a fixed sample of the variants, or all variants on request."""

from __future__ import annotations

import datetime

import pytest

from turns import Case, has_turn, places

TURNS = 5

HOSTS = ["new", "old"]
SIDE_PATHS = {f"side {number}": Case(HOSTS, f"side {number}") for number in range(20)}
MAIN_PATHS = {f"main {number}": Case(HOSTS, f"main {number}") for number in range(3)}


def test_a_fifth_of_the_side_paths_is_made_and_shared_by_the_hosts() -> None:
    made = places(SIDE_PATHS, SIDE_PATHS, TURNS)
    assert list(made) == ["side 0", "side 5", "side 10", "side 15"]
    assert sorted(made.values()) == ["new", "new", "old", "old"]


def test_what_is_made_does_not_depend_on_the_date(monkeypatch: pytest.MonkeyPatch) -> None:
    class Tomorrow(datetime.date):
        @classmethod
        def today(cls) -> Tomorrow:
            return cls(2031, 1, 3)

    today = places(SIDE_PATHS, SIDE_PATHS, TURNS)
    monkeypatch.setattr(datetime, "date", Tomorrow)
    assert places(SIDE_PATHS, SIDE_PATHS, TURNS) == today


@pytest.mark.parametrize("count", range(1, TURNS + 1))
def test_of_a_few_side_paths_one_is_made(count: int) -> None:
    few = dict(list(SIDE_PATHS.items())[:count])
    assert len(places(few, few, TURNS)) == 1


def test_what_is_no_side_path_is_made_by_every_run() -> None:
    made = places(MAIN_PATHS | SIDE_PATHS, SIDE_PATHS, TURNS)
    assert MAIN_PATHS.keys() <= made.keys()


def test_all_are_made_on_request() -> None:
    assert places(SIDE_PATHS, SIDE_PATHS, 1).keys() == SIDE_PATHS.keys()
    assert all(has_turn(number, 1) for number in range(5))


def test_one_host_alone_makes_what_two_would_share() -> None:
    assert set(places({name: Case(["new"], name) for name in MAIN_PATHS}, (), 3).values()) == {"new"}


def test_side_paths_of_what_belongs_together_stay_on_its_host() -> None:
    module = {name: Case(HOSTS, "module") for name in (*MAIN_PATHS, *SIDE_PATHS)}
    other = {"other": Case(HOSTS, "other")}
    assert set(places(module, SIDE_PATHS, 1).values()) == {"new"}
    assert places(module | other, SIDE_PATHS, 1)["other"] == "old"
