"""Measure runs on a lab host: downtime, wall time and number of tasks."""

from __future__ import annotations

import datetime
import re
import shlex
import statistics
import time
from pathlib import Path
from typing import Any

from lab import Host, Run

HERE = Path(__file__).resolve().parent
HOST = "lab17"
BY_HAND = "shell script"
CONFIRMED = ("migrate.yml", "-emigrate_confirm=YES")
# Each run starts on a freshly seeded host, except "second run", which follows "atomic" on the same host.
RUNS: dict[str, tuple[str, ...]] = {
    "--check": ("migrate.yml", "--check"),
    "atomic": (*CONFIRMED, "-etenancy_strategy=atomic"),
    "second run": CONFIRMED,
    "online": (*CONFIRMED, "-etenancy_strategy=online"),
}


def _tasks(run: Run) -> int:
    """Return the number of tasks from the host's line in the recap."""
    found = re.search(rf"^{HOST} .*ok=(\d+)", run.output, re.MULTILINE)
    assert found, run.output
    return int(found.group(1))


def _downtime(record: dict[str, Any]) -> float | None:
    stopped, healthy = record["stopped_at"], record["healthy_at"]
    if stopped is None or healthy is None:
        return None
    return (datetime.datetime.fromisoformat(healthy) - datetime.datetime.fromisoformat(stopped)).total_seconds()


def _measure(host: Host, arguments: tuple[str, ...]) -> dict[str, float]:
    """Return the wall time, the number of tasks and, if the service was stopped, the downtime."""
    started = time.perf_counter()
    run = host.playbook(*arguments)
    measured: dict[str, float] = {"seconds": time.perf_counter() - started, "tasks": _tasks(run)}
    downtime = None if "--check" in arguments else _downtime(run.record)
    return measured if downtime is None else measured | {"downtime": downtime}


def _by_hand(host: Host) -> dict[str, float]:
    """Make the guide's change with a shell script on the server, and return its wall time and downtime."""
    host.reset()
    started = time.perf_counter()
    host.run("cat > /tmp/downtime.sh", given=(HERE / "downtime.sh").read_text())
    downtime = float(host.run("sudo sh /tmp/downtime.sh", given=(HERE / "guide.sql").read_text()))
    return {"seconds": time.perf_counter() - started, "tasks": 0, "downtime": downtime}


def runs(rounds: int) -> list[dict[str, Any]]:
    """Return the medians of wall time, number of tasks and downtime for the shell script and each kind of run."""
    host = Host(HOST)
    made: dict[str, list[dict[str, float]]] = {name: [] for name in (BY_HAND, *RUNS)}
    for _ in range(rounds):
        made[BY_HAND].append(_by_hand(host))
        for name, arguments in RUNS.items():
            if name != "second run":
                host.reset()
            made[name].append(_measure(host, arguments))
    host.close()
    return [
        {"run": name} | {key: statistics.median(result[key] for result in results) for key in results[0]}
        for name, results in made.items()
    ]


def backups(rounds: int) -> list[dict[str, Any]]:
    """Return the median seconds of pg_dump piped into psql, and of the runbook's backup with its test restore."""
    host = Host(HOST)
    host.reset()
    piped = (
        "createdb ai_memory_bench && pg_dump ai_memory | psql -q ai_memory_bench > /dev/null && dropdb ai_memory_bench"
    )
    made: dict[str, list[float]] = {"pg_dump | psql": [], "backup, restored and compared": []}
    for _ in range(rounds):
        started = time.perf_counter()
        host.run(f"sudo -u postgres sh -c {shlex.quote(piped)}")
        made["pg_dump | psql"].append(time.perf_counter() - started)
        record = host.playbook("playbooks/backup.yml", "-ebackup_copy_max_bytes=0").record
        began = {phase["name"]: datetime.datetime.fromisoformat(phase["started"]) for phase in record["phases"]}
        ended = datetime.datetime.fromisoformat(record["completed"])
        made["backup, restored and compared"].append((ended - began["backup"]).total_seconds())
    host.close()
    return [{"way": way, "seconds": statistics.median(seconds)} for way, seconds in made.items()]
