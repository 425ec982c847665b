"""The ways to change a database that are compared, each as the parts that callers feel apart."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import yaml

from cluster import Cluster
from planner import Database

HERE = Path(__file__).resolve().parent
# How online steps wait, as the runbook has it.
DEFAULTS = yaml.safe_load((HERE.parent / "roles/tenancy/defaults/main.yml").read_text())
WAITS = {
    "lock_timeout": DEFAULTS["tenancy_online_lock_timeout_ms"], "attempts": DEFAULTS["tenancy_online_attempts"],
    "patience": DEFAULTS["tenancy_online_patience_seconds"],
    "long_transaction": DEFAULTS["tenancy_online_transaction_seconds"],
    "max_waiting": DEFAULTS["tenancy_online_max_waiting"], "max_lag": DEFAULTS["tenancy_online_max_lag_bytes"],
}  # fmt: skip


@contextlib.contextmanager
def planner(cluster: Cluster, database: str) -> Iterator[Database]:
    """Yield the production planner on a database."""
    with contextlib.closing(cluster.connect(database, options="-c jit=off")) as connection:
        connection.autocommit = False
        yield Database(connection, database)


def guide(cluster: Cluster, database: str) -> None:
    """Run the guide's SQL."""
    cluster.script(database, "postgres", HERE / "guide.sql")


def transact(cluster: Cluster, database: str, *, counted: bool = True) -> None:
    """Run what is left of the plan, with the isolation proof, in one transaction; it is planned before."""
    with planner(cluster, database) as planned:
        document = planned.transaction(planned.plan(), counted=counted)
        planned.commit()
        planned.execute(document)
        planned.commit()


def cut_over(cluster: Cluster, database: str) -> None:
    """Run what is left after the steps."""
    transact(cluster, database, counted=False)


def widen(cluster: Cluster, database: str) -> None:
    """Carry out what can be carried out while the service works."""
    with planner(cluster, database) as planned:
        planned.carry_out(planned.steps(), WAITS)


def nothing(cluster: Cluster, database: str) -> None:
    """Change nothing: what the load feels by itself."""
    time.sleep(3)


ONLINE = "online, while the service works"
CUTOVER = "online, cutover"
Change = Callable[[Cluster, str], None]
# The service is stopped for the second part of the last; that its callers would wait is shown for what it is worth.
CHANGES: dict[str, dict[str, Change]] = {
    "nothing": {"nothing, for 3 s": nothing},
    "guide": {"guide's SQL": guide},
    "atomic": {"atomic": transact},
    "online": {ONLINE: widen, CUTOVER: cut_over},
}
