"""The result of the role service: what its calls, its watch and its tests add to it."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.aimemory.tenancy.plugins.plugin_utils.host import refusals
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.report import clock
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.service import calls, endpoints, found, route, tried
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.service import watched as watch

CALL: dict[str, Any] = {"came_up": False, "ended": []}
UNITS = {"timer": "12:00", "triggers": ["ai.socket"], "companions": ["worker.service"]}
WATCHED = {"seconds": 10, "samples": 1, "lines": 3, "errors": 0, "requests": 5, "refused": 1, "refused_before": 1}
JOURNAL = {"failures": [], "total": 7, "errors": 2, "requests": 9, "refused": 1}
HEALTH = {"healthy": True, "sentence": "answers 500"}
ABOUT = {"service": "ai-memory", "health_path": "/health", "interval": "5"}
STATE = {"active": True, "database_url": {"user": "app"}}
STARTED = {
    "location": {"ok": True, "sentence": "It works."},
    "state": STATE,
    "route": {"verdict": "ok", "sentence": ""},
}


def test_a_call_counts_back_from_its_end() -> None:
    result = calls.after({"pooler": {}}, CALL | UNITS | {"stopped_ago": 2.5, "inactive_since": "yesterday"})
    assert clock.seconds(result["stopped_at"], result["call_ended"]) == 2.5
    assert result["healthy_at"] == result["call_ended"]
    assert (result["failsafe_timer"], result["triggers"], result["companions"]) == tuple(UNITS.values())
    assert (result["inactive_since"], result["pooler"]) == ("yesterday", {})


def test_a_call_that_only_starts_keeps_when_callers_began_to_wait() -> None:
    earlier = {"stopped_at": "2026-11-25T17:22:42.000000", "triggers": []}
    assert {**calls.after(earlier, CALL), "call_ended": ""} == {**earlier, "call_ended": ""}


@pytest.mark.parametrize(("before", "told"), [(None, "not asked"), ("", "healthy"), ("degraded", "degraded")])
def test_the_health_after_a_call_is_compared_with_that_before(before: str | None, told: str) -> None:
    said = calls.notes(CALL | {"health_said": "ill"}, "ai-memory", before)
    assert said == [f"NOTE ai-memory says of its health, after the start: ill (before the stop: {told})."]


def test_clients_that_a_call_ended_and_a_start_of_others_are_told() -> None:
    said = calls.notes({"came_up": True, "ended": ["a", "b"]}, "ai-memory", None)
    assert said[0] == "Ended: a, b"
    assert said[1].startswith("NOTE ai-memory came up while the database was being changed")
    assert calls.notes(CALL, "ai-memory", None) == []


def test_a_sample_without_trouble_counts() -> None:
    seen = watch.sampled(WATCHED, JOURNAL, HEALTH, ("7", "7"), ABOUT)
    assert (seen["seconds"], seen["samples"], seen["lines"], seen["requests"], seen["trouble"]) == (15, 2, 7, 9, [])
    assert watch.sampled(WATCHED, JOURNAL, HEALTH, ("7", "0"), ABOUT)["trouble"] == []


def test_every_kind_of_trouble_of_a_sample_is_told() -> None:
    journal = JOURNAL | {"failures": ["a", "b", "c", "d"], "refused": 2}
    assert watch.sampled(WATCHED, journal, HEALTH | {"healthy": False}, ("7", "8"), ABOUT)["trouble"] == [
        "a", "b", "c", "/health answers 500", "2 requests failed since the start, 1 in the hour before",
        "ai-memory was started again meanwhile: its main process was 7 and is 8",
    ]  # fmt: skip


def test_a_watch_tells_when_a_session_named_no_tenant() -> None:
    assert watch.unnamed({"used_at": 60, "now": 100}, is_watched=True) == "a session last named no tenant 40 s ago"
    assert watch.unnamed({"used_at": None, "now": 100}, is_watched=True) == "no session named no tenant"
    assert "reach nothing" in watch.unnamed({"used_at": 60, "now": 100}, is_watched=False)
    assert watch.line(WATCHED | {"requests": 0, "unnamed": "none"}) == (
        "WATCHED for 10 s: no requests in the journal, 1 of them failed (1 in the hour before);"
        " 0 error lines in 3; none."
    )


@pytest.mark.parametrize(
    ("other", "begins"),
    [
        ({}, ""),
        ({"state": STATE | {"active": False}}, "ai-memory does not run any more."),
        ({"location": {"ok": False, "sentence": "Elsewhere."}}, "Elsewhere."),
        ({"route": {"verdict": "unfit", "sentence": "Shared."}}, "Shared."),
        ({"state": STATE | {"database_url": {"user": "alice"}}}, "ai-memory works as alice, not as app: It works."),
    ],
)
def test_a_started_service_must_work_as_before(other: dict[str, Any], begins: str) -> None:
    assert found.trouble(STARTED | other, "ai-memory", "app") == begins


def test_a_route_that_was_not_taken_has_no_attempts() -> None:
    wanted = {"user": "alice", "host": "", "port": 5432, "database": "ai_memory", "setting": "app.current_tenant"}
    reached = route.reached({"msg": "no Python"}, wanted)
    assert reached["credentials"] == {"libpq": {}}
    assert reached["result"]["route"]["verdict"] == "unreachable"
    assert reached["result"]["pooler"] == {}
    assert reached["result"]["attempts"] == {"problem": "no attempt was made", "findings": []}


def test_the_tests_of_the_api_add_up() -> None:
    once = tried.recorded({"pooler": {}}, "full", {"unproven": ["a"], "shown": []}, {"token": "signed"})
    twice = tried.recorded(once, "full", {"unproven": ["b", "a"], "shown": ["c"]})
    assert twice["pooler"] == {}
    assert twice["api"] == {
        "mode": "full", "token": "signed", "unproven": ["a", "b"], "shown": ["c"], "endpoints": 0, "apart": 0,
    }  # fmt: skip


def test_without_a_signed_token_nothing_is_proven_of_endpoints() -> None:
    read = {"token": "missing", "endpoints": [{"name": "GET /a", "outcome": "apart", "token": True}]}
    seen = endpoints.separation(read, 1, 7, "ai-memory", "SECRET")
    assert seen["api"] == {"token": "missing", "endpoints": 1, "apart": 1}
    assert seen["unproven"][0].startswith(
        "That the API of ai-memory keeps tenants apart is not proven: its environment"
    )
    assert endpoints.separation(read | {"token": "signed"}, 1, 7, "ai-memory", "SECRET")["unproven"] == []


def test_writers_that_fail_prove_nothing() -> None:
    answers = [
        {"name": "POST /a", "verdict": "ok", "said": ""}, {"name": "POST /b", "verdict": "refused", "said": "HTTP 403"},
    ]  # fmt: skip
    assert endpoints.untested(answers, 7) == [
        "For which tenant POST /b stores is not proven: as tenant 7 it answers HTTP 403."
    ]


@pytest.mark.parametrize("dry_run", [False, True])
def test_other_clients_end_a_run(*, dry_run: bool) -> None:
    wanted = {"service": "ai-memory", "database": "ai_memory", "terminates": False, "dry_run": dry_run}
    clients = {"clients": ["psql of bob"], "holders": ["a vacuum"]}
    first, second = refusals.of_clients(clients, wanted)
    assert first.startswith("Other clients than ai-memory are connected to ai_memory: psql of bob.")
    assert second.startswith("Sessions that the run does not end hold locks on tables of ai_memory: a vacuum.")
    assert [("a run ends here" in sentence) for sentence in (first, second)] == [dry_run, dry_run]
    assert refusals.of_clients(clients, wanted | {"terminates": True}) == [second]
    assert refusals.of_clients({"clients": [], "holders": []}, wanted) == []


@pytest.mark.parametrize(
    ("text", "state", "comment", "begins"),
    [
        ("export DATABASE_URL=a", {}, "ours", []),
        ("DATABASE_URL = a", {}, None, []),
        (
            "# DATABASE_URL=a",
            {},
            None,
            ["The run cannot give ai-memory another login"],
        ),
        ("DATABASE_URL=a", {"url_rewritable": False}, None, ["The run cannot give ai-memory another login"]),
        ("DATABASE_URL=a", {}, "theirs", ["The role app exists already and was not made by this runbook"]),
    ],
)
def test_a_new_login_needs_its_file_and_its_role(
    text: str, state: dict[str, Any], comment: str | None, begins: list[str]
) -> None:
    wanted = {
        "service": "ai-memory", "file": "/etc/ai.env", "role": "app", "mark": "ours",
        "existing_role": None if comment is None else {"comment": comment},
    }  # fmt: skip
    found = refusals.of_new_login(text, {"url_rewritable": True, "url_set_by": "", **state}, wanted)
    assert [sentence.startswith(begin) for sentence, begin in zip(found, begins, strict=True)] == [True] * len(begins)
