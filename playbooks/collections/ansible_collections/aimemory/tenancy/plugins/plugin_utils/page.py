"""The record of a run as one page of HTML that needs nothing else."""

from __future__ import annotations

import datetime
import functools
from collections.abc import Mapping
from typing import Any

import jinja2

Record = Mapping[str, Any]


def _at(text: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(text)


def timeline(record: Record) -> list[dict[str, Any]]:
    """Return the phases with name, seconds, state, and where they lie between begin (0) and end (1000) of the run.

    ``down`` is where callers waited, and is the same for all; it is empty where nobody did. A run that was lost ends
    with the begin of its last phase.
    """
    phases = record["phases"]
    if not phases:
        return []
    begin = _at(phases[0]["started"])
    ended = _at(record["completed"] or phases[-1]["started"])
    whole = max((ended - begin).total_seconds(), 0.001)

    def place(start: datetime.datetime, end: datetime.datetime) -> dict[str, float]:
        left, right = ((moment - begin).total_seconds() / whole * 1000 for moment in (start, end))
        return {"x": round(left, 1), "width": round(max(right - left, 0), 1)}

    stopped, healthy = record["stopped_at"], record["healthy_at"]
    down = place(_at(stopped), _at(healthy) if healthy else ended) if stopped else {}
    ends = [*(_at(phase["started"]) for phase in phases[1:]), ended]
    failed = (record["failure"] or {}).get("phase")
    return [
        {
            "name": phase["name"],
            "seconds": (end - _at(phase["started"])).total_seconds(),
            "state": "FAILED" if phase["name"] == failed and number == len(phases) - 1 else "ok",
            "bar": place(_at(phase["started"]), end),
            "down": down,
        }
        for number, (phase, end) in enumerate(zip(phases, ends, strict=True))
    ]


def downtime(record: Record) -> float | None:
    """Return the seconds from stop to healthy, or none where the service was not stopped or did not come back."""
    if record["stopped_at"] is None or record["healthy_at"] is None:
        return None
    return (_at(record["healthy_at"]) - _at(record["stopped_at"])).total_seconds()


@functools.lru_cache
def _template(source: str) -> jinja2.Template:
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(source)


def render(source: str, record: Record) -> str:
    """Return the page that the Jinja template ``source`` makes of run.json's document. Whatever it says is escaped."""
    return _template(source).render(record=record, timeline=timeline(record), downtime=downtime(record))
