"""The program that replaces the processes of a unit, one after the other, while the service runs.

The program runs in a transient systemd unit, which restarts the program if it is killed. Its only argument is a
directory. In it, the program reads ``order.json``, updates ``state.json``, and finally writes ``result.json``. After a
restart, the program continues from its state and the observed workers. In this way, it corrects the effect of a signal
that was sent twice or not at all. It needs no installed code except the standard library.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from . import cgroups, gunicorn, retirement, trial

PAUSE = 0.05
# The seconds to wait, in each phase, for the effect of a signal that an earlier process may have sent. A worker may
# take long to exit.
UNCERTAIN = {"steady": 0.0, "adding": 2.0, "removing": 6.0}
# The seconds for which a new worker must serve before an old worker ends.
PROVEN = 1.0
# The seconds after which gunicorn should have replaced a worker that ended.
LACKING = 3.0
# The seconds for which a failed renewal waits for its additional worker, so that it can restore the number of workers.
LATE = 600.0
# The seconds within which systemd restarts a failed service. Before that, its remaining workers have TimeoutStopSec to
# exit.
RESTARTED = 60.0
TIME_LIMIT = "time limit"


class RenewerError(Exception):
    """The processes cannot be replaced; the message is a sentence with the remedy."""


class Files:
    """The documents in the directory of a renewal; each is replaced atomically."""

    def __init__(self, directory: Path) -> None:
        """Initialize with the directory."""
        self.directory = directory

    def read(self, name: str) -> dict[str, Any]:
        """Return a document, or {} if it does not exist."""
        try:
            document: dict[str, Any] = json.loads((self.directory / f"{name}.json").read_text())
        except FileNotFoundError:
            return {}
        return document

    def write(self, name: str, document: Mapping[str, Any]) -> None:
        """Write a document."""
        place = self.directory / f"{name}.json"
        new = place.with_suffix(".new")
        # The order contains the operator's command, which may contain secrets.
        new.touch(mode=0o600)
        new.write_text(json.dumps(document))
        new.replace(place)


class Renewer:
    """One renewal, which continues from the state that an earlier process of this renewal stored."""

    def __init__(self, files: Files) -> None:
        """Initialize with the files of the renewal."""
        self.files, self.order = files, files.read("order")
        self.unit, self.way, self.seconds = (self.order[name] for name in ("unit", "way", "seconds"))
        self.state = files.read("state")
        if self.state.get("id") != self.order["id"]:
            self.state = {"id": self.order["id"], "began": time.monotonic(), "phase": "steady"}
        # When each worker was first seen to serve.
        self._serving: dict[gunicorn.Process, float] = {}

    def keep(self, **values: Any) -> None:
        """Store values in the state."""
        self.state |= values
        self.files.write("state", self.state)

    def finish(self, problem: str = "") -> None:
        """Write the result, unless it has already been written."""
        if not self._is_told():
            self.files.write("result", {
                "id": self.order["id"], "way": self.way, "workers": self.state.get("want", 0),
                "renewed": len(self.state.get("old", [])), "problem": problem,
                "seconds": round(time.monotonic() - self.state["began"], 1),
            })  # fmt: skip

    def _is_told(self) -> bool:
        return bool(self.files.read("result").get("id") == self.order["id"])

    def run(self) -> None:
        """Renew the processes, and write the result."""
        try:
            if self.way == "gunicorn":
                self._renew_workers()
            else:
                self._renew_by_order()
        except Exception as error:
            # Every exception is handled, because systemd restarts this program after an unhandled one.
            is_told = isinstance(error, (RenewerError, trial.TrialError))
            self.finish(str(error) if is_told else self._untold(error))
            if self.way == "gunicorn" and "want" in self.state:
                # The number of workers is restored as soon as the additional worker serves.
                with contextlib.suppress(Exception):
                    self._settle(LATE)
                    self.keep(restored=True)
        self.finish()

    def _untold(self, error: Exception) -> str:
        return (
            f"The sessions of {self.unit} were not renewed ({type(error).__name__}: {error}): see journalctl -u"
            f" {self.order['name']}."
        )

    # The workers of gunicorn

    def _renew_workers(self) -> None:
        if "old" not in self.state:
            workers = self._look()
            self.keep(want=self.order["want"] or len(workers), old=[[item.pid, item.started] for item in workers])
        old = {gunicorn.Process(*item) for item in self.state["old"]}
        # An earlier process of this renewal may have ended while a worker was paused.
        self._resume()
        if not self.state.get("tried"):
            self._try(min(self._look(), key=lambda item: item.started))
        # A signal from an earlier process may not have taken effect yet.
        phase, want = self.state["phase"], self.state["want"]
        with contextlib.suppress(RenewerError):
            self._wait(lambda found: phase == "steady" or (len(found) > want) == (phase == "adding"), UNCERTAIN[phase])
        self._settle(self.seconds)
        # Each round ends the oldest worker. An old process that remains after all rounds is not a worker.
        for _ in old:
            if not old & self._look().keys():
                break
            self._add()
            self._remove(self.seconds)
        if left := old & self._look().keys():
            pids = ", ".join(map(str, sorted(item.pid for item in left)))
            raise RenewerError(
                f"gunicorn does not replace processes of {self.unit} that look like workers ({pids}): set service_renew"
                " to restart."
            )
        self._settle(self.seconds)

    def _try(self, worker: gunicorn.Process) -> None:
        """Boot a worker outside the service, because a worker that cannot boot makes gunicorn stop the service."""
        tried = trial.Trial(self.unit, self.order["name"], self.seconds)
        trial.boot(tried, self.order["master"][0], worker.pid, self.order["name"], shown("WorkingDirectory", self.unit))
        self.keep(tried=True)

    def _look(self) -> dict[gunicorn.Process, bool]:
        """Return for each worker whether it serves. Raises RenewerError if the master has ended."""
        for master in gunicorn.masters(cgroups.processes(shown("ControlGroup", self.unit))):
            if [master.process.pid, master.process.started] == self.order["master"]:
                now = time.monotonic()
                self._serving = {
                    worker: self._serving.get(worker, now) for worker, serves in master.workers.items() if serves
                }
                return master.workers
        raise RenewerError(self._after_the_end())

    def _wait(
        self, reached: Callable[[dict[gunicorn.Process, bool]], bool], seconds: float
    ) -> dict[gunicorn.Process, bool]:
        """Wait until the workers reach a state, and return them. Raises RenewerError(TIME_LIMIT) after ``seconds``."""
        deadline = time.monotonic() + seconds
        while True:
            found = self._look()
            if reached(found):
                return found
            if time.monotonic() > deadline:
                raise RenewerError(TIME_LIMIT)
            time.sleep(PAUSE)

    def _signal(self, phase: str, number: signal.Signals) -> None:
        self.keep(phase=phase)
        os.kill(self.order["master"][0], number)

    def _end(self, worker: gunicorn.Process) -> None:
        """End the oldest worker at a safe moment, unlike gunicorn itself, which does not wait (see retirement.py)."""
        self.keep(phase="removing")
        # Before the worker ends, gunicorn is told to run one worker fewer. Otherwise, it would replace the worker.
        retirement.end(worker.pid, partial(os.kill, self.order["master"][0], signal.SIGTTOU))

    def _resume(self) -> None:
        for worker in self._look():
            retirement.resume(worker.pid)

    def _is_proven(self, found: dict[gunicorn.Process, bool]) -> bool:
        """Return whether every worker has served for PROVEN seconds."""
        now = time.monotonic()
        return all(worker in self._serving and now - self._serving[worker] >= PROVEN for worker in found)

    def _settle(self, seconds: float) -> None:
        """Wait until exactly the wanted number of workers serves; correct the number if gunicorn does not."""
        want, began = self.state["want"], time.monotonic()
        while time.monotonic() - began <= seconds:
            try:
                found = self._wait(lambda seen: len(seen) != want or all(seen.values()), seconds)
                if len(found) < want:
                    # gunicorn itself replaces a worker that has exited.
                    found = self._wait(lambda seen: len(seen) >= want, LACKING)
                elif len(found) > want:
                    self._wait(lambda seen: len(seen) <= want or self._is_proven(seen), seconds)
                    self._remove(seconds)
                elif self.state["phase"] != "adding" or self._remains(want):
                    self.keep(phase="steady")
                    return
            except RenewerError as error:
                if str(error) != TIME_LIMIT:
                    raise
                if len(self._look()) < want:
                    self._signal("adding", signal.SIGTTIN)
        raise RenewerError(
            f"{len(self._serving)} of {want} workers of {self.unit} serve requests after {seconds:g} s: see journalctl"
            f" -u {self.unit}."
        )

    def _remains(self, count: int) -> bool:
        """Return whether gunicorn keeps the number of workers, and is not about to replace one that ended."""
        try:
            self._wait(lambda found: len(found) != count, LACKING)
        except RenewerError as error:
            if str(error) != TIME_LIMIT:
                raise
            return True
        return False

    def _add(self) -> None:
        """Add a worker, and wait until it has served for PROVEN seconds."""
        want, booting = self.state["want"], set()  # type: int, set[gunicorn.Process]

        def is_reached(found: dict[gunicorn.Process, bool]) -> bool:
            nonlocal booting
            if lost := booting - found.keys():
                raise RenewerError(
                    f"A new worker of {self.unit} (process {min(item.pid for item in lost)}) ended before it served."
                    f" The old workers still serve. gunicorn keeps starting new workers: see journalctl -u"
                    f" {self.unit}, correct the cause, and restart the service."
                )
            booting = {worker for worker, serves in found.items() if not serves}
            return len(found) > want and self._is_proven(found)

        self._signal("adding", signal.SIGTTIN)
        try:
            self._wait(is_reached, self.seconds)
        except RenewerError as error:
            if str(error) != TIME_LIMIT:
                raise
            raise RenewerError(
                f"A new worker of {self.unit} does not serve after {self.seconds:g} s. The old workers still serve."
                f" If the new worker serves within {LATE:g} s, an old one ends. Allow more time with"
                f" service_renew_seconds, or see journalctl -u {self.unit}."
            ) from error

    def _remove(self, seconds: float) -> None:
        """End the oldest surplus worker, and wait until it has ended; do nothing unless every worker is proven."""
        found = self._look()
        count = len(found)
        # A new worker may fail repeatedly, and gunicorn replaces it each time. Without this check, an old worker would
        # end although no new worker serves.
        if count <= self.state["want"] or not self._is_proven(found):
            return
        self._end(min(found, key=lambda worker: (worker.started, worker.pid)))
        try:
            self._wait(lambda found: len(found) < count, seconds)
        except RenewerError as error:
            if str(error) != TIME_LIMIT:
                raise
            raise RenewerError(
                f"An old worker of {self.unit} has not ended after {seconds:g} s, because it still handles requests."
                " All new workers serve. Allow more time with service_renew_seconds, and run again."
            ) from error

    def _after_the_end(self) -> str:
        """Return a sentence about the service after its master ended; start a failed service, as a run would."""
        deadline, state = time.monotonic() + RESTARTED, shown("ActiveState", self.unit)
        while state in ("activating", "deactivating") and time.monotonic() < deadline:
            time.sleep(PAUSE)
            state = shown("ActiveState", self.unit)
        again = {"active": "it runs again", "failed": "it failed"}.get(state, f"it is {state}")
        # Once this program has reported its failure, the run may stop the service, which must then stay stopped.
        if state == "failed" and not self._is_told():
            done = subprocess.run(["systemctl", "start", "--", self.unit], check=False, capture_output=True)
            again = "it was started again" if done.returncode == 0 else "it does not start"
        return (
            f"The main process of {self.unit} ended during the renewal, and {again}: see journalctl -u {self.unit}. A"
            " worker that cannot boot makes gunicorn stop the whole service."
        )

    # The unit's own reload, or the operator's command

    def _renew_by_order(self) -> None:
        if "old" not in self.state:
            found, main = self._processes(), int(shown("MainPID", self.unit))
            old = [item for item in found if item.pid != main]
            self.keep(want=sum(gunicorn.parent(item.pid) == main for item in old),
                      old=[[item.pid, item.started] for item in old])  # fmt: skip
        if not self.state["old"]:
            raise RenewerError(f"{self.unit} has only its main process, which {self._cause()} does not replace.")
        if not self.state.get("tried"):
            # The command's output goes to the journal.
            try:
                status = subprocess.run(self._words(), check=False, timeout=self.seconds).returncode
            except subprocess.TimeoutExpired:
                # The original error contains the command, which may contain secrets.
                raise RenewerError(
                    f"{self._cause()} did not finish within {self.seconds:g} s: allow more time with"
                    " service_renew_seconds."
                ) from None
            if status:
                log = self.unit if self.way == "reload" else self.order["name"]
                raise RenewerError(f"{self._cause()} ended with status {status}: see journalctl -u {log}.")
            self.keep(tried=True)
        self._wait_for_processes()

    def _wait_for_processes(self) -> None:
        """Wait until no old process runs, and as many as before have started."""
        old, deadline = {gunicorn.Process(*item) for item in self.state["old"]}, time.monotonic() + self.seconds
        while True:
            found, main = set(self._processes()), int(shown("MainPID", self.unit))
            count = sum(gunicorn.parent(item.pid) == main for item in found)
            is_active = shown("ActiveState", self.unit) == "active"
            if is_active and found and not old & found and count >= self.state["want"]:
                return
            if time.monotonic() > deadline:
                left = ", ".join(str(pid) for pid in sorted(item.pid for item in old & found))
                what = f"old: {left}" if left else f"{count} of {self.state['want']} run"
                raise RenewerError(
                    f"{self._cause()} did not replace all processes of {self.unit} within {self.seconds:g} s ({what}):"
                    " correct the command, or set service_renew to restart."
                )
            time.sleep(PAUSE)

    def _processes(self) -> list[gunicorn.Process]:
        pids = cgroups.processes(shown("ControlGroup", self.unit))
        return [found for pid in pids for found in [gunicorn.identified(pid)] if found]

    def _words(self) -> list[str]:
        return ["systemctl", "reload", "--", self.unit] if self.way == "reload" else list(self.order["command"])

    def _cause(self) -> str:
        return f"systemctl reload {self.unit}" if self.way == "reload" else "The command in service_renew_command"


def shown(name: str, unit: str) -> str:
    """Return a property of a unit. Raises OSError."""
    done = subprocess.run(
        ["systemctl", "show", f"--property={name}", "--value", "--", unit], check=False, capture_output=True, text=True
    )
    if done.returncode:
        raise OSError(done.stderr.strip())
    return done.stdout.strip()


def prepare() -> None:
    """Make SIGTERM run the cleanup that resumes a paused worker, and allow this process to open many sockets."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


if __name__ == "__main__":
    prepare()
    Renewer(Files(Path(sys.argv[1]))).run()
