"""The evidence that the bridge is no longer needed."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.aimemory.tenancy.plugins.module_utils.errors import TenancyError
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.changes import bridge_record, evidence
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.model import model
from production import model_source

DAY, START_UP = 86400, 60
STARTED = 1_000_000
TABLES = (
    "memories",
    "call_summaries",
    "caller_profiles",
    "personality_metrics",
    "personality_averages",
    "an odd\u2028one",
)


def record(now: int, **used: int) -> dict[str, Any]:
    """Return a usage record; ``used`` maps COMMAND_table to the last use, in seconds after the service's start."""
    uses = [
        {"table": table, "command": command, "sequence": bridge_record.sequence_name(table, command),
         "used_at": None if (after := used.get(f"{command}_{table}")) is None else STARTED + after}
        for table in TABLES
        for command in bridge_record.COMMANDS
    ]  # fmt: skip
    return {"now": STARTED + now, "uses": uses}


def judged(made: dict[str, Any], *accept: str, ages: tuple[int, ...] = (), asked: int | None = None) -> dict[str, Any]:
    main = made["now"] - STARTED
    asked_at = None if asked is None else STARTED + asked
    return evidence.judge(made, [main, *ages], DAY, START_UP, accept, asked_at)


@pytest.mark.parametrize(
    ("used", "now", "verdict"),
    [
        # Never used, with and without a sufficient period.
        (None, DAY, "done"),
        (None, DAY - 1, "short"),
        # Used before the service's last start.
        (-1000, 2 * DAY, "done"),
        # Used since the last start, no matter how long ago.
        (START_UP + 1, 2 * DAY, "needed"),
        (4000, 4090, "needed"),
        # Times have a resolution of one second, so a use 1 s before the start may have followed the start.
        (-1, DAY, "known"),
        (-2, DAY, "done"),
        # Used during the service's start-up.
        (0, DAY, "known"),
        (START_UP, DAY, "known"),
    ],
)
def test_when_a_statement_without_a_tenant_was_made_says_whose_it_is(used: int | None, now: int, verdict: str) -> None:
    made = record(now) if used is None else record(now, DELETE_memories=used)
    assert judged(made)["verdict"] == verdict
    assert judged(made)["holds"] is (verdict == "done")


def test_what_is_accepted_is_what_the_service_does_of_itself() -> None:
    made = record(DAY + 5, DELETE_memories=2, SELECT_memories=DAY)
    assert judged(made, "startup")["verdict"] == "needed"
    assert judged(made, asked=DAY)["verdict"] == "known"
    assert judged(made, "startup", asked=DAY)["verdict"] == "done"
    # The service has run for less than the required period, or for less than its start-up takes.
    assert judged(record(DAY - 1, DELETE_memories=2), "startup")["verdict"] == "short"
    young = record(START_UP - 1, DELETE_memories=2)
    assert evidence.judge(young, [START_UP - 1], 0, START_UP, ["startup"])["verdict"] == "short"
    assert evidence.judge(young, [START_UP - 1], 0, 10, ["startup"])["verdict"] == "done"


@pytest.mark.parametrize("command", ["INSERT", "UPDATE", "DELETE"])
def test_a_health_check_reads(command: str) -> None:
    made = record(DAY + 5, **{f"{command}_memories": DAY})
    assert judged(made, "startup", asked=DAY)["verdict"] == "needed"


def test_a_use_long_before_the_health_check_was_asked_is_not_explained_by_it() -> None:
    asked = DAY - bridge_record.RESOLUTION - evidence.TOLERANCE
    assert judged(record(DAY + 5, SELECT_memories=asked), "startup", asked=DAY)["verdict"] == "done"
    assert judged(record(DAY + 5, SELECT_memories=asked - 1), "startup", asked=DAY)["verdict"] == "needed"


def test_a_worker_that_was_started_later_makes_a_start_up_of_its_own() -> None:
    made = record(2 * DAY, DELETE_memories=DAY + 3)
    assert judged(made, "startup")["verdict"] == "needed"
    assert judged(made, "startup", ages=(DAY,))["verdict"] == "done"
    assert "DELETE on memories, last 3 seconds after it" in judged(made, ages=(DAY,))["sentence"]


def test_the_sentence_names_kinds_and_times() -> None:
    assert judged(record(2 * DAY))["sentence"] == "nothing used the bridge since the service started 2 days ago"
    made = record(
        2 * DAY, DELETE_memories=2, SELECT_memories=2 * DAY - 1, INSERT_caller_profiles=DAY, UPDATE_caller_profiles=5000
    )
    assert judged(made, asked=2 * DAY)["sentence"] == (
        "statements without a tenant used the bridge since the service started 2 days ago, "
        "by callers (INSERT, UPDATE on caller_profiles, last 24 hours ago, 24 hours after the start), "
        "at the start (DELETE on memories, last 2 seconds after it), "
        "by the health check (SELECT on memories, when it is called)"
    )


def test_what_becomes_of_each_kind_is_told() -> None:
    lines = judged(record(DAY, DELETE_memories=2, SELECT_memories=DAY - 1), asked=DAY - 1)["lines"]
    assert lines == [
        "Statements without a tenant since the service started 24 hours ago:",
        "At the start:",
        "  DELETE on memories, last 2 seconds after it",
        "  without the bridge: DELETE deletes no row",
        "Health check:",
        "  SELECT on memories, when it is called",
        "  without the bridge: SELECT sees no row",
    ]


@given(st.data())
def test_it_fits_on_a_screen(data: st.DataObject) -> None:
    times = st.one_of(st.none(), st.integers(0, 2 * DAY))
    used = {f"{command}_{table}": data.draw(times) for table in TABLES for command in bridge_record.COMMANDS}
    found = judged(record(2 * DAY, **{kind: at for kind, at in used.items() if at is not None}), asked=2 * DAY)
    assert len(found["lines"]) < 24 - 2
    assert all(len(line) < 80 and line.isprintable() for line in found["lines"])
    assert found["sentence"].isprintable()


@pytest.mark.parametrize(
    ("given_", "names"),
    [
        (None, []),
        ([], []),
        ("", []),
        ("startup", ["startup"]),
        (["startup"], ["startup"]),
        ("startup,startup", ["startup"] * 2),
    ],
)
def test_what_can_be_accepted(given_: Any, names: list[str]) -> None:
    assert evidence.accepted(given_) == names


@pytest.mark.parametrize("given_", ["callers", "startup,callers", ["startup", "callers"]])
def test_callers_are_never_accepted(given_: Any) -> None:
    with pytest.raises(TenancyError, match="enforce_accept cannot contain 'callers': its only value is 'startup'"):
        evidence.accepted(given_)


def test_a_kind_that_was_not_noted_is_named() -> None:
    made = record(10, SELECT_memories=5)
    assert "SELECT on memories" not in evidence.unnoted(made, STARTED + 5)
    assert "SELECT on memories" in evidence.unnoted(made, STARTED + 6)
    assert "INSERT on memories" in evidence.unnoted(made, STARTED)


def test_each_kind_has_a_sequence_of_its_own() -> None:
    found = [kind["sequence"] for kind in bridge_record.kinds(model.parse(model_source()))]
    assert len({*found}) == len(found) == 20
    long = [
        bridge_record.sequence_name(name, command)
        for name in ("m" * 63, "m" * 62 + "n")
        for command in bridge_record.COMMANDS
    ]
    assert len({*long}) == 8
    assert all(len(name.encode()) <= 63 for name in long)
