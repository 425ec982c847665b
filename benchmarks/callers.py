"""Measure the service's responses to callers just before and during each kind of migration.

The load and the checks of the responses are the same as in the tests.
"""

from __future__ import annotations

import contextlib
import datetime
import itertools
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.aimemory.tenancy.plugins.plugin_utils.report import answers
from databases import SIZES as DIMENSIONS
from lab import ROOT, ROWS, Host
from load import summary
from loaded import load

HERE = Path(__file__).resolve().parent
HOST = "lab17"
CONFIGURATION = "/etc/lab-reset.conf"
# The numbers of rows in memories. The first is the number in the lab's own database.
SIZES = (ROWS["memories"], 100_000, 1_000_000)
RATES, WORKERS = (20, 100), (1, 4)
SHELL, STOP, LIVE = "shell script", "stop", "live"
# The seconds of load before and after a change. The load before the change is the baseline.
BEFORE, AFTER = 20, 5
CONFIRMED = ("migrate.yml", "-emigrate_confirm=YES", "-ebackup_copy_max_bytes=0")
# Matches the message of a run that is refused because the service is unhealthy. Captures the path and the reason.
UNHEALTHY = re.compile(r"https?://[^/\s]+(/.+) before anything was stopped: ")


@dataclass(frozen=True)
class Cell:
    """A measurement: the rows in memories, the gunicorn workers, the requests per second, and the kind of change."""

    rows: int
    workers: int
    rate: int
    way: str

    @property
    def load(self) -> str:
        """Return the load as text: rows, workers and request rate."""
        workers = f"{self.workers} worker{'s' if self.workers > 1 else ''}"
        return f"{self.rows:,} rows, {workers}, {self.rate} requests a second"


@dataclass(frozen=True)
class Felt:
    """The result of a cell: its requests, the summaries before and during the change, and the times of the phases.

    ``began`` and ``ended``, and the times of the phases, are in seconds since the epoch. ``locked`` is the duration of
    the lock in seconds, or None if the run's record does not contain it. ``refused`` is the reason if the run was
    refused, or "".
    """

    cell: Cell
    requests: list[dict[str, Any]]
    began: float
    ended: float
    before: dict[str, Any]
    during: dict[str, Any]
    locked: float | None = None
    phases: list[tuple[str, float]] = field(default_factory=list)
    refused: str = ""


def cells(rows: Sequence[int], workers: Sequence[int], rates: Sequence[int], ways: Sequence[str]) -> list[Cell]:
    """Return the selected cells, in the order in which they are measured."""
    return [Cell(*item) for item in itertools.product(rows, workers, rates, ways)]


def by_hand(host: Host) -> dict[str, Any]:
    """Stop the service, run the guide's SQL, and start the service, with a shell script on the server."""
    host.run("cat > /tmp/downtime.sh", given=(HERE / "downtime.sh").read_text())
    host.run("sudo sh /tmp/downtime.sh", given=(HERE / "guide.sql").read_text())
    return {}


def refusal(record: Mapping[str, Any]) -> str:
    """Return why a run found the service unhealthy and was refused, or "" if the run ended in any other way.

    If the load keeps the service too busy to be healthy, the refusal is a result of the measurement. Any other failure
    is an error. The shell script refuses nothing, and its record is empty.
    """
    failure = record.get("failure")
    if failure is None or not answers.is_untouched(record):
        return ""
    found = UNHEALTHY.match(failure["message"])
    return found[1] if found else ""


def run_with(strategy: str) -> Callable[[Host], dict[str, Any]]:
    """Return a function that runs migrate.yml with ``strategy`` on a host and returns the record of the run.

    The run must succeed or be refused.
    """

    def change(host: Host) -> dict[str, Any]:
        run = host.playbook(*CONFIRMED, f"-etenancy_strategy={strategy}", check=None)
        # A run that fails early has no record.
        if run.returncode != 0 and not ("run.json" in run.files() and refusal(run.record)):
            raise AssertionError(f"migrate.yml ended with {run.returncode}:\n{run.output}")
        return run.record

    return change


