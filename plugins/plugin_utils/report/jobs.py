"""Show the progress of a long job on the server, with an estimate of the remaining time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import expected

# The remaining time is estimated once at least this share of a stage is done since the stage was first read.
LEAST = 0.02
# Without a terminal, a line is printed at the start of each stage and after each fraction 1/TENTHS of the stage.
TENTHS = 10


class Job:
    """A job whose progress is read repeatedly. The time is estimated for each stage of the job separately."""

    def __init__(self) -> None:
        """Initialize without a stage."""
        self._stage = ""
        self._first = (0.0, 0.0)
        self._now: tuple[str, int] = ("", 0)
        self._told: tuple[str, int] = ("", 0)

    def line(self, result: Mapping[str, Any], now: float) -> str:
        """Return the progress as one line, with the most important part first.

        ``result`` is the result of the job_progress module. ``now`` is the current time in seconds, by any clock.
        """
        stage, share = str(result.get("stage", "")), result.get("share")
        if share is None:
            self._stage = ""
            # Ignore the digits, because the numbers in a message, for example about an index build, change constantly.
            self._now = ("".join(filter(lambda sign: not sign.isdigit(), str(result.get("msg", "")))), 0)
            return str(result.get("msg", ""))
        if stage != self._stage or share < self._first[1]:
            self._stage, self._first = stage, (now, share)
        self._now = (stage, int(share * TENTHS))
        began, before = self._first
        left = (now - began) * (1 - share) / (share - before) if share - before >= LEAST else None
        parts = [f"{stage} {share:.0%}", f"about {expected.duration(left)} left" if left is not None else ""]
        return ", ".join(filter(None, [*parts, result.get("detail", "")]))

    def is_news(self) -> bool:
        """Return whether the job has reached another stage or tenth since the last call."""
        is_news, self._told = self._now != self._told, self._now
        return is_news
