"""Measure how long callers wait while a database changes, for several sizes and kinds of change."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterable, Iterator
from typing import Any

from changes import CHANGES, Change
from cluster import Cluster
from databases import seed
from statements import load
from watch import watch

# A change that takes more than this number of seconds is measured in only one round.
LONG = 60
COLUMNS = {
    "write": "worst write, ms", "read": "worst read, ms", "seconds": "total, s", "locked": "ACCESS EXCLUSIVE, ms",
    "wal": "WAL, MB", "disk": "disk, MB",
}  # fmt: skip


def measure(cluster: Cluster, database: str, change: Change) -> dict[str, float]:
    """Change the database under load, and return the values listed in COLUMNS."""
    with load(str(cluster.directory), database) as worst, watch(cluster, database) as costs:
        started = time.perf_counter()
        change(cluster, database)
        seconds = time.perf_counter() - started
    return {
        "write": worst.write, "read": worst.read, "seconds": seconds, "locked": costs.locked * 1000,
        "wal": costs.wal / 1e6, "disk": costs.disk / 1e6,
    }  # fmt: skip


def stalls(cluster: Cluster, sizes: Iterable[int], rounds: int) -> Iterator[list[dict[str, Any]]]:
    """Yield a list of results for each size as soon as it is measured.

    The list contains a dict for each part of a change, with rows, change, rounds and the medians of the measurements.
    """
    for rows in sizes:
        template = seed(cluster, rows)
        made: dict[str, list[dict[str, float]]] = {part: [] for parts in CHANGES.values() for part in parts}
        # The changes take turns, so that other work on the machine affects all changes alike.
        for _ in range(rounds):
            for name, parts in CHANGES.items():
                if any(result["seconds"] > LONG for part in parts for result in made[part]):
                    continue
                cluster.copy(template, name)
                for part, change in parts.items():
                    made[part].append(measure(cluster, name, change))
                cluster.drop(name)
        cluster.drop(template)
        yield [
            {"rows": rows, "change": part, "rounds": len(results)}
            | {name: statistics.median(result[name] for result in results) for name in COLUMNS}
            for part, results in made.items()
        ]
