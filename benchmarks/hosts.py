"""Measure the wall time of a run that migrates a canary host first, and then the other hosts in parallel."""

from __future__ import annotations

import subprocess
import time
from typing import Any

from lab import INVENTORIES, ROOT, Run
from runs import CONFIRMED

BENCH = "inventory/bench.yml"
COUNTS = (1, 2, 4, 8)


def _lab(playbook: str) -> None:
    inventories = [f"--inventory={inventory}" for inventory in (*INVENTORIES, BENCH)]
    command = ["ansible-playbook", playbook, *inventories, "--limit=bench*,localhost", "--forks=8"]
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


def hosts() -> list[dict[str, Any]]:
    """Return the seconds that a whole run takes for each number of hosts, with Ansible's default forks."""
    found = []
    _lab("lab/up.yml")
    try:
        for count in COUNTS:
            _lab("lab/reset.yml")
            limit = ",".join(f"bench{number}" for number in range(1, count + 1))
            started = time.perf_counter()
            run = Run(f"{limit},localhost", *CONFIRMED, inventories=(BENCH,))
            run.wait(timeout=1200)
            if run.returncode != 0:
                raise SystemExit(run.output)
            found.append({"hosts": count, "seconds": time.perf_counter() - started})
    finally:
        _lab("lab/down.yml")
    return found
