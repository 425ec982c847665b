"""The planned SQL for real states equals the SQL that a DBA has reviewed and accepted."""

from __future__ import annotations

import pglast
import pytest

import golden


@pytest.mark.parametrize(("case", "goal"), golden.cases())
def test_the_plan_is_the_accepted_one(case: str, goal: str) -> None:
    assert golden.planned(case, goal) == golden.expected(case, goal).read_text()


@pytest.mark.parametrize(("case", "goal"), golden.cases())
def test_postgresql_can_parse_it(case: str, goal: str) -> None:
    assert len(pglast.parse_sql(golden.expected(case, goal).read_text())) == len(golden.statements(case, goal))


@pytest.mark.parametrize(("before", "after"), [("unmigrated", "migrated"), ("rental", "rental-migrated")])
def test_a_migrated_database_needs_nothing(before: str, after: str) -> None:
    assert golden.expected(after, "migrate").read_text() == ""
    assert golden.expected(before, "migrate").read_text() != ""
