"""Statistics of probes, as if a caller had sent each request when it was due."""

from __future__ import annotations

import itertools
import json
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from . import prober

# The maximum number of time slices in a result.
SLICES = 120


@dataclass(frozen=True)
class Probe:
    """One request: when it was due and ended, by the server's monotonic clock in seconds, and the verdict on it."""

    due: float
    ended: float
    verdict: str

    @property
    def waited(self) -> float:
        """Return the seconds from the time at which the request was due to its end."""
        return self.ended - self.due

    @property
    def failed(self) -> bool:
        """Return whether the response was missing or bad."""
        return self.verdict != prober.GOOD


@dataclass(frozen=True)
class Samples:
    """The samples that a prober wrote.

    ``unanswered`` is the time at which a request without a response was due, and ``ended`` is the time at which the
    prober ended. Each is None if the prober wrote no line for it. ``timed_out`` is true if the prober ended because the
    run gave no sign of life for too long.
    """

    reads: list[Probe]
    health: list[Probe]
    unanswered: float | None = None
    ended: float | None = None
    timed_out: bool = False


def read(text: str) -> Samples:
    """Return the samples in the text of a file, without an incomplete last line."""
    reads: list[Probe] = []
    health: list[Probe] = []
    unanswered, ended, timed_out = None, None, False
    for line in text.splitlines(keepends=True):
        if not line.endswith("\n"):
            break
        kind, *values = json.loads(line)
        if kind == prober.BEGUN:
            unanswered = values[0]
        elif kind == prober.READ:
            reads.append(Probe(values[0], values[1], values[3]))
            unanswered = None
        elif kind == prober.HEALTH:
            health.append(Probe(*values))
        elif kind == prober.ENDED:
            ended, timed_out = values
    return Samples(reads, health, unanswered, ended, timed_out)


def summary(samples: Samples, interval: float) -> dict[str, Any]:
    """Return the statistics of all requests; times are in seconds.

    An unanswered request ends when the prober ends, and is omitted if that time is unknown. The result has sent,
    failed, reasons (the number of each bad verdict), worst, p99, gap, seconds, slices, and health (sent, failed,
    worst). The times and slices are None if there is no request. ``gap`` is the longest time without a good response.
    ``slices`` contains step (seconds of one slice), and worst and failed for each slice; worst is None for a slice
    without a request.
    """
    answered = list(samples.reads)
    if samples.unanswered is not None and samples.ended is not None:
        answered.append(Probe(samples.unanswered, samples.ended, prober.LATE))
    ended = samples.ended or max((probe.ended for probe in answered), default=0.0)
    due = [probe for answer in answered for probe in _due(answer, interval)]
    health = samples.health
    return {
        "sent": len(due),
        "failed": sum(probe.failed for probe in due),
        "reasons": dict(sorted(Counter(probe.verdict for probe in due if probe.failed).items())),
        "worst": _worst(due),
        "p99": _rounded(_percentile([probe.waited for probe in due], 99)) if due else None,
        "gap": _gap(answered, ended) if answered else None,
        "seconds": _rounded(ended - answered[0].due) if answered else None,
        "slices": _slices(due) if due else None,
        "health": {"sent": len(health), "failed": sum(probe.failed for probe in health), "worst": _worst(health)},
    }


def _due(answer: Probe, interval: float) -> Iterator[Probe]:
    """Yield a request, and the unsent ones that became due before it ended, as if they waited for its response."""
    for number in range(int(answer.waited / interval) + 1):
        yield Probe(answer.due + number * interval, answer.ended, answer.verdict)


def _worst(probes: Sequence[Probe]) -> float | None:
    return _rounded(max(probe.waited for probe in probes)) if probes else None


def _percentile(values: Sequence[float], percent: int) -> float:
    """Return the smallest value such that at least this percentage of the values is not larger (nearest rank)."""
    return sorted(values)[math.ceil(len(values) * percent / 100) - 1]


def _gap(answered: Sequence[Probe], ended: float) -> float:
    """Return the longest time between two good responses; the first request and the prober's end count as good
    responses."""
    good = [probe.ended for probe in answered if not probe.failed]
    moments = [answered[0].due, *good, ended]
    return _rounded(max(later - earlier for earlier, later in itertools.pairwise(moments)))


def _slices(due: Sequence[Probe]) -> dict[str, Any]:
    begun = due[0].due
    step = math.ceil((due[-1].due - begun + 1) / SLICES)
    parts: list[list[Probe]] = [[] for _ in range(int((due[-1].due - begun) / step) + 1)]
    for probe in due:
        parts[int((probe.due - begun) / step)].append(probe)
    return {
        "step": step, "worst": [_worst(part) for part in parts],
        "failed": [sum(probe.failed for probe in part) for part in parts],
    }  # fmt: skip


def _rounded(seconds: float) -> float:
    return round(seconds, 4)
