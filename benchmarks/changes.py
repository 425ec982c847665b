"""The compared ways to change a database, each divided into the parts that callers notice separately."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import yaml

from cluster import Cluster
from planner import Database

HERE = Path(__file__).resolve().parent
# The time limits of online steps, from the runbook's defaults.
DEFAULTS = yaml.safe_load((HERE.parent / "roles/tenancy/defaults/main.yml").read_text())
WAITS = {
    "lock_timeout": DEFAULTS["tenancy_online_lock_timeout_ms"], "attempts": DEFAULTS["tenancy_online_attempts"],
    "patience": DEFAULTS["tenancy_online_patience_seconds"],
    "long_transaction": DEFAULTS["tenancy_online_transaction_seconds"],
    "max_waiting": DEFAULTS["tenancy_online_max_waiting"], "max_lag": DEFAULTS["tenancy_online_max_lag_bytes"],
}  # fmt: skip


@contextlib.contextmanager
def planner(cluster: Cluster, database: str) -> Iterator[Database]:
    """Yield the production planner for a database."""
    with contextlib.closing(cluster.connect(database, options="-c jit=off")) as connection:
        connection.autocommit = False
        yield Database(connection, database)


def guide(cluster: Cluster, database: str) -> None:
    """Run the guide's SQL."""
    cluster.script(database, "postgres", HERE / "guide.sql")


def run_transaction(cluster: Cluster, database: str, *, counted: bool = True) -> None:
    """Plan the remaining statements, and run them and the isolation proof in one transaction."""
    with planner(cluster, database) as planned:
        document = planned.transaction(planned.plan(), counted=counted)
        planned.commit()
        planned.execute(document)
        planned.commit()


def cut_over(cluster: Cluster, database: str) -> None:
    """Run the remaining statements after the online steps."""
    run_transaction(cluster, database, counted=False)


def run_online_steps(cluster: Cluster, database: str) -> None:
    """Run the steps that do not require a stop of the service."""
    with planner(cluster, database) as planned:
        planned.carry_out(planned.steps(), WAITS)


def change_nothing(cluster: Cluster, database: str) -> None:
    """Change nothing, to measure only the load."""
    time.sleep(3)


ONLINE = "online, while the service works"
CUTOVER = "online, cutover"
Change = Callable[[Cluster, str], None]
# The service is stopped during the cutover of the online change, so its stalls do not affect callers.
CHANGES: dict[str, dict[str, Change]] = {
    "nothing": {"nothing, for 3 s": change_nothing},
    "guide": {"guide's SQL": guide},
    "atomic": {"atomic": run_transaction},
    "online": {ONLINE: run_online_steps, CUTOVER: cut_over},
}
