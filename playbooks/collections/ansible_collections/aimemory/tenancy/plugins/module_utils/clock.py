"""When things happened by this machine's clock, from how long ago another machine says that they did."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping
from typing import Any


def ago(seconds: float) -> str:
    """Return the time that was so many seconds ago, in UTC as ISO 8601 with microseconds and without a zone."""
    now = datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
    return (now - datetime.timedelta(seconds=seconds)).isoformat(timespec="microseconds")


def phases(stages: Iterable[Mapping[str, Any]], current: str) -> list[dict[str, str]]:
    """Return the stages of the module cutover as phases of a run (name, started); ``current`` has begun before."""
    return [{"name": stage["name"], "started": ago(stage["ago"])} for stage in stages if stage["name"] != current]
