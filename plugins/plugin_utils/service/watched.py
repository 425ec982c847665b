"""Record how the service is watched after the change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..whole import whole

Document = Mapping[str, Any]


def samples(minutes: int | str, interval: int | str) -> list[int]:
    """Return the times of a watch's samples, in seconds after its start.

    A watch that is shorter than the interval has a single sample, at its end.
    """
    total = whole(minutes) * 60
    step = min(whole(interval), total)
    return list(range(step, total + 1, step)) if step else []


def sampled(watched: Document, journal: Document, health: Document, about: Document) -> dict[str, Any]:
    """Return the record of a watch after one more sample.

    ``journal`` and ``health`` are the results of the service_journal and service_health modules. ``about`` has service,
    health_path, seconds (since the start of the watch), and processes: the main pids at the start of the watch and
    now. The pid is 0 while the service is being started.
    """
    before, now = about["processes"]
    trouble = list(journal["failures"][:3])
    if not health["healthy"]:
        trouble.append(f"{about['health_path']} {health['sentence']}")
    if journal["refused"] > watched["refused_before"]:
        trouble.append(
            f"{journal['refused']} requests failed since the start, {watched['refused_before']} in the previous hour"
        )
    if now not in (before, "0"):
        trouble.append(
            f"{about['service']} was restarted during the watch: its main process was {before} and is now {now}"
        )
    return {
        **watched,
        "seconds": about["seconds"],
        "samples": watched["samples"] + 1,
        "lines": journal["total"],
        **{name: journal[name] for name in ("errors", "requests", "refused")},
        "trouble": trouble,
    }


def unnamed(record: Document, *, is_watched: bool) -> str:
    """Return a phrase about the last session that set no tenant.

    ``is_watched`` is whether the bridge's usage record exists. If so, ``record`` is that usage record.
    """
    if not is_watched:
        return "sessions that set no tenant see no rows"
    if record["used_at"] is None:
        return "every session set a tenant"
    return f"the last session that set no tenant was {record['now'] - record['used_at']} s ago"


def line(watched: Document) -> str:
    """Return the record of a watch as one line."""
    return (
        f"WATCHED for {watched['seconds']} s: {watched['requests'] or 'no'} requests in the journal,"
        f" {watched['refused']} of them failed ({watched['refused_before']} in the previous hour); {watched['errors']}"
        f" error lines among {watched['lines']} lines; {watched['unnamed']}."
    )
