"""For each tenant, the averages of a caller equal those that the older release computes from the same rows."""

from __future__ import annotations

import random
from typing import Any

import pytest

from ansible_collections.aimemory.tenancy.plugins.module_utils.quoting import identifier, literal
from lab import OWNER, TABLES
from planner import Database
from rows import insert

UPDATE, TRIGGERED = "update_personality_averages", "trigger_update_personality_averages"
CALLERS, NOBODY = [f"+1666{number}" for number in range(6)], "+1777"
AVERAGED = (
    "openness", "conscientiousness", "extraversion", "agreeableness", "neuroticism", "formality", "directness",
    "detail_orientation", "patience", "technical_comfort",
)  # fmt: skip
RECENT = ("frustration_level", "satisfaction_level", "urgency_level")


def metrics(tenant: int, count: int = 60) -> list[dict[str, Any]]:
    """Return the scores of calls in the order in which they are stored, which differs from the order of the calls.

    The scores are multiples of 0.25, so their sums are exact in any order. One caller has only two calls.
    """
    drawn = random.Random(tenant)
    days = drawn.sample(range(1, 300), count)
    return [
        {
            "user_id": CALLERS[-1] if number in (7, 31) else drawn.choice(CALLERS[:-1]), "call_id": f"call {number}",
            "measured_at": f"2025-01-01 {day // 60:02}:{day % 60:02}:00",
            **{name: drawn.choice([None, str(drawn.randrange(401) / 4)]) for name in (*AVERAGED, *RECENT)},
        }
        for number, day in enumerate(days)
    ]  # fmt: skip


def statements(rows: list[dict[str, Any]]) -> list[str]:
    """Return statements that store up to three rows each, and one that averages the scores of a caller without rows."""
    found, left = [], list(rows)
    for size in (1, 2, 3) * (len(rows) // 6 + 1):
        if left[:size]:
            found.append(insert("personality_metrics", *left[:size]))
            left = left[size:]
    return [*found, f"SELECT public.{UPDATE}({literal(NOBODY)})"]


def averages(database: Database, where: str = "true") -> list[Any]:
    """Return all columns of the callers' averages except the tenant, ordered by caller."""
    found: list[Any] = database.value(
        "SELECT json_agg(to_jsonb(a) - 'customer_id' ORDER BY user_id) FROM public.personality_averages AS a "
        f"WHERE user_id IN ({', '.join(map(literal, [*CALLERS, NOBODY]))}) AND {where}"
    )
    return found


def of_the_older_release(database: Database, tenant: int, *before: str) -> list[Any]:
    """Return the averages that the older release's functions compute from one tenant's rows."""
    database.run("SAVEPOINT unmigrated", *before, *statements(metrics(tenant)))
    found = averages(database)
    database.run("ROLLBACK TO SAVEPOINT unmigrated")
    return found


def as_tenant(tenant: int) -> str:
    return f"SET LOCAL ROLE {OWNER}; SET LOCAL row_security = on; SET LOCAL app.current_tenant = '{tenant}'"


def renamed(database: Database, argument: str) -> list[str]:
    """Return the statements that rename the argument of the older release's function."""
    made = database.value(f"SELECT pg_get_functiondef('{UPDATE}(varchar)'::regprocedure)")
    return [f"DROP FUNCTION {UPDATE}(varchar)", made.replace("p_user_id", identifier(argument)),
            f"ALTER FUNCTION {UPDATE} OWNER TO {OWNER}"]  # fmt: skip


def without_a_path(database: Database) -> list[str]:
    """Return the statements that qualify the names in the older release's functions and empty their search path."""
    found = []
    for function in (f"{UPDATE}(varchar)", f"{TRIGGERED}()"):
        header, body = database.value(f"SELECT pg_get_functiondef('{function}'::regprocedure)").split("AS $function$")
        for name in (*TABLES, UPDATE):
            body = body.replace(f" {name}", f" public.{name}")
        found += [f"{header} AS $function${body}", f"ALTER FUNCTION {function} SET search_path = ''"]
    return found


HEADERS = {
    "as they are": lambda _: [],
    "another argument": lambda database: renamed(database, "uid"),
    "an odd argument": lambda database: renamed(database, 'The "Caller"'),
    "no search path": without_a_path,
}


@pytest.mark.parametrize("header", HEADERS)
def test_they_are_the_older_releases_and_do_not_mix(database: Database, header: str) -> None:
    # Everything runs in one transaction, so that now() returns the same time for both releases.
    database.run(*HEADERS[header](database))
    wanted = {tenant: of_the_older_release(database, tenant) for tenant in (1, 2)}
    assert wanted[1] != wanted[2]
    assert [item for item in database.migrate() if not item["ok"]] == []
    assert database.plan() == []
    work = {tenant: statements(metrics(tenant)) for tenant in wanted}
    for first, second in zip(work[1], work[2], strict=True):
        database.run(as_tenant(1), first, as_tenant(2), second)
    database.run("RESET ROLE")
    for tenant, made in wanted.items():
        assert averages(database, f"customer_id = {tenant}") == made
        assert [row["user_id"] for row in made] == sorted([*CALLERS, NOBODY])
        assert {row["frustration_trend"] for row in made} | {row["satisfaction_trend"] for row in made} == {None}
        assert made[-1] | {"call_count": 0, "avg_openness": None, "recent_urgency": None} == made[-1]


def test_what_they_do_not_write_stays(database: Database) -> None:
    known = insert("personality_averages", {"user_id": CALLERS[0], "frustration_trend": "up"})
    wanted = of_the_older_release(database, 1, known)
    assert [row["frustration_trend"] for row in wanted] == ["up", *[None] * len(CALLERS)]
    database.migrate()
    database.run(as_tenant(1), known, *statements(metrics(1)), "RESET ROLE")
    assert averages(database) == wanted


def test_a_session_that_sees_every_tenant_makes_each_from_its_own_rows(database: Database) -> None:
    wanted = {tenant: of_the_older_release(database, tenant) for tenant in (1, 2)}
    database.migrate()
    for tenant in wanted:
        database.run(as_tenant(tenant), *statements(metrics(tenant)), "RESET ROLE")
    database.run(
        "RESET app.current_tenant",
        f"UPDATE personality_averages SET call_count = -1, avg_openness = -1 WHERE user_id <> '{NOBODY}'",
        *(f"SELECT {UPDATE}('{caller}')" for caller in CALLERS),
    )
    for tenant, made in wanted.items():
        assert averages(database, f"customer_id = {tenant}") == made
