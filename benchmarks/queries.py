"""Measure how much row security slows the service's queries."""

from __future__ import annotations

import contextlib
import statistics
import time
from collections.abc import Iterator
from typing import Any

import psycopg2.extensions

from ansible_collections.aimemory.tenancy.plugins.plugin_utils.changes import enforce, plan
from changes import planner, run_atomic
from cluster import Cluster
from lab import TABLES

CALLER = "'+15557'"
NEAREST = "SELECT id FROM memories ORDER BY embedding <-> '{vector}' LIMIT 10"
BY_INDEX, INDEX = "nearest, ivfflat", "idx_memories_embedding"
# The queries of the service's endpoints, and a scan of a whole table.
QUERIES = {
    "newest memories of a caller":
        f"SELECT k, value_json FROM memories WHERE user_id = {CALLER} ORDER BY created_at DESC LIMIT 10",
    "profile of a caller": f"SELECT * FROM caller_profiles WHERE user_id = {CALLER}",
    "summaries of a caller":
        f"SELECT summary FROM call_summaries WHERE user_id = {CALLER} ORDER BY call_date DESC LIMIT 5",
    "latest summaries": "SELECT summary FROM call_summaries ORDER BY call_date DESC LIMIT 20",
    "averages of a caller": f"SELECT * FROM personality_averages WHERE user_id = {CALLER}",
    "expired memories": "SELECT count(*) FROM memories WHERE created_at < now() - ttl_days * interval '1 day'",
    "all memories": "SELECT count(*), max(length(k)) FROM memories",
    BY_INDEX: NEAREST,
    "nearest, exact": NEAREST,
}  # fmt: skip
# The planner settings to switch off, so that the same search uses one plan or the other.
WAYS = {BY_INDEX: ("enable_seqscan", "enable_sort"), "nearest, exact": ("enable_indexscan",)}
# The options of the session in each variant. The release of the service in "before" and "bridge" sets no tenant.
TENANT = "-c app.current_tenant=1"
VARIANTS = {"before": "", "no_rls": TENANT, "bridge": "", "enforced": TENANT, "guide": TENANT}
# The time limit for all executions of a query in each variant, in seconds, and their maximum and minimum number. The
# variants take turns. The time limit reduces the number of executions of a slow query.
SECONDS, MOST, LEAST = 1.5, 1000, 15


def variants(cluster: Cluster, template: str) -> None:
    """Create a database for each variant, all with the same rows."""
    cluster.copy(template, "before")
    for name in ("bridge", "enforced"):
        cluster.copy(template, name)
        run_atomic(cluster, name)
    with planner(cluster, "enforced") as planned:
        planned.run(*plan.transaction(enforce.build(planned.state(), planned.model), planned.model, "5s"))
        planned.commit()
    for name in ("no_rls", "guide"):
        cluster.copy("enforced", name)
    for table in TABLES:
        cluster.sql("no_rls", f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY, DISABLE ROW LEVEL SECURITY")
        guide = "customer_id = current_setting('app.current_tenant')::integer"
        cluster.sql("guide", f"ALTER POLICY tenant_isolation_{table} ON {table} USING ({guide}) WITH CHECK ({guide})")
    for name in VARIANTS:
        cluster.sql(name, "VACUUM (ANALYZE)")


@contextlib.contextmanager
def sessions(cluster: Cluster) -> Iterator[dict[str, psycopg2.extensions.cursor]]:
    """Yield a cursor of the service's login in each variant's database, by variant."""
    with contextlib.ExitStack() as stack:
        yield {
            variant: stack.enter_context(contextlib.closing(cluster.connect(variant, "alice", options))).cursor()
            for variant, options in VARIANTS.items()
        }


def scans(node: dict[str, Any]) -> list[str]:
    """Return the distinct scans at or below a node of EXPLAIN (FORMAT JSON): index names, and other scans of tables."""
    found = [scan for child in node.get("Plans", ()) for scan in scans(child)]
    if "Scan" in node["Node Type"]:
        found.append(node.get("Index Name") or f"{node['Node Type']} of {node['Relation Name']}")
    return list(dict.fromkeys(found))


def explained(cursor: psycopg2.extensions.cursor, query: str) -> str:
    """Return the indexes that a query uses and the tables that it scans, as text."""
    cursor.execute(f"EXPLAIN (FORMAT JSON) {query}")
    ((document,),) = cursor.fetchall()
    return ", ".join(scans(document[0]["Plan"]))


def _timed(cursors: dict[str, psycopg2.extensions.cursor], query: str) -> dict[str, float]:
    """Return the median duration of the query in each variant, in milliseconds."""
    times: dict[str, list[float]] = {variant: [] for variant in cursors}
    until = time.perf_counter() + SECONDS * len(cursors)
    while len(times["before"]) < LEAST or (time.perf_counter() < until and len(times["before"]) < MOST):
        for variant, cursor in cursors.items():
            started = time.perf_counter()
            cursor.execute(query)
            cursor.fetchall()
            times[variant].append((time.perf_counter() - started) * 1000)
    return {variant: statistics.median(values) for variant, values in times.items()}


def queries(cluster: Cluster, template: str) -> list[dict[str, Any]]:
    """Return each query's name, and its median milliseconds and plan in each variant."""
    variants(cluster, template)
    ((vector,),) = cluster.sql("before", f"SELECT embedding FROM memories WHERE user_id = {CALLER} LIMIT 1")
    found = []
    with sessions(cluster) as cursors:
        for name, query in QUERIES.items():
            sql = query.format(vector=vector)
            for cursor in cursors.values():
                for way in WAYS.get(name, ()):
                    cursor.execute(f"SET {way} = off")
            plans = {variant: explained(cursor, sql) for variant, cursor in cursors.items()}
            if name == BY_INDEX and INDEX not in plans["before"]:
                raise SystemExit(f"{name!r} does not use {INDEX}: {plans['before']}")
            found.append({"query": name, "times": _timed(cursors, sql), "plans": plans})
            for cursor in cursors.values():
                for way in WAYS.get(name, ()):
                    cursor.execute(f"RESET {way}")
    return found
