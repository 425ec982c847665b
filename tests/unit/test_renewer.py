"""The renewal of simulated workers always finishes, wherever it is killed and whatever new workers do."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ansible_collections.aimemory.tenancy.plugins.module_utils import renewer
from ansible_collections.aimemory.tenancy.plugins.module_utils.gunicorn import Process

TICK = 0.05


class KilledError(BaseException):
    """Simulates the death of the renewal's process."""


class Gunicorn:
    """A master like gunicorn's arbiter: signals change the wanted number of workers, and the oldest extra worker exits.

    ``boots`` takes a worker's number and returns the ticks until the worker serves. A negative result counts the ticks
    until the worker exits instead.
    """

    def __init__(self, count: int, boots: Callable[[int], int] = lambda number: 3) -> None:
        """Start with ``count`` workers that serve."""
        self.boots, self.wanted, self.started, self.now = boots, count, count, 0.0
        self.workers = {Process(number, number): 0 for number in range(1, count + 1)}
        self.ending: dict[Process, int] = {}
        self.fewest = count

    def tick(self) -> None:
        """Advance the simulation by one tick."""
        self.now += TICK
        for worker, left in list(self.workers.items()):
            if left < 0 and left == -1:
                del self.workers[worker]
            elif left:
                self.workers[worker] = left - 1 if left > 0 else left + 1
        for worker in list(self.ending):
            self.ending[worker] -= 1
            if not self.ending[worker]:
                del self.ending[worker]
                del self.workers[worker]
        self.fewest = min(self.fewest, len([item for item, left in self.workers.items() if not left]))
        if len(self.workers) < self.wanted and round(self.now / TICK) % 2:
            self.started += 1
            self.workers[Process(self.started, self.started)] = self.boots(self.started)

    def hear(self, number: signal.Signals) -> None:
        """Handle SIGTTIN or SIGTTOU."""
        self.wanted = max(self.wanted + (1 if number == signal.SIGTTIN else -1), 1)
        remaining = sorted(self.workers.keys() - self.ending.keys(), key=lambda worker: worker.started)
        if len(self.workers) > self.wanted and number == signal.SIGTTOU:
            self.ending[remaining[0]] = 4


class Simulated(renewer.Renewer):
    """A renewal of simulated workers. After ``killed`` events, the renewal is killed."""

    def __init__(self, files: renewer.Files, gunicorn: Gunicorn, killed: int = -1) -> None:
        """Initialize with the state in the files."""
        super().__init__(files)
        self.gunicorn, self.left = gunicorn, killed

    def happen(self) -> None:
        """Count an event. Raises KilledError when no event is left."""
        if self.left == 0:
            raise KilledError
        self.left -= 1

    def _try(self, worker: Process) -> None:
        self.happen()
        self.keep(tried=True)

    def _look(self) -> dict[Process, bool]:
        self.happen()
        self.gunicorn.tick()
        found = {worker: left == 0 for worker, left in self.gunicorn.workers.items()}
        now = self.gunicorn.now
        self._serving = {worker: self._serving.get(worker, now) for worker, serves in found.items() if serves}
        return found

    def _resume(self) -> None:
        self.happen()

    def _end(self, worker: Process) -> None:
        self._signal("removing", signal.SIGTTOU)

    def _signal(self, phase: str, number: signal.Signals) -> None:
        self.keep(phase=phase)
        self.happen()
        self.gunicorn.hear(number)
        self.happen()


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Simulated]:
    """Return the function that starts a renewal of a simulated gunicorn."""

    def started(gunicorn: Gunicorn, killed: int = -1) -> Simulated:
        clock = SimpleNamespace(monotonic=lambda: gunicorn.now, sleep=lambda seconds: None)
        monkeypatch.setattr(renewer, "time", clock)
        files = renewer.Files(tmp_path)
        files.write("order", {"id": str(id(gunicorn)), "unit": "x.service", "name": "x-renewal", "way": "gunicorn",
                              "seconds": 20, "master": [1, 1], "want": 0, "command": []})  # fmt: skip
        return Simulated(files, gunicorn, killed)

    return started


