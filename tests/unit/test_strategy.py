"""The strategy of a plan stops the service only for a reason, which the plan shows."""

from __future__ import annotations

import copy
from typing import Any

import pytest

import golden
from ansible_collections.aimemory.tenancy.plugins.filter.phases import FilterModule
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.changes import plan, strategy
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.model import model
from conftest import blank_state
from production import model_source

FILTERS = FilterModule().filters()
GUNICORN = {"way": "gunicorn", "workers": 4, "obstacle": ""}
WANTED: dict[str, Any] = {
    "goal": "migrate", "strategy": "auto", "online_rows": 500_000, "live_rows": 10_000, "service": "ai-memory",
    "restores_login": False, "otherwise_stop": False, "renewal": GUNICORN, "url_options": "", "lost_run": False,
    "verbose": False,
}  # fmt: skip
LARGE = 10_001


def chosen(state: dict[str, Any] | None = None, source: dict[str, Any] | None = None, **wanted: Any) -> dict[str, Any]:
    """Return the plan role's result, by default for an unmigrated database of AI-Memory."""
    inspected = {"state": state or blank_state(LARGE), "audit": []}
    found: dict[str, Any] = FILTERS["plan_result"](inspected, source or model_source(), WANTED | wanted)
    return found


def of_case(case: str, rows: int, **wanted: Any) -> dict[str, Any]:
    """Return the plan role's result for a golden case in which every table has ``rows`` rows."""
    state = dict(copy.deepcopy(golden.catalog(case)))
    for document in state["tables"].values():
        document["rows"] = rows
    return chosen(state, golden.source(case, state["database"]), **wanted)


def text(found: dict[str, Any]) -> str:
    """Return the lines of a plan as one string."""
    return " ".join(found["lines"])


@pytest.mark.parametrize("limit", [10_000, "10000", "10000.0", "1e4"])
def test_a_limit_may_be_written_in_each_notation_of_its_argument_spec(limit: int | str) -> None:
    found = chosen(strategy="online", online_rows=limit, live_rows=limit)
    assert (found["strategy"], chosen(live_rows=limit)["strategy"]) == ("online", "live")


def test_a_service_that_renews_its_sessions_is_not_stopped() -> None:
    found = chosen()
    assert (found["strategy"], found["refusals"]) == ("live", [])
    reason = (
        "ai-memory is not stopped: gunicorn replaces its workers one by one (4 workers), which renews its sessions. "
        "Then callers wait for one short transaction."
    )
    assert found["strategy_reason"] == reason
    assert reason in text(found)
    assert "while the service is stopped" not in text(found)


@pytest.mark.parametrize(
    ("way", "workers", "waits"), [("reload", 1, True), ("gunicorn", 1, False), ("reload", 2, False)]
)
def test_a_single_worker_is_named(way: str, workers: int, waits: bool) -> None:
    found = chosen(renewal={"way": way, "workers": workers, "obstacle": ""})
    assert found["strategy"] == "live"
    assert ("It has only one worker: callers may wait" in found["strategy_reason"]) == waits


RESTART = "ai-memory is stopped: Only a restart renews the sessions of ai-memory"


@pytest.mark.parametrize(
    ("renewal", "reason"),
    [
        ({"way": "restart", "workers": 0, "obstacle": ""}, RESTART),
        (
            {"way": "gunicorn", "workers": 4, "obstacle": "Gunicorn does not answer."},
            "stopped: Gunicorn does not answer.",
        ),
        ({"way": "wished", "workers": 4, "obstacle": ""}, RESTART),
    ],
)
@pytest.mark.parametrize(("rows", "instead"), [(3, "atomic"), (LARGE * 10, "online")])
def test_a_service_that_does_not_renew_its_sessions_is_stopped(
    renewal: dict[str, Any], reason: str, rows: int, instead: str
) -> None:
    found = chosen(blank_state(rows), renewal=renewal, online_rows=LARGE)
    assert (found["strategy"], found["refusals"]) == (instead, [])
    assert reason in found["strategy_reason"]
    assert found["strategy_reason"] in text(found)


def test_a_new_login_needs_a_restart() -> None:
    found = chosen(source=model_source() | {"replaced_role": "postgres", "application_role": "alice"})
    assert found["strategy"] == "atomic"
    assert "ai-memory gets the login alice, which it reads only when it starts" in found["strategy_reason"]


@pytest.mark.parametrize(
    ("case", "sentence"),
    [
        ("rental", "The transaction validates the foreign key "),
        ("projects", "The transaction fills "),
    ],
)
def test_work_on_a_large_table_under_the_lock_stops_the_service(case: str, sentence: str) -> None:
    assert of_case(case, 10_000)["strategy"] == "live"
    found = of_case(case, LARGE)
    assert found["strategy"] == "atomic"
    assert sentence in found["strategy_reason"]
    assert "is locked (10,001 rows), and tenancy_live_rows is 10,000." in found["strategy_reason"]
    assert of_case(case, LARGE, live_rows=LARGE)["strategy"] == "live"


