"""The result of the service role contains the results of its calls, its watch and its tests."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.aimemory.tenancy.plugins.plugin_utils.host import open_transactions, refusals
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.report import clock
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.service import calls, endpoints, route, tried, working
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.service import watched as watch

CALL: dict[str, Any] = {"came_up": False, "ended": []}
UNITS = {"timer": "12:00", "triggers": ["ai.socket"], "companions": ["worker.service"]}
WATCHED = {"seconds": 10, "samples": 1, "lines": 3, "errors": 0, "requests": 5, "refused": 1, "refused_before": 1}
JOURNAL = {"failures": [], "total": 7, "errors": 2, "requests": 9, "refused": 1}
HEALTH = {"healthy": True, "sentence": "answers 500"}
ABOUT = {"service": "ai-memory", "health_path": "/health", "seconds": 15, "processes": ["7", "7"]}
LOCATION = {"ok": True, "sentence": "It works."}
STATE = {"active": True, "database_url": {"user": "app"}}
STARTED = {
    "location": {"ok": True, "sentence": "It works."},
    "state": STATE,
    "route": {"verdict": "ok", "sentence": ""},
}


def test_a_call_counts_back_from_its_end() -> None:
    call = CALL | UNITS | {"stopped_ago": 2.5, "journal_since": "yesterday", "health_said": "", "started": True}
    result = calls.after({"pooler": {}}, call)
    assert clock.seconds(result["stopped_at"], result["call_ended"]) == 2.5
    assert result["healthy_at"] == result["call_ended"]
    assert (result["failsafe_timer"], result["triggers"], result["companions"]) == tuple(UNITS.values())
    assert (result["journal_since"], result["pooler"]) == ("yesterday", {})


def test_a_call_that_only_starts_keeps_the_time_since_callers_wait() -> None:
    earlier = {"stopped_at": "2026-11-25T17:22:42.000000", "triggers": []}
    assert {**calls.after(earlier, CALL), "call_ended": ""} == {**earlier, "call_ended": ""}


def test_a_call_that_finds_a_service_at_work_ends_no_wait_of_callers() -> None:
    answered = {"stopped_at": "2026-11-25T17:22:42.000000", "healthy_at": "2026-11-25T17:22:43.000000"}
    found = calls.after(answered, CALL | {"health_said": "", "started": False})
    assert found["healthy_at"] == answered["healthy_at"]
    assert calls.after(answered, CALL | {"health_said": "", "started": True})["healthy_at"] > answered["healthy_at"]
    stopped = {"stopped_at": answered["stopped_at"]}
    assert calls.after(stopped, CALL | {"health_said": "", "started": False})["healthy_at"] != ""
    assert "healthy_at" not in calls.after(stopped, CALL | {"journal_since": "yesterday"})


@pytest.mark.parametrize(("before", "told"), [(None, "not checked"), ("", "healthy"), ("degraded", "degraded")])
def test_the_health_after_a_call_is_compared_with_that_before(before: str | None, told: str) -> None:
    said = calls.notes(CALL | {"health_said": "ill"}, "ai-memory", before)
    assert said == [f"NOTE ai-memory reports its health after the change: ill (before the change: {told})."]


def test_ended_clients_and_another_start_are_named() -> None:
    said = calls.notes({"came_up": True, "ended": ["a", "b"]}, "ai-memory", None)
    assert said[0] == "Ended: a, b"
    assert said[1].startswith("NOTE ai-memory was started while the database was being changed")
    assert calls.notes(CALL, "ai-memory", None) == []


def test_a_sample_without_trouble_counts() -> None:
    seen = watch.sampled(WATCHED, JOURNAL, HEALTH, ABOUT)
    assert (seen["seconds"], seen["samples"], seen["lines"], seen["requests"], seen["trouble"]) == (15, 2, 7, 9, [])
    assert watch.sampled(WATCHED, JOURNAL, HEALTH, ABOUT | {"processes": ["7", "0"]})["trouble"] == []


def test_every_kind_of_trouble_of_a_sample_is_named() -> None:
    journal = JOURNAL | {"failures": ["a", "b", "c", "d"], "refused": 2}
    about = ABOUT | {"processes": ["7", "8"]}
    assert watch.sampled(WATCHED, journal, HEALTH | {"healthy": False}, about)["trouble"] == [
        "a", "b", "c", "/health answers 500", "2 requests failed since the start, 1 in the previous hour",
        "ai-memory was restarted during the watch: its main process was 7 and is now 8",
    ]  # fmt: skip


def test_a_watch_shows_when_a_session_named_no_tenant() -> None:
    used = watch.unnamed({"used_at": 60, "now": 100}, is_watched=True)
    assert used == "the last session that set no tenant was 40 s ago"
    assert watch.unnamed({"used_at": None, "now": 100}, is_watched=True) == "every session set a tenant"
    assert "see no rows" in watch.unnamed({"used_at": 60, "now": 100}, is_watched=False)
    line = watch.line(WATCHED | {"requests": 0, "unnamed": "none"})
    assert line.startswith("WATCHED for 10 s: no requests in the journal, 1 of them failed (1 in the previous hour);")


@pytest.mark.parametrize(
    ("other", "begins"),
    [
        ({}, ""),
        ({"state": STATE | {"active": False}}, "After the start: ai-memory is no longer running."),
        ({"location": {"ok": False, "sentence": "Elsewhere."}}, "After the start: Elsewhere."),
        ({"route": {"verdict": "unfit", "sentence": "Shared."}}, "After the start: Shared."),
        (
            {"state": STATE | {"database_url": {"user": "alice"}}},
            "After the start: ai-memory works as alice, not as app: It works.",
        ),
    ],
)
def test_a_started_service_must_work_as_before(other: dict[str, Any], begins: str) -> None:
    assert working.trouble(STARTED | other, "ai-memory", "app") == begins


def test_a_route_that_was_not_taken_has_no_attempts() -> None:
    wanted = {"user": "alice", "host": "", "port": 5432, "database": "ai_memory", "setting": "app.current_tenant"}
    reached = route.reached({"msg": "no Python"}, wanted)
    assert reached["credentials"] == {"libpq": {}}
    assert reached["result"]["route"]["verdict"] == "unreachable"
    assert reached["result"]["pooler"] == {}
    unmade = {"logged_in": False, "problem": "no attempt was made", "findings": []}
    assert reached["result"]["attempts"] == unmade


def test_the_tests_of_the_api_add_up() -> None:
    once = tried.recorded({"pooler": {}}, "full", {"unproven": ["a"], "shown": []}, {"token": "signed"})
    twice = tried.recorded(once, "full", {"unproven": ["b", "a"], "shown": ["c"]})
    assert twice["pooler"] == {}
    assert twice["api"] == {
        "mode": "full", "token": "signed", "unproven": ["a", "b"], "shown": ["c"], "endpoints": 0, "apart": 0,
    }  # fmt: skip


def test_without_a_signed_token_nothing_is_proven_of_endpoints() -> None:
    read = {"token": "missing", "endpoints": [{"name": "GET /a", "outcome": "apart", "token": True}]}
    seen = endpoints.separation(read, [1, 7], {"service": "ai-memory", "secret": "SECRET"})
    assert seen["api"] == {"token": "missing", "endpoints": 1, "apart": 1}
    assert seen["unproven"][0].startswith(
        "It is not proven that the API of ai-memory isolates tenants: its environment"
    )
    assert (
        endpoints.separation(read | {"token": "signed"}, [1, 7], {"service": "ai-memory", "secret": "SECRET"})[
            "unproven"
        ]
        == []
    )


def test_writers_that_fail_prove_nothing() -> None:
    answers = [
        {"name": "POST /a", "verdict": "ok", "said": ""}, {"name": "POST /b", "verdict": "refused", "said": "HTTP 403"},
    ]  # fmt: skip
    # The last response is to a read as another tenant.
    answers.append({"name": "POST /retrieve", "verdict": "refused", "said": "HTTP 500"})
    assert endpoints.untested(answers, [{"path": "/a"}, {"path": "/b"}], 7) == [
        "The tenant of the rows that POST /b stores is not proven: as tenant 7, the endpoint returns HTTP 403."
    ]


@pytest.mark.parametrize("dry_run", [False, True])
def test_other_clients_end_a_run(*, dry_run: bool) -> None:
    wanted = {
        "service": "ai-memory", "database": "ai_memory", "terminates": False, "dry_run": dry_run, "strategy": "online",
        "may_stop": True,
    }  # fmt: skip
    clients = {"clients": ["psql of bob"], "holders": ["a vacuum"], "in_role": [], "transactions": []}
    first, second = refusals.of_clients(clients, wanted)
    assert first.startswith("Clients other than ai-memory are connected to ai_memory: psql of bob.")
    assert second.startswith("Sessions that the run does not terminate hold locks on tables of ai_memory: a vacuum.")
    assert [("A run stops here" in sentence) for sentence in (first, second)] == [dry_run, dry_run]
    assert refusals.of_clients(clients, wanted | {"terminates": True}) == [second]
    assert refusals.of_clients(clients | {"clients": [], "holders": []}, wanted) == []


def test_a_service_that_is_not_stopped_only_needs_its_role_for_itself() -> None:
    wanted = {
        "service": "ai-memory", "database": "ai_memory", "terminates": False, "dry_run": False, "strategy": "live",
        "may_stop": False,
    }  # fmt: skip
    clients = {"clients": ["psql of bob"], "holders": ["a vacuum"], "in_role": [], "transactions": []}
    [holding] = refusals.of_clients(clients, wanted)
    assert holding.startswith("Sessions that the run does not terminate hold locks on tables of ai_memory: a vacuum.")
    with_worker = clients | {"clients": ["psql of bob", "42 alice worker"], "in_role": ["42 alice worker"]}
    in_role, _ = refusals.of_clients(with_worker, wanted)
    assert in_role.startswith(
        "Programs other than ai-memory are connected to ai_memory with its role: 42 alice worker."
    )
    assert "give the programs their own login" in in_role
    assert refusals.of_clients(with_worker, wanted | {"terminates": True}) == [holding]


PREPARED = {"kind": "prepared", "name": "order 7", "sentence": "the prepared transaction order 7 (alice)"}


@pytest.mark.parametrize(
    ("strategy", "locks", "stops"),
    [("atomic", True, True), ("atomic", False, False), ("online", False, True), ("live", False, True)],
)
def test_a_prepared_transaction_that_would_block_the_run_ends_it(strategy: str, locks: bool, stops: bool) -> None:
    wanted = {
        "service": "ai-memory", "database": "ai_memory", "terminates": True, "dry_run": True, "strategy": strategy,
        "may_stop": strategy != "live",
    }  # fmt: skip
    clients = {"clients": [], "holders": [], "in_role": [], "transactions": [PREPARED | {"locks": locks}]}
    sentence = (
        "The run would wait for transactions in ai_memory that only COMMIT PREPARED or ROLLBACK PREPARED can end: the "
        "prepared transaction order 7 (alice). End them first."
    )
    assert refusals.of_clients(clients, wanted) == ([sentence] if stops else [])
    assert open_transactions.notes(clients["transactions"], wanted) == []


@pytest.mark.parametrize(
    ("locks", "effect"),
    [
        (True, "the change waits for its locks, and fails if the transaction does not end in time"),
        (False, "no index is built while this transaction is open"),
    ],
)
def test_an_open_transaction_is_noted_with_its_effect(locks: bool, effect: str) -> None:
    item = {"kind": "session", "name": "42", "sentence": "pid 42 (bob, report) has a transaction open", "locks": locks}
    sentence = f"Pid 42 (bob, report) has a transaction open: {effect}."
    assert open_transactions.notes([item], {"strategy": "live"}) == [sentence]
    # The atomic strategy builds the indexes in the transaction, so open transactions without locks do not matter.
    assert open_transactions.notes([item], {"strategy": "atomic"}) == ([sentence] if locks else [])


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
        ("DATABASE_URL=a", {}, "theirs", ["The role app already exists, but was not created by this runbook"]),
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


@pytest.mark.parametrize(
    ("minutes", "interval", "expected"),
    [
        (1, 20, [20, 40, 60]), (1, 45, [45]), (1, 300, [60]), (0, 20, []),
        # The argument spec accepts these notations from -e.
        ("1.0", "2e1", [20, 40, 60]),
    ],
)  # fmt: skip
def test_a_watch_samples_in_each_interval(minutes: int | str, interval: int | str, expected: list[int]) -> None:
    assert watch.samples(minutes, interval) == expected


STORED = {"name": "POST /memory/store", "verdict": "ok", "said": ""}
BUSY = {"name": "POST /memory/store", "verdict": "unavailable", "said": "HTTP 429 slow down"}


def test_sessions_must_be_seen_during_a_request() -> None:
    seen = {"location": LOCATION | {"confirmed": True}, "state": STATE}
    assert working.unconfirmed(seen, [BUSY], "ai-memory", "ai_memory") == ""
    unseen = seen | {"location": LOCATION | {"confirmed": False}}
    begin = "Nothing shows that ai-memory works in ai_memory as app: "
    assert working.unconfirmed(unseen, [STORED], "ai-memory", "ai_memory").startswith(
        f"{begin}during a request, no such"
    )
    assert working.unconfirmed(unseen, [BUSY, BUSY], "ai-memory", "ai_memory") == (
        f"{begin}during a request, no such session was seen, and POST /memory/store answered HTTP 429 slow down. The"
        " journal of ai-memory shows the cause: remove it and run again, or let the service keep its connection open."
    )
    elsewhere = {"ok": False, "confirmed": True, "sentence": "Elsewhere."}
    assert working.unconfirmed(seen | {"location": elsewhere}, [BUSY], "ai-memory", "ai_memory") == "Elsewhere."


@pytest.mark.parametrize(
    ("inspected", "seconds", "action"),
    [
        ({"files": [], "answers": [STORED, BUSY]}, 0.1, "find"),
        ({"files": [], "answers": [BUSY, STORED]}, 0.1, "clear"),
        # The release stored no row before the inspection.
        ({"files": [], "answers": [STORED]}, None, "clear"),
        # The inspection failed, after its requests or before them.
        ({"answers": [STORED], "msg": "The service cannot be inspected: no memory"}, 0.1, "clear"),
        ({"msg": "Module failed"}, 0.1, "clear"),
        ({"files": [], "answers": []}, 0.1, "clear"),
    ],
)
def test_a_row_is_expected_only_after_a_good_response(
    inspected: dict[str, Any], seconds: float | None, action: str
) -> None:
    assert working.action_after_inspection(inspected, seconds) == action


@pytest.mark.parametrize(("late", "remedy"), [(True, "service_health_request_timeout"), (False, "service_base_url")])
def test_a_service_that_is_ill_is_not_stopped(*, late: bool, remedy: str) -> None:
    told = working.health_refusal({"late": late, "sentence": "answers 500"}, "http://localhost/health")
    assert told.startswith("http://localhost/health answers 500 before anything was stopped: ")
    assert remedy in told
