"""Run load.py on a lab host in a transient unit, so that the load survives the loss of every SSH connection."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ansible_collections.aimemory.tenancy.plugins.module_utils import tokens
from lab import TOKEN_SECRET, Host
from load import DEPLOYED

HERE = Path(__file__).resolve().parent
# The nice value 19 is a process's lowest priority.
LOWEST = 19
_numbers, _prefixes = itertools.count(1), itertools.count(1)


class Load:
    """A load on a host. ``summary`` and ``requests`` are empty until ``stop`` fetches them."""

    def __init__(self, machine: Host, prefix: str) -> None:
        """Name the load's unit and directory; the names of its callers start with ``prefix``."""
        self._machine, self.prefix = machine, prefix
        number = next(_numbers)
        self.unit, self.directory = f"load-{number}", f"/var/tmp/load-{number}"
        self.summary: dict[str, Any] = {}
        self.requests: list[dict[str, Any]] = []

    def serve(self, *, tenant_aware: bool) -> None:
        """Tell the load which release is deployed. Call this before deploying the tenant-aware
        release, and after deploying the legacy release."""
        command = "touch" if tenant_aware else "rm --force"
        self._machine.run(f"{command} {self.directory}/{DEPLOYED}")
        # After this pause, all requests that were chosen earlier have ended.
        time.sleep(1)

    def start(self, settings: dict[str, Any], *, tenant_aware: bool) -> None:
        """Copy the load to the host and start it."""
        run, directory = self._machine.run, self.directory
        # An interrupted test may have left its load.
        run(f"sudo systemctl stop {self.unit} 2> /dev/null; rm -rf {directory} && mkdir {directory}")
        for name in ("load.py", "judge.py"):
            run(f"cat > {directory}/{name}", given=(HERE / name).read_text())
        run(f"umask 077; cat > {directory}/settings.json", given=json.dumps(settings))
        if tenant_aware:
            run(f"touch {directory}/{DEPLOYED}")
        run(
            f"sudo systemd-run --quiet --collect --unit={self.unit} --uid=operator --property=KillMode=mixed"
            f" --property=TimeoutStopSec=120 python3 -B {directory}/load.py {directory}"
        )

    def so_far(self) -> list[dict[str, Any]]:
        """Return the requests that have been answered or have failed so far."""
        text = self._machine.run(f"cat {self.directory}/requests.jsonl")
        # The last line may be incomplete.
        lines = text[: text.rfind("\n") + 1].splitlines()
        return sorted(map(json.loads, lines), key=lambda request: int(request["number"]))

    def stop(self) -> None:
        """End the load, and fetch its summary and its requests."""
        if not self.summary:
            # If the unit has already ended, systemd no longer knows it, and this command fails.
            self._machine.run(f"sudo systemctl stop {self.unit}", check=False)
            self.summary = json.loads(self._machine.run(f"cat {self.directory}/summary.json"))
            self.requests = self.so_far()

    def assert_faultless(self, least: int = 1) -> None:
        """Assert that every request was answered correctly, and that there were at least ``least`` of them."""
        assert (self.summary["failed"], self.summary["wrong"]) == (0, 0), self.summary
        assert self.summary["sent"] >= least, self.summary


@contextlib.contextmanager
def load(
    machine: Host,
    rate: float = 20,
    *,
    keep_alive: bool = False,
    tenant_aware: bool = False,
    tenant: int = 1,
    prefix: str | None = None,
) -> Iterator[Load]:
    """Send requests to the service during the block.

    Each load has its own callers, except that loads of different tenants may have the same ``prefix``. From the
    first load on, this process and the runs that it starts have the lowest priority. They must not slow the host,
    because in production they run on another machine.
    """
    os.setpriority(os.PRIO_PROCESS, 0, LOWEST)
    claims = {"sub": "load", "customer_id": tenant, "exp": int(time.time()) + 86400}
    found = Load(machine, prefix or f"+1777{next(_prefixes):03d}")
    settings = {
        "rate": rate, "tenant": tenant, "prefix": found.prefix, "token": tokens.signed(claims, TOKEN_SECRET),
        "keep_alive": keep_alive,
    }  # fmt: skip
    found.start(settings, tenant_aware=tenant_aware)
    try:
        yield found
    finally:
        found.stop()