WAYS: dict[str, Callable[[Host], dict[str, Any]]] = {
    SHELL: by_hand, STOP: run_with("atomic"), LIVE: run_with("live"),
}  # fmt: skip


# With this number of memories or more, the sample service needs the index. Without it, a query for a caller with few
# memories reads all rows, and the service cannot carry the load.
INDEXED = 1_000_000
INDEX = "CREATE INDEX memories_of_a_caller ON memories (user_id, created_at);\n"


@contextlib.contextmanager
def seeded(host: Host, rows: int) -> Iterator[None]:
    """Make ``lab-reset`` create databases with ``rows`` memories and proportionate numbers of other rows."""
    if rows == SIZES[0]:
        yield
        return
    template = f"rows_{rows}"
    fill = (
        f"sudo -u postgres psql --no-psqlrc --quiet --single-transaction --set=ON_ERROR_STOP=1 --set=rows={rows}"
        f" --set=dimensions={DIMENSIONS[rows]} --dbname={template} --file=- > /dev/null"
    )
    tables = "memories, call_summaries, caller_profiles, personality_metrics, personality_averages"
    host.sql(f"DROP DATABASE IF EXISTS {template}", database="postgres")
    host.sql(f"CREATE DATABASE {template} TEMPLATE ai_memory_template OWNER alice", database="postgres")
    typed = "".join(
        f"ALTER TABLE {table} ALTER embedding TYPE vector({DIMENSIONS[rows]});\n"
        for table in ("memories", "call_summaries")
    )
    index = INDEX if rows >= INDEXED else ""
    host.run(fill, given=f"SET ROLE alice; TRUNCATE {tables};\n{typed}{(HERE / 'seed.sql').read_text()}{index}")
    host.sql("VACUUM (ANALYZE)", database=template)
    host.run(f"sudo sed -i.bench s/^template=.*/template={template}/ {CONFIGURATION}")
    try:
        yield
    finally:
        host.run(f"sudo mv {CONFIGURATION}.bench {CONFIGURATION}")
        host.reset()
        host.sql(f"DROP DATABASE {template}", database="postgres")


@contextlib.contextmanager
def workers(host: Host, cell: Cell) -> Iterator[None]:
    """Run the service with the number of workers and the embedding dimensions of a cell."""
    unit = (ROOT / "lab/service/ai-memory.service").read_text()
    (start,) = (line for line in unit.splitlines() if line.startswith("ExecStart="))
    assert "--workers 1 " in start
    command = start.replace("--workers 1 ", f"--workers {cell.workers} ")
    with host.drop_in(f"Environment=EMBEDDING_DIMENSIONS={DIMENSIONS[cell.rows]}\nExecStart=\n{command}"):
        yield


def measure(host: Host, cell: Cell) -> Felt:
    """Measure one cell on a freshly seeded host."""
    with workers(host, cell):
        host.reset()
        host.sql("CHECKPOINT")
        # Clear the journal: a run counts the errors of the last hour, which would include those of earlier cells.
        host.run("sudo journalctl --quiet --rotate && sudo journalctl --quiet --vacuum-time=1s")
        with load(host, cell.rate) as sent:
            time.sleep(BEFORE)
            began = time.time()
            record = WAYS[cell.way](host)
            ended = time.time()
            time.sleep(AFTER)
    before = [request for request in sent.requests if request["due"] < began]
    during = [request for request in sent.requests if began <= request["due"] < ended]
    phases = [(phase["name"], _seconds(phase["started"])) for phase in record.get("phases", ())]
    return Felt(
        cell, sent.requests, began, ended, summary(before, []), summary(during, sent.summary["row_faults"]),
        record.get("locked_seconds"), phases, refusal(record),
    )  # fmt: skip


def _seconds(time: str) -> float:
    return datetime.datetime.fromisoformat(time).replace(tzinfo=datetime.UTC).timestamp()


def callers(selected: Iterable[Cell]) -> Iterator[Felt]:
    """Yield the result of each cell as soon as it is measured."""
    host = Host(HOST)
    try:
        for rows, group in itertools.groupby(selected, key=lambda cell: cell.rows):
            with seeded(host, rows):
                for cell in group:
                    yield measure(host, cell)
    finally:
        host.reset()
        host.close()