def outcome(started: Simulated) -> dict[str, Any]:
    return started.files.read("result")


@pytest.mark.parametrize("count", [1, 2, 3])
def test_all_workers_are_replaced_and_none_is_missing(start: Callable[..., Simulated], count: int) -> None:
    gunicorn = Gunicorn(count)
    renewal = start(gunicorn)
    renewal.run()
    assert (outcome(renewal)["problem"], outcome(renewal)["renewed"]) == ("", count)
    assert (gunicorn.wanted, len(gunicorn.workers), gunicorn.fewest) == (count, count, count)
    assert min(worker.pid for worker in gunicorn.workers) > count


@pytest.mark.parametrize("count", [1, 2])
def test_it_converges_from_every_kill(start: Callable[..., Simulated], count: int) -> None:
    for killed in range(10_000):
        gunicorn = Gunicorn(count)
        renewal = start(gunicorn, killed)
        try:
            renewal.run()
        except KilledError:
            for _ in range(2):
                gunicorn.tick()
        else:
            assert killed > 30 * count
            return
        again = start(gunicorn)
        again.run()
        assert (outcome(again)["problem"], outcome(again)["renewed"]) == ("", count), killed
        assert (gunicorn.wanted, len(gunicorn.workers)) == (count, count), killed
        assert min(worker.pid for worker in gunicorn.workers) > count, killed
        assert gunicorn.fewest >= max(count - 1, 1), killed


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("lives", [1, 2, 15])
def test_a_worker_that_ends_again_and_again_costs_no_old_worker(
    start: Callable[..., Simulated], count: int, lives: int
) -> None:
    # Later workers boot, so the original number of workers is restored.
    gunicorn = Gunicorn(count, lambda number: -lives if number < count + 9 else 3)
    renewal = start(gunicorn)
    renewal.run()
    assert outcome(renewal)["problem"] != ""
    assert (gunicorn.wanted, len(gunicorn.workers), gunicorn.fewest) == (count, count, count)
    assert renewal.state["restored"] is True


def test_a_worker_that_never_boots_leaves_the_old_ones(start: Callable[..., Simulated]) -> None:
    gunicorn = Gunicorn(2, lambda number: 10**9)
    renewal = start(gunicorn)
    renewal.run()
    assert "does not serve after 20 s. The old workers still serve." in outcome(renewal)["problem"]
    assert (gunicorn.fewest, "restored" in renewal.state) == (2, False)


def test_a_worker_that_boots_late_restores_the_number(start: Callable[..., Simulated]) -> None:
    gunicorn = Gunicorn(2, lambda number: 2000)
    renewal = start(gunicorn)
    renewal.run()
    assert "does not serve after 20 s" in outcome(renewal)["problem"]
    assert (gunicorn.wanted, len(gunicorn.workers), gunicorn.fewest) == (2, 2, 2)


# This program waits for a signal in a ``try`` block, as ``retirement.end`` does while a worker is paused.
STOPPED = """
import resource, signal, sys, {module} as renewer
resource.setrlimit(resource.RLIMIT_NOFILE, (64, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
renewer.prepare()
try:
    print(*resource.getrlimit(resource.RLIMIT_NOFILE), flush=True)
    signal.pause()
finally:
    print("resumed", flush=True)
"""


def test_a_stopped_renewal_leaves_no_worker_paused_and_can_hold_many_connections() -> None:
    program = STOPPED.format(module=renewer.__name__)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, env=environment)
    assert process.stdout
    soft, hard = process.stdout.readline().split()
    assert soft == hard != "64"
    process.terminate()
    output, _ = process.communicate(timeout=60)
    # The exit status indicates an error, so systemd restarts the renewal unless the unit was stopped on request.
    assert (output, process.returncode) == ("resumed\n", 1)
