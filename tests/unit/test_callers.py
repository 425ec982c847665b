"""Probes: the decision to send them, their fields in the service role's result, and their sentence in the report."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.aimemory.tenancy.plugins.plugin_utils.report import callers
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.service import probed

REQUEST = {"name": "GET /v1/memories", "method": "GET", "path": "/v1/memories", "claims": {"customer_id": 1}}
OTHER = REQUEST | {"name": "GET /v2/profile", "path": "/v2/profile"}
ABOUT = {"interval": "0.1", "health_path": "/health"}
WANTED = {"request": REQUEST, "obstacle": ""}
FOUND = {
    "sent": 212, "failed": 0, "reasons": {}, "worst": 0.061, "p99": 0.0042, "gap": 0.1612, "seconds": 21.2,
    "slices": {"step": 1, "worst": [0.061], "failed": [0]}, "health": {"sent": 4, "failed": 0, "worst": 0.2},
}  # fmt: skip


def test_the_first_request_that_reads_is_sent() -> None:
    assert probed.wanted([REQUEST, OTHER], "full", probe=True) == WANTED
    assert probed.wanted([OTHER], "read", probe=True)["request"] == OTHER


@pytest.mark.parametrize(
    ("requests", "smoke", "probe", "why"),
    [
        ([REQUEST], "full", False, "service_probe is false"),
        ([REQUEST], "none", True, "service_smoke is none, so the run sends no request"),
        ([], "full", True, "service_read_endpoints contains no GET request"),
    ],
)
def test_the_reason_for_which_no_probes_are_sent_is_recorded(
    requests: list[Any], smoke: str, probe: bool, why: str
) -> None:
    wanted = probed.wanted(requests, smoke, probe=probe)
    assert wanted == {"request": None, "obstacle": why}
    result = probed.recorded({"state": "running"}, wanted, {}, ABOUT)
    assert (result["state"], result["probing"], result["probed"]) == ("running", False, [])
    assert callers.sentence(result["callers"]) == f"Callers: not measured, because {why}."


def test_probes_are_started_and_stopped() -> None:
    started = probed.recorded({}, WANTED, {"obstacle": "", "alive": "/run/a", "found": FOUND | {"sent": 0}}, ABOUT)
    assert (started["probing"], started["probes_alive"]) == (True, "/run/a")
    # These requests identify the journal lines to ignore. They do not contain the token.
    assert started["probed"] == [{"method": "GET", "path": path} for path in ("/health", "/v1/memories")]
    assert callers.sentence(started["callers"]) == "Callers: not measured, because the run ended first."
    stopped = probed.recorded(started, WANTED, {"obstacle": "", "found": FOUND}, ABOUT)
    assert (stopped["probing"], stopped["probes_alive"], stopped["probed"]) == (False, None, started["probed"])
    assert stopped["callers"] == FOUND | {"endpoint": "GET /v1/memories", "interval": 0.1, "obstacle": ""}


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ({"obstacle": "it was refused", "found": FOUND | {"sent": 0}}, "it was refused"),
        ({"msg": "no Python"}, "the service_probes module failed: no Python"),
        ({}, "the service_probes module failed: no answer"),
    ],
)
def test_probes_that_do_not_start_are_not_stopped(answer: dict[str, Any], why: str) -> None:
    result = probed.recorded({}, WANTED, answer, ABOUT)
    assert (result["probing"], result["probed"]) == (False, [])
    assert (result["callers"]["obstacle"], result["callers"]["endpoint"]) == (why, "GET /v1/memories")


def test_a_call_that_fails_at_the_end_does_not_look_like_a_measurement() -> None:
    started = probed.recorded({}, WANTED, {"obstacle": "", "found": FOUND | {"sent": 0}}, ABOUT)
    stopped = probed.recorded(started, WANTED, {"msg": "killed"}, ABOUT)
    assert not stopped["probing"]
    assert "not measured, because the service_probes module failed: killed" in callers.sentence(stopped["callers"])


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        ({}, "Callers: 0 of 212 reads failed; the slowest took 61 ms."),
        ({"worst": 2.04}, "Callers: 0 of 212 reads failed; the slowest took 2.0 s."),
        (
            {"sent": 240, "failed": 18, "gap": 1.9, "reasons": {"no connection": 18}},
            "Callers waited 1.9 s: 18 of 240 reads failed while the service was stopped.",
        ),
        (
            {"failed": 3, "gap": 0.35, "reasons": {"less data": 1, "no connection": 2}},
            "Callers waited 350 ms: 3 of 212 reads failed (1 less data, 2 no connection).",
        ),
        (
            {"obstacle": "the probes ended after 900 s without a sign of the run"},
            (
                "Callers: 0 of 212 reads failed; the slowest took 61 ms. The numbers do not cover the whole run: the"
                " probes ended after 900 s without a sign of the run."
            ),
        ),
    ],
)
def test_one_sentence_says_what_callers_felt(found: dict[str, Any], sentence: str) -> None:
    assert callers.sentence({"obstacle": ""} | FOUND | found) == sentence


def test_a_run_that_did_not_come_to_the_probes_says_nothing() -> None:
    assert callers.sentence(None) == ""


def test_a_slice_is_as_high_as_its_wait_and_a_failed_one_is_seen() -> None:
    slices = {"step": 1, "worst": [0.5, 0.001, None, 2.0], "failed": [0, 3, 0, 0]}
    made = callers.bars(FOUND | {"worst": 2.0, "slices": slices})
    assert [(bar["height"], bar["failed"]) for bar in made] == [(250, False), (250, True), (0, False), (1000, False)]
    assert [(bar["x"], bar["width"]) for bar in made] == [(0, 250), (250, 250), (500, 250), (750, 250)]
    assert callers.bars(None) == callers.bars(FOUND | {"slices": None}) == []
    assert callers.bars(FOUND | {"worst": 0, "slices": {"step": 1, "worst": [0], "failed": [0]}})[0]["height"] == 0
