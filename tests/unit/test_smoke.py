"""The verdict on the smoke test's responses, and on the tenants of its rows."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.aimemory.tenancy.plugins.module_utils import smoke, smoke_rows
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.changes import ended
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.service import tried

CALLER = "+1555-runbook-1"
ABOUT: dict[str, Any] = {
    "service": "ai-memory", "secret": "JWT_SECRET_KEY", "token": "signed", "before": True,
    "ended": [],
}  # fmt: skip


def about(*phases: str, is_secured: bool = False, **more: Any) -> dict[str, Any]:
    """Return the criteria for a response if the plan has statements of these phases."""
    statements = [{"phase": phase} for phase in phases]
    return {**ABOUT, "ended": ended.errors(statements, "customer_id", is_secured=is_secured), **more}


def row(tenant: str | None, count: int, caller: str = CALLER) -> dict[str, Any]:
    return {"caller": caller, "tenant": tenant, "count": count}


def answer(verdict: str, said: str = "HTTP 200 {}", code: str = "", **more: Any) -> dict[str, Any]:
    return {"name": "POST /memory/store", "verdict": verdict, "said": said, "code": code, **more}


def found(*tenants: str | None, stored: bool = True, touched: tuple[str | None, ...] = ()) -> list[dict[str, Any]]:
    """Return the rows of two tables.

    The first table has one row of each tenant, and the second has two rows of each tenant in ``touched``.
    """
    return [
        {"table": "public.memories", "stored": stored, "tenants": [row(who, 1) for who in tenants]},
        {"table": "public.profiles", "stored": False, "tenants": [row(who, 2) for who in touched]},
    ]


@pytest.mark.parametrize(
    ("rows", "required", "sentence"),
    [
        (found("1"), True, ""),
        (found("1", touched=("1",)), True, ""),
        # The table has no tenant column, or is not migrated yet.
        (found(None), True, ""),
        (found(""), False, ""),
        (found(""), True, "in public.memories with customer_id = NULL instead of 1"),
        (found("2"), True, "in public.memories with customer_id = 2 instead of 1"),
        (found("1", "2"), False, "with customer_id = 2 instead of 1"),
        (found("1", touched=("2",)), True, "in public.profiles with customer_id = 2 instead of 1"),
        (
            found(),
            True,
            "public.memories contains no row for it: the service stores the row elsewhere, or after its response",
        ),
        (found(touched=("1",)), True, "public.memories contains no row for it"),
        (found("1", stored=False), True, "No entry of service_smoke_rows has stored: true"),
    ],
)
def test_what_is_stored_elsewhere_is_told(rows: list[dict[str, Any]], required: bool, sentence: str) -> None:
    told = smoke_rows.misplaced(rows, "1", "customer_id", required=required)
    assert sentence in told
    assert bool(told) == bool(sentence)


def test_what_is_left_is_counted() -> None:
    assert smoke_rows.left(found()) == ""
    assert "remain (1 in public.memories, 2 in public.profiles)" in smoke_rows.left(found("1", touched=("1",)))


def test_rows_are_removed_under_every_tenant_that_has_some() -> None:
    assert smoke_rows.tenants(found("3", None, "", touched=("2",)), "1") == ["1", "2", "3"]


def test_rows_of_runs_that_were_lost_are_told_apart() -> None:
    rows = found("1")
    rows[0]["tenants"].append(row("2", 3, "+1555-runbook-0"))
    assert smoke_rows.callers(rows, CALLER) == ["+1555-runbook-0", CALLER]
    assert smoke_rows.misplaced(smoke_rows.of_caller(rows, CALLER), "1", "customer_id") == ""
    assert smoke_rows.tenants(rows, "1") == ["1", "2"]
    assert smoke_rows.callers(found(), CALLER) == [CALLER]


COLUMN = 'HTTP 200 {"error":"column \\"customer_id\\" of relation \\"memories\\" does not exist"}'
POLICY = 'HTTP 200 {"error":"new row violates row-level security policy for table \\"memories\\""}'
SETTING = 'HTTP 500 unrecognized configuration parameter "app.current_tenant"'
DENIED = "HTTP 200 permission denied for table memories"
ISOLATED = about("default", "policy", is_secured=True)


@pytest.mark.parametrize(
    ("given", "judged_by", "verdict"),
    [
        (answer("ok"), ABOUT, "ok"),
        (answer("database", COLUMN, "42P01"), about("column"), "unproven"),
        (answer("database", COLUMN, "42P01"), about("policy"), "trouble"),
        (answer("database", 'column "old_customer_ids" does not exist', "42703"), about("column"), "trouble"),
        (answer("database", 'null value in column "customer_id"', "23502"), about("default"), "unproven"),
        (answer("database", "ON CONFLICT", "42P10"), about("function"), "unproven"),
        (answer("database", "function does not exist", "42883"), about("function"), "unproven"),
        (answer("database", "function does not exist", "42883"), about("policy"), "trouble"),
        (answer("database", POLICY, "42501"), ISOLATED, "unproven"),
        (answer("database", POLICY, "42501"), about("policy"), "trouble"),
        (answer("database", POLICY, "42501"), about("key", is_secured=True), "trouble"),
        (answer("database", SETTING, "42704"), ISOLATED, "unproven"),
        (answer("database", DENIED, "42501"), ISOLATED, "trouble"),
        # PostgreSQL's message may be in any language.
        (answer("database", "Spalte »customer_id« existiert nicht"), about("column"), "unproven"),
        (answer("database", "neue Zeile verletzt Policy für Tabelle »memories«"), ISOLATED, "unproven"),
        (answer("database", "neue Zeile verletzt Policy für Tabelle »memories«"), about("policy"), "trouble"),
        (answer("unavailable", COLUMN), about("column"), "trouble"),
        (answer("broken", "HTTP 404 nothing here"), about("column"), "trouble"),
        (answer("refused", "HTTP 403 {}"), ISOLATED, "trouble"),
    ],
)
def test_before_the_change_only_errors_that_it_fixes_are_accepted(
    given: dict[str, Any], judged_by: dict[str, Any], verdict: str
) -> None:
    assert smoke.judged(given, judged_by)["verdict"] == verdict


@pytest.mark.parametrize(
    ("verdict", "comes_to"),
    [
        ("ok", "ok"), ("refused", "unproven"), ("unavailable", "unproven"), ("database", "trouble"),
        ("broken", "trouble"),
    ],
)  # fmt: skip
def test_after_the_change_only_what_it_may_have_caused_is_trouble(verdict: str, comes_to: str) -> None:
    assert smoke.judged(answer(verdict, COLUMN, "42P01"), about("column", before=False))["verdict"] == comes_to


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        ("signed", "it rejects a token that is signed with JWT_SECRET_KEY"),
        ("missing", "its environment has no JWT_SECRET_KEY"),
        ("asymmetric", "JWT_SECRET_KEY in its environment is a key that the run cannot sign tokens with"),
        ("given", "the headers in service_smoke_headers are those of one caller"),
        ("none", "service_token names no secret"),
    ],
)
def test_a_refusal_says_why_and_what_to_do(token: str, reason: str) -> None:
    (told,) = tried.troubles([answer("ok"), answer("refused", "HTTP 401 {}")], {**ABOUT, "token": token})
    assert reason in told
    assert "service_smoke_headers" in told
    assert "set service_smoke to read or none" in told


def test_what_shows_less_than_before_is_told() -> None:
    earlier = [{"name": "GET /a", "filled": ["memories"]}, {"name": "GET /b", "filled": []}]
    now = [{"name": "GET /a", "filled": []}, {"name": "GET /b", "filled": []}, {"name": "GET /c", "filled": []}]
    assert tried.emptied(now, earlier) == ["GET /a"]
    assert tried.emptied(now, []) == tried.emptied(earlier, earlier) == []
