"""Measure the recall of an approximate search for a small tenant and for a large tenant.

The policy filters rows only after the index scan, so the search may return too few rows to a small tenant.
"""

from __future__ import annotations

import contextlib
import statistics
import time
from typing import Any

import psycopg2.extensions

from cluster import Cluster
from queries import NEAREST

WANTED, SEARCHES = 10, 20
# How many of every thousand rows belong to the small tenant.
SMALL = 10
BY_INDEX = ("SET enable_seqscan = off", "SET enable_sort = off", "SET enable_bitmapscan = off")
SETTINGS: dict[str, tuple[str, ...]] = {
    "as planned": (),
    "ivfflat, probes = 1": BY_INDEX,
    "ivfflat, probes = 10": (*BY_INDEX, "SET ivfflat.probes = 10"),
    "ivfflat, iterative_scan": (*BY_INDEX, "SET ivfflat.iterative_scan = relaxed_order"),
    "ivfflat, iterative_scan, probes = 10":
        (*BY_INDEX, "SET ivfflat.iterative_scan = relaxed_order", "SET ivfflat.probes = 10"),
}  # fmt: skip


def _found(cursor: psycopg2.extensions.cursor, vector: str) -> list[str]:
    cursor.execute(NEAREST.format(vector=vector))
    return [identity for (identity,) in cursor.fetchall()]


def _searches(cluster: Cluster, tenant: int, *settings: str) -> tuple[list[list[str]], float]:
    """Return the ids that each of a tenant's searches found with these settings, and the median milliseconds."""
    sample = f"SELECT embedding FROM memories WHERE customer_id = {tenant} ORDER BY id LIMIT {SEARCHES}"
    found, times = [], []
    with contextlib.closing(cluster.connect("recall", "alice", f"-c app.current_tenant={tenant}")) as connection:
        cursor = connection.cursor()
        # Load pgvector's library, which defines the settings.
        cursor.execute("SELECT '[1]'::vector <-> '[2]'::vector")
        for setting in settings:
            cursor.execute(setting)
        for (vector,) in cluster.sql("recall", sample):
            started = time.perf_counter()
            found.append(_found(cursor, vector))
            times.append((time.perf_counter() - started) * 1000)
    return found, statistics.median(times)


def recall(cluster: Cluster, template: str) -> list[dict[str, Any]]:
    """Return the recall at 10, the mean number of rows, and the median milliseconds for each tenant and setting.

    ``template`` is a migrated and enforced database.
    """
    cluster.copy(template, "recall")
    cluster.sql("recall", f"UPDATE memories SET customer_id = 2 WHERE abs(hashtext(id::text)) % 1000 < {SMALL}")
    cluster.sql("recall", "VACUUM (ANALYZE)")
    results = []
    for tenant, title in ((1, "large"), (2, "small")):
        exact, _ = _searches(cluster, tenant, "SET enable_indexscan = off")
        for name, settings in SETTINGS.items():
            found, milliseconds = _searches(cluster, tenant, *settings)
            hits = [len(set(ours) & set(theirs)) / WANTED for ours, theirs in zip(found, exact, strict=True)]
            results.append({
                "tenant": title, "settings": name, "recall": statistics.mean(hits),
                "rows": statistics.mean(map(len, found)), "milliseconds": milliseconds,
            })  # fmt: skip
    cluster.drop("recall")
    return results
