"""Whether the rows of the smoke test are where they belong."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.aimemory.tenancy.plugins.module_utils import smoke


def found(*tenants: str | None, stored: bool = True, touched: tuple[str | None, ...] = ()) -> list[dict[str, Any]]:
    """Return what the tables hold: a row of each tenant where it is stored, and two of ``touched`` beside it."""
    return [
        {"table": "public.memories", "stored": stored, "tenants": [{"tenant": who, "count": 1} for who in tenants]},
        {"table": "public.profiles", "stored": False, "tenants": [{"tenant": who, "count": 2} for who in touched]},
    ]


@pytest.mark.parametrize(
    ("rows", "required", "sentence"),
    [
        (found("1"), True, ""),
        (found("1", touched=("1",)), True, ""),
        # A table without the tenant column, and one before the migration.
        (found(None), True, ""),
        (found(""), False, ""),
        (found(""), True, "is in public.memories under customer_id = NULL, not under 1"),
        (found("2"), True, "is in public.memories under customer_id = 2, not under 1"),
        (found("1", "2"), False, "under customer_id = 2, not under 1"),
        (found("1", touched=("2",)), True, "is in public.profiles under customer_id = 2, not under 1"),
        (found(), True, "public.memories has no row of it: it stores somewhere else, or later than it says"),
        (found(touched=("1",)), True, "public.memories has no row of it"),
        (found("1", stored=False), True, "No entry of service_smoke_rows says stored: true"),
    ],
)
def test_what_is_stored_elsewhere_is_told(rows: list[dict[str, Any]], required: bool, sentence: str) -> None:
    told = smoke.misplaced(rows, "1", "customer_id", required=required)
    assert sentence in told
    assert bool(told) == bool(sentence)


def stands(*, column: bool, isolated: bool) -> dict[str, Any]:
    """Return a state of one table."""
    return {"tables": {"t": {"column": {} if column else None, "rls": {"enabled": isolated}}}}


@pytest.mark.parametrize(
    ("answer", "state", "phases", "clause"),
    [
        ('column "customer_id" of relation', stands(column=False, isolated=False), ["column"], "names customer_id"),
        ('column "customer_id" of relation', stands(column=True, isolated=False), ["policy"], ""),
        ("disk full", stands(column=False, isolated=False), ["column", "policy"], ""),
        ("old_customer_ids", stands(column=False, isolated=False), ["column"], ""),
        # In whatever language PostgreSQL says it.
        ("verletzt", stands(column=True, isolated=True), ["default", "policy"], "row security that is there already"),
        ("verletzt", stands(column=True, isolated=True), ["bridge"], "row security that is there already"),
        ("verletzt", stands(column=True, isolated=True), ["key"], ""),
    ],
)
def test_what_the_migration_remedies_is_no_reason_to_refuse_it(
    answer: str, state: dict[str, Any], phases: list[str], clause: str
) -> None:
    told = smoke.excuse(answer, state, [{"phase": phase} for phase in phases], "customer_id")
    assert clause in told
    assert bool(told) == bool(clause)


def test_what_is_left_is_counted() -> None:
    assert smoke.left(found()) == ""
    assert "are left (1 in public.memories, 2 in public.profiles)" in smoke.left(found("1", touched=("1",)))


def test_rows_are_removed_under_every_tenant_that_has_some() -> None:
    assert smoke.tenants(found("3", None, "", touched=("2",)), "1") == ["1", "2", "3"]
