"""Times on this machine, computed from the ages of events on another machine."""

from __future__ import annotations

import datetime

from ansible_collections.aimemory.tenancy.plugins.plugin_utils.report import clock


def seconds_since(text: str) -> float:
    """Return the number of seconds since a UTC time."""
    now = datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
    return (now - datetime.datetime.fromisoformat(text)).total_seconds()


def test_ago_is_utc_with_microseconds_always() -> None:
    text = clock.ago(90)
    assert 90 <= seconds_since(text) < 91
    assert len(text) == len("2026-11-25T17:22:40.123456")


def test_stages_become_phases_except_the_started_one() -> None:
    stages = [{"name": "stop", "ago": 1.5}, {"name": "apply", "ago": 1.0}, {"name": "start", "ago": 0.25}]
    phases = clock.phases(stages, "stop", "2026-11-25T17:22:40.000000")
    assert phases == [
        {"name": "apply", "started": "2026-11-25T17:22:39.000000"},
        {"name": "start", "started": "2026-11-25T17:22:39.750000"},
    ]


def test_of_a_call_whose_end_was_not_noted_it_is_now() -> None:
    stages = [{"name": "stop", "ago": 1.5}, {"name": "apply", "ago": 1.0}, {"name": "start", "ago": 0.25}]
    phases = clock.phases(stages, "stop")
    assert [phase["name"] for phase in phases] == ["apply", "start"]
    first, second = (seconds_since(phase["started"]) for phase in phases)
    assert abs((first - second) - 0.75) < 0.01
