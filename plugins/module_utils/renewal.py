"""Renew the sessions of a running service: replace each process of its unit that may have a session.

The renewal runs in its own transient systemd unit. If this process is lost, the renewal continues. If the renewal is
killed, systemd restarts it. A later call waits for an unfinished renewal before it starts another one.
"""

from __future__ import annotations

import inspect as sources
import sys
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from . import (
    cgroups,
    forwarding,
    gunicorn,
    handover,
    messages,
    processes,
    renewability,
    renewer,
    retirement,
    sockets,
    systemctl,
    trial,
    units,
)
from .errors import TenancyError

# The program of the transient unit, and the modules that it imports.
PROGRAM: tuple[ModuleType, ...] = (
    renewer, retirement, handover, forwarding, trial, gunicorn, processes, messages, sockets, cgroups,
)  # fmt: skip
PACKAGE = "renewing"
DIRECTORY = Path("/run")
RUNNING = ("active", "activating", "deactivating", "reloading")
PAUSE = 0.1
# The seconds within which gunicorn notices that a worker has ended.
REPLACED = 1.5
# A renewal takes at most STEPS steps for each worker, and MORE steps to start and to end.
STEPS, MORE = 3, 4


class RenewalError(TenancyError):
    """The sessions of a service were not renewed; the message is a sentence with the remedy."""


class Renewal:
    """The renewal of one unit."""

    def __init__(self, run_command: Any, unit: str, way: str, command: Sequence[str] = (), seconds: float = 60) -> None:
        """Initialize with a module's ``run_command``; ``seconds`` is the time limit of each step."""
        self.unit = f"{unit.removesuffix('.service')}.service"
        self.way, self.command, self.seconds = way, list(command), seconds
        self.name = units.renewal(self.unit)
        self.directory = DIRECTORY / self.name
        self._run_command, self.systemd = run_command, systemctl.Systemctl(run_command)
        self.files = renewer.Files(self.directory)

    def run(self) -> dict[str, Any]:
        """Renew the sessions, and return way, workers (the number of serving workers), renewed and seconds.

        The call returns when every old process has ended and as many workers serve as before. The old processes are
        gunicorn's workers, or otherwise all processes except the unit's main process. ``renewed`` is their number.
        Raises RenewalError.
        """
        try:
            self._wait_for_an_earlier_one()
            order = self._order()
            self._start(order)
            result = self._result(order)
        except (OSError, systemctl.SystemctlError) as error:
            raise RenewalError(
                f"The sessions of {self.unit} cannot be renewed ({error}): see systemctl status {self.name}."
            ) from error
        if result["problem"]:
            raise RenewalError(result["problem"])
        return {name: result[name] for name in ("way", "workers", "renewed", "seconds")}

    def _is_running(self) -> bool:
        return self.systemd.property("ActiveState", f"{self.name}.service") in RUNNING

    def _wait_for_an_earlier_one(self) -> None:
        """Wait until the renewal of an earlier call ends; stop it if it failed, or if it takes too long."""
        limit = time.monotonic() + self._limit(self.files.read("state").get("want", 1))
        while self._is_running():
            result = self.files.read("result")
            # A failed renewal only waits for a late worker.
            failed = result.get("problem") and result.get("id") == self.files.read("order").get("id")
            if failed or time.monotonic() > limit:
                self.systemd.order("stop", [f"{self.name}.service"])
                return
            time.sleep(PAUSE)

    def _limit(self, workers: int) -> float:
        return float(self.seconds * (STEPS * max(workers, 1) + MORE))

    def _order(self) -> dict[str, Any]:
        """Return the order for the transient unit. Raises RenewalError if the unit cannot be renewed in this way."""
        seen = renewability.observe(self._run_command, self.unit)
        found = renewability.judge(seen, self.way, self.command)
        if found["obstacle"]:
            raise RenewalError(f"{found['obstacle']} The sessions of {self.unit} cannot be renewed without a stop.")
        order: dict[str, Any] = {
            "id": uuid.uuid4().hex, "unit": self.unit, "name": self.name, "way": found["way"], "command": self.command,
            "seconds": self.seconds, "master": None, "want": 0,
        }  # fmt: skip
        if found["way"] == "gunicorn":
            process = seen.masters[0].process
            order["master"] = [process.pid, process.started]
            order["want"] = self._unfinished(order["master"]) or self._most_workers(found["workers"])
        return order

    def _most_workers(self, number: int) -> int:
        """Return the largest number of workers seen in REPLACED seconds, because gunicorn may be replacing a worker."""
        deadline = time.monotonic() + REPLACED
        while time.monotonic() < deadline:
            time.sleep(PAUSE)
            seen = renewability.observe(self._run_command, self.unit)
            number = max([number, *(len(master.workers) for master in seen.masters)])
        return number

    def _unfinished(self, master: list[int]) -> int:
        """Return the number of workers that an unfinished renewal of the same gunicorn should have restored, or 0."""
        order, state, result = (self.files.read(name) for name in ("order", "state", "result"))
        succeeded = result.get("id") == state.get("id") and not result.get("problem")
        if order.get("master") != master:
            return 0
        if order["id"] != state.get("id"):
            # The call was lost before the transient unit started.
            return int(order["want"])
        if succeeded or state.get("restored"):
            return 0
        return int(state.get("want", 0))

    def _start(self, order: Mapping[str, Any]) -> None:
        # The trial runs as the service's user, which needs access to this directory.
        self.directory.mkdir(exist_ok=True)
        self.directory.chmod(0o711)
        install(self.directory)
        self.files.write("order", order)
        self.systemd.run(
            "systemd-run", "--quiet", f"--unit={self.name}", "--collect", "--property=Restart=on-failure",
            "--property=RestartSec=100ms", "--property=StartLimitIntervalSec=0",
            f"--setenv=PYTHONPATH={self.directory}", sys.executable, "-B", "-m", f"{PACKAGE}.{_name(renewer)}",
            str(self.directory),
        )  # fmt: skip

    def _result(self, order: Mapping[str, Any]) -> dict[str, Any]:
        limit = time.monotonic() + self._limit(order["want"])
        while True:
            running, result = self._is_running(), self.files.read("result")
            if result.get("id") == order["id"]:
                return result
            if not running or time.monotonic() > limit:
                why = "takes too long" if running else "ended without a result"
                raise RenewalError(
                    f"The renewal of {self.unit} {why}: see journalctl -u {self.name}, and run again to continue it."
                )
            time.sleep(PAUSE)


def install(directory: Path) -> None:
    """Write the program to a directory, because the files of an Ansible module disappear when the module ends."""
    package = directory / PACKAGE
    package.mkdir(exist_ok=True)
    (package / "__init__.py").write_text("")
    for module in PROGRAM:
        (package / f"{_name(module)}.py").write_text(sources.getsource(module))


def _name(module: ModuleType) -> str:
    return module.__name__.rpartition(".")[2]
