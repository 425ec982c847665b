"""The changes to compare, each divided into parts that affect callers separately."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml

from ansible_collections.aimemory.tenancy.plugins.plugin_utils.changes import online, planning
from cluster import Cluster
from planner import Database, run_document

HERE = Path(__file__).resolve().parent
# All limits are the runbook's defaults.
DEFAULTS = yaml.safe_load((HERE.parent / "roles/tenancy/defaults/main.yml").read_text())
WAITS = {
    "lock_timeout": DEFAULTS["tenancy_online_lock_timeout_ms"], "attempts": DEFAULTS["tenancy_online_attempts"],
    "patience": DEFAULTS["tenancy_online_patience_seconds"],
    "long_transaction": DEFAULTS["tenancy_online_transaction_seconds"],
    "max_waiting": DEFAULTS["tenancy_online_max_waiting"], "max_lag": DEFAULTS["tenancy_online_max_lag_bytes"],
    "step_timeout": DEFAULTS["tenancy_online_step_timeout"],
}  # fmt: skip
LIMITS = {
    "goal": "migrate", "url_options": "", "counted": True, "careful": True,
    "seconds": DEFAULTS["tenancy_transaction_timeout"], "proof_seconds": DEFAULTS["tenancy_proof_timeout"],
    "proof_rows": DEFAULTS["tenancy_proof_max_rows"],
    "lock_timeout": f"{DEFAULTS['tenancy_live_lock_timeout_ms']}ms",
    # Here, the atomic change also runs under load, so it waits for its locks as a live change does.
    "patience": DEFAULTS["tenancy_live_patience_seconds"],
}  # fmt: skip


@contextlib.contextmanager
def planner(cluster: Cluster, database: str) -> Iterator[Database]:
    """Yield the runbook's own planner for a database."""
    with contextlib.closing(cluster.connect(database, options="-c jit=off")) as connection:
        connection.autocommit = False
        yield Database(connection, database)


def change_nothing(cluster: Cluster, database: str) -> None:
    """Change nothing for 3 s, to measure the load alone."""
    time.sleep(3)


def guide(cluster: Cluster, database: str) -> None:
    """Run the guide's SQL."""
    cluster.script(database, "postgres", HERE / "guide.sql")


def run_online_steps(cluster: Cluster, database: str) -> None:
    """Run the statements that the live strategy commits before its transaction."""
    with planner(cluster, database) as planned:
        statements = planned.plan()
        planned.carry_out(online.steps(statements), WAITS)
        planned.run(*(item["sql"] for item in online.early(statements, online.LIVE)))
        planned.commit()


def run_transaction(strategy: str) -> Callable[[Cluster, str], None]:
    """Return a function that plans the remaining statements and runs them in the transaction of ``strategy``.

    The transaction also contains the isolation proof.
    """

    def change(cluster: Cluster, database: str) -> None:
        with planner(cluster, database) as planned:
            found = online.cutover(planned.plan(), strategy)
            wanted: dict[str, Any] = {**LIMITS, "strategy": strategy}
            document = planning.transaction(found, planned.state(), planned.model, wanted)
        run_document({"host": str(cluster.directory), "dbname": database, "user": "postgres"}, document)

    return change


run_atomic = run_transaction(online.ATOMIC)
EXPAND = "live, before the transaction"
CUTOVER = "live, transaction"
Change = Callable[[Cluster, str], None]
CHANGES: dict[str, dict[str, Change]] = {
    "nothing": {"nothing, for 3 s": change_nothing},
    "guide": {"guide's SQL": guide},
    "atomic": {"atomic": run_atomic},
    "live": {EXPAND: run_online_steps, CUTOVER: run_transaction(online.LIVE)},
}