def test_a_table_without_an_index_stops_the_service() -> None:
    source = model_source()
    for table in source["tables"]:
        if table["name"] == "memories":
            table["indexes"] = []
    found = chosen(source=source)
    assert found["strategy"] == "atomic"
    assert "No index of public.memories (10,001 rows) begins with customer_id" in found["strategy_reason"]
    assert chosen(blank_state(3), source)["strategy"] == "live"


def test_a_rehearsed_statement_says_how_long_it_took() -> None:
    state = copy.deepcopy(golden.catalog("rental"))
    made = model.parse(golden.source("rental", state["database"]))
    found = plan.build(state, made)
    scanning = [item for item in found if item["scans"] and not item["online"]]
    slow = max(scanning, key=lambda item: state["tables"][item["table"]]["rows"])
    reason = strategy.choose(found, state, made, WANTED | {"live_rows": 0}, {slow["id"]: 12.34})["strategy_reason"]
    assert reason.count(" s in the rehearsal)") == 1
    assert f"{slow['scans']} while rental.{slow['table']} is locked" in reason
    assert "rows, 12.3 s in the rehearsal), and" in reason


@pytest.mark.parametrize("asked", ["atomic", "online"])
def test_another_strategy_is_the_operators_choice(asked: str) -> None:
    found = chosen(strategy=asked)
    assert (found["strategy"], found["refusals"]) == (asked, [])
    assert found["strategy_reason"] == f"ai-memory is stopped: tenancy_strategy is {asked}."


def test_live_is_refused_with_the_reason_if_it_is_impossible() -> None:
    assert chosen(strategy="live")["refusals"] == []
    found = chosen(strategy="live", renewal={"way": "restart", "workers": 0, "obstacle": ""})
    [refusal] = found["refusals"]
    assert refusal.startswith("tenancy_strategy=live is impossible. Only a restart renews the sessions of ai-memory:")
    assert refusal.endswith("Or use -e tenancy_strategy=auto.")


@pytest.mark.parametrize("goal", ["enforce", "policies"])
def test_the_other_goals_get_the_same_choice(goal: str) -> None:
    found = of_case("migrated", LARGE, goal=goal)
    assert found["statements"] != []
    assert (found["strategy"], found["refusals"]) == ("live", [])
    assert found["strategy_reason"] in text(found)
    stopped = of_case("migrated", LARGE, goal=goal, renewal={"way": "restart", "workers": 0, "obstacle": ""})
    assert stopped["strategy"] == "atomic"
    assert RESTART in stopped["strategy_reason"]


@pytest.mark.parametrize("asked", ["auto", "live"])
def test_a_migrated_database_needs_no_strategy(asked: str) -> None:
    found = of_case("migrated", 3, strategy=asked, renewal={"way": "restart", "workers": 0, "obstacle": ""})
    assert (found["statements"], found["strategy_reason"], found["refusals"]) == ([], "", [])


def test_a_rollback_that_restores_a_login_stops_the_service() -> None:
    found = chosen(
        dict(golden.catalog("migrated")),
        model_source(golden.catalog("migrated")["database"]),
        goal="policies",
        restores_login=True,
    )
    assert found["strategy"] == "atomic"
    assert "gets its earlier login again" in found["strategy_reason"]


@pytest.mark.parametrize(("asked", "strategy_"), [("auto", "live"), ("live", "live"), ("atomic", "atomic")])
def test_a_run_that_resumes_renews_the_sessions_if_it_can(asked: str, strategy_: str) -> None:
    migrated = dict(golden.catalog("migrated"))
    found = chosen(migrated, model_source(migrated["database"]), strategy=asked, lost_run=True)
    assert (found["resumes"], found["strategy"], found["strategy_reason"]) == (True, strategy_, "")


def measured(seconds: float) -> dict[str, Any]:
    """Return the measurements of a rehearsal whose transaction took ``seconds``."""
    return {"locked_seconds": seconds, "durations": {"a.key": 0.5, "b.key": seconds - 1}}


def test_a_long_rehearsal_ends_a_run_that_would_not_stop_the_service() -> None:
    found, wanted = chosen(), WANTED | {"max_downtime": 30}
    assert FILTERS["plan_rehearsed"](found, model_source(), wanted, measured(30))["refusals"] == []
    after = FILTERS["plan_rehearsed"](found, model_source(), wanted, measured(31))
    assert after["strategy"] == "live"
    [refusal] = after["refusals"]
    assert "locked the tables for 31.0 s (b.key took 30.0 s). Callers would wait longer than" in refusal
    assert "tenancy_max_downtime, which is 30 s: use -e tenancy_strategy=online" in refusal


@pytest.mark.parametrize(
    ("asked", "seconds", "after"), [("auto", 31, "online"), ("auto", 30, "atomic"), ("atomic", 31, "atomic")]
)
def test_a_long_rehearsal_makes_the_stop_shorter(asked: str, seconds: float, after: str) -> None:
    wanted = WANTED | {
        "max_downtime": 30,
        "strategy": asked,
        "renewal": {"way": "restart", "workers": 0, "obstacle": ""},
    }
    found = chosen(**{name: wanted[name] for name in ("strategy", "renewal")})
    result = FILTERS["plan_rehearsed"](found, model_source(), wanted, measured(seconds))
    assert (result["strategy"], result["refusals"]) == (after, [])
    assert result["strategy_reason"] == found["strategy_reason"]
