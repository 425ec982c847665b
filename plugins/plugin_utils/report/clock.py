"""Convert the age of an event on another machine into a time by this machine's clock."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping
from typing import Any


def ago(seconds: float, since: str | None = None) -> str:
    """Return the time so many seconds before ``since`` or now: UTC, ISO 8601, with microseconds, without a zone."""
    if since is None:
        moment = datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
    else:
        moment = datetime.datetime.fromisoformat(since)
    return (moment - datetime.timedelta(seconds=seconds)).isoformat(timespec="microseconds")


def seconds(start: str, end: str | None = None) -> float:
    """Return the seconds from one time to another or to now, both in the form of ``ago``."""
    return (datetime.datetime.fromisoformat(end or ago(0)) - datetime.datetime.fromisoformat(start)).total_seconds()


def phases(stages: Iterable[Mapping[str, Any]], current: str, ended: str | None = None) -> list[dict[str, str]]:
    """Return the stages of the module cutover as phases of a run (name, started), without ``current``, which is known.

    ``ended`` is the time when the module's call ended; without it, now.
    """
    return [{"name": item["name"], "started": ago(item["ago"], ended)} for item in stages if item["name"] != current]
