"""Convert the age of an event on another machine to a time on this machine's clock, and show times as text."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping
from typing import Any


def ago(seconds: float, since: str | None = None) -> str:
    """Return the time ``seconds`` before ``since`` (default: now) in UTC, as ISO 8601 with microseconds, no zone."""
    if since is None:
        moment = datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
    else:
        moment = datetime.datetime.fromisoformat(since)
    return (moment - datetime.timedelta(seconds=seconds)).isoformat(timespec="microseconds")


def seconds(start: str, end: str | None = None) -> float:
    """Return the seconds from ``start`` to ``end`` (default: now). Both are in the format of ``ago``."""
    return (datetime.datetime.fromisoformat(end or ago(0)) - datetime.datetime.fromisoformat(start)).total_seconds()


def phases(stages: Iterable[Mapping[str, Any]], current: str, ended: str | None = None) -> list[dict[str, str]]:
    """Return the stages of a module's call as phases, each with name and started.

    The stage ``current`` is omitted, because it is already a phase. ``ended`` is the end of the call (default: now).
    """
    return [{"name": item["name"], "started": ago(item["ago"], ended)} for item in stages if item["name"] != current]


def time(moment: str) -> str:
    """Return the time of day (HH:MM:SS) of ``moment``, which has the format of ``ago``."""
    return datetime.datetime.fromisoformat(moment).strftime("%H:%M:%S")


def shown(moment: str, *, day: bool = False) -> str:
    """Return ``moment`` as readable text in UTC, to the second; ``day`` adds the date.

    ``moment`` has the format of ``ago``, optionally followed by an offset from UTC.
    """
    found = datetime.datetime.fromisoformat(moment)
    if found.tzinfo is not None:
        found = found.astimezone(datetime.UTC)
    return f"{found:%Y-%m-%d %H:%M:%S} UTC" if day else f"{found:%H:%M:%S} UTC"
