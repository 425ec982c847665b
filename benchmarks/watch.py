"""Measure the cost of a change from another session: locks, WAL and disk space."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator

from cluster import Cluster

LOCKED = (
    "SELECT EXISTS (SELECT FROM pg_locks"
    " WHERE relation = %s AND mode = 'AccessExclusiveLock' AND granted),"
    " pg_database_size(current_database()), pg_current_wal_insert_lsn() - '0/0'"
)
INTERVAL = 0.005


class Costs:
    """The longest ACCESS EXCLUSIVE lock on memories in seconds, and the WAL and maximum disk growth in bytes."""

    locked: float = 0.0
    wal: int = 0
    disk: int = 0


@contextlib.contextmanager
def watch(cluster: Cluster, database: str) -> Iterator[Costs]:
    """Yield the costs, and measure them every few milliseconds until the end of the block."""
    costs, over = Costs(), threading.Event()
    connection = cluster.connect(database, options="-c jit=off")
    cursor = connection.cursor()
    # Use the table's OID, because a lookup by name may wait for the lock.
    cursor.execute("SELECT 'memories'::regclass::oid")
    table = cursor.fetchone()
    cursor.execute(LOCKED, table)
    _, size, written = cursor.fetchone() or (False, 0, 0)

    def look() -> None:
        since: float | None = None
        while not over.is_set():
            cursor.execute(LOCKED, table)
            held, now_size, now_written = cursor.fetchone() or (False, 0, 0)
            now = time.perf_counter()
            since = (since or now) if held else None
            costs.locked = max(costs.locked, now - since if since else 0.0)
            costs.disk = max(costs.disk, int(now_size) - int(size))
            costs.wal = int(now_written) - int(written)
            time.sleep(INTERVAL)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield costs
    finally:
        over.set()
        thread.join()
        connection.close()
