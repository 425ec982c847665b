"""The cost of a rehearsal is estimated, and the plan for the copy is compared with the real plan."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.aimemory.tenancy.plugins.module_utils import rehearsal
from ansible_collections.aimemory.tenancy.plugins.module_utils.errors import TenancyError

ASKED: dict[str, Any] = {"free_bytes": 10**10, "shared": False, "load": 0.5, "processors": 2, "last": None}


def _cost(mode: str = "full", size: int = 10**9, longest: int = 1800, **asked: Any) -> dict[str, Any]:
    return rehearsal.cost(ASKED | asked, size, mode, longest, "/var/backups")


@pytest.mark.parametrize(
    ("last", "seconds"),
    [
        (None, 10 + 2 * 50),
        ({"duration_seconds": 30, "proven_seconds": None}, 10 + 2 * 120),
        ({"duration_seconds": 30, "proven_seconds": 60}, 10 + 2 * 60),
    ],
)
def test_the_time_is_that_of_the_last_backup(last: dict[str, Any] | None, seconds: int) -> None:
    assert _cost(last=last)["seconds"] == seconds


def test_too_little_room_is_refused_with_the_number_and_the_choice() -> None:
    (sentence,) = _cost(free_bytes=10**9)["obstacles"]
    assert "needs 1,537 MB in /var/backups, which has 1,000 MB free" in sentence
    assert "-e rehearse_directory=/path" in sentence
    assert "needs 2,537 MB" in _cost(free_bytes=10**9, shared=True)["obstacles"][0]
    assert "-e migrate_rehearse=schema" in sentence
    assert _cost("schema", free_bytes=10**9)["obstacles"] == []


def test_too_much_time_is_refused_with_the_choice() -> None:
    (sentence,) = _cost(size=10**11, free_bytes=10**12)["obstacles"]
    assert "about 10,010 s, more than rehearse_max_duration (1,800 s)" in sentence
    assert "-e rehearse_max_duration=20020" in sentence
    assert "-e migrate_rehearse=schema" in sentence
    assert _cost(size=10**11, free_bytes=10**12, longest=20020)["obstacles"] == []
    assert _cost("schema", size=10**11)["obstacles"] == []


def test_a_run_without_a_rehearsal_says_so() -> None:
    assert "NONE (migrate_rehearse=none)" in _cost("none", free_bytes=0)["lines"][0]
    assert _cost("none", free_bytes=0)["obstacles"] == []


@pytest.mark.parametrize("mode", ["true", "", "False"])
def test_another_mode_is_an_error(mode: str) -> None:
    with pytest.raises(TenancyError, match="must be full, schema or none"):
        _cost(mode)


@pytest.mark.parametrize("directory", ["backups", "/var/back ups", "/var/100%", "/a/", '/"a"', "/-a", "/a\n"])
def test_a_directory_that_a_unit_would_read_otherwise_is_an_error(directory: str) -> None:
    with pytest.raises(TenancyError, match="must be an absolute path"):
        rehearsal.cost(ASKED, 1, "full", 1800, directory)


def _plan(**statements: str) -> list[dict[str, str]]:
    return [{"id": name, "sql": sql} for name, sql in statements.items()]


STATE = {"tables": {"memories": {"indexes": [{"name": "broken", "valid": False}, {"name": "whole", "valid": True}]}}}


@pytest.mark.parametrize(
    ("copy", "differing"),
    [
        (_plan(a="A", b="B"), []),
        (_plan(a="A"), ["b"]),
        (_plan(a="A", b="C"), ["b"]),
        (_plan(a="A", b="B", c="C"), ["c"]),
        (_plan(b="B", a="A"), ["the order"]),
        ([], ["a", "b"]),
    ],
)
def test_the_plans_are_the_same_in_ids_and_sql(copy: list[dict[str, str]], differing: list[str]) -> None:
    found = rehearsal.plan_differences(copy, _plan(a="A", b="B"), STATE)
    assert found == {"differing": differing, "excepted": []}


def test_a_copy_without_tablespaces_has_the_same_plan() -> None:
    state = {
        "tables": {"a": {"indexes": [], "partitions": [{"indexes": [{"name": "i", "tablespace": 'the "fast" one'}]}]}}
    }
    real = _plan(
        build='CREATE UNIQUE INDEX "k" ON "a" ("b") TABLESPACE "the ""fast"" one" WHERE (c)',
        key='ALTER TABLE "a" ADD CONSTRAINT "k" UNIQUE ("b") USING INDEX TABLESPACE "the ""fast"" one" DEFERRABLE',
    )
    copy = _plan(
        build='CREATE UNIQUE INDEX "k" ON "a" ("b") WHERE (c)',
        key='ALTER TABLE "a" ADD CONSTRAINT "k" UNIQUE ("b") DEFERRABLE',
    )
    assert rehearsal.plan_differences(copy, real, state) == {"differing": [], "excepted": []}
    copy[0]["sql"] += " AND d"
    assert rehearsal.plan_differences(copy, real, state)["differing"] == ["build"]


def test_what_a_dump_does_not_carry_is_named_and_excepted() -> None:
    real = _plan(drop='DROP INDEX "broken"', index='CREATE INDEX "broken" ON memories (a)', other="X")
    found = rehearsal.plan_differences(_plan(index='CREATE INDEX "broken" ON memories (a)', other="X"), real, STATE)
    assert found["differing"] == []
    assert found["excepted"] == ["drop: the index broken is invalid, and no dump contains it"]
    found = rehearsal.plan_differences(_plan(other="X"), _plan(drop='DROP INDEX "whole"', other="X"), STATE)
    assert found["differing"] == ["drop"]
