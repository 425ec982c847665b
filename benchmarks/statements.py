"""Run a steady load as the service's login, in separate processes, and measure the slowest statements."""

from __future__ import annotations

import contextlib
import multiprocessing
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection

import psycopg2

WRITE = (
    "INSERT INTO memories (type, k, value_json, embedding, user_id)"
    " SELECT 'fact', 'note', '{}', embedding, '+1555' FROM memories LIMIT 1"
)
READ = "SELECT value_json FROM memories WHERE user_id = '+1555' ORDER BY created_at DESC LIMIT 10"
# Each session of the load sets the tenant, so that statements still succeed when policies exist.
TENANT = "-c app.current_tenant=1"
PAUSE = 0.002


class Worst:
    """The longest duration of each kind of statement, in milliseconds."""

    write: float = 0.0
    read: float = 0.0


def _work(host: str, database: str, statement: str, results: Connection) -> None:
    connection = psycopg2.connect(host=host, dbname=database, user="alice", options=TENANT)
    connection.autocommit = True
    cursor = connection.cursor()
    cursor.execute(statement)
    results.send("ready")
    worst = 0.0
    while not results.poll():
        started = time.perf_counter()
        # A statement that has waited for the guide's change fails, because the change has altered its table. The time
        # of the wait still counts.
        with contextlib.suppress(psycopg2.Error):
            cursor.execute(statement)
        worst = max(worst, time.perf_counter() - started)
        time.sleep(PAUSE)
    results.send(worst)


@contextlib.contextmanager
def load(host: str, database: str) -> Iterator[Worst]:
    """Write and read continuously during the block. The yielded object has the longest durations afterwards."""
    found = Worst()
    workers = []
    for kind, statement in (("write", WRITE), ("read", READ)):
        ours, theirs = multiprocessing.Pipe()
        process = multiprocessing.Process(target=_work, args=(host, database, statement, theirs))
        process.start()
        ours.recv()
        workers.append((kind, process, ours))
    # Wait until the first plans are made and the cache is warm, because these delays are not effects of the change.
    time.sleep(0.5)
    try:
        yield found
    finally:
        for kind, process, ours in workers:
            ours.send("over")
            setattr(found, kind, ours.recv() * 1000)
            process.join()
