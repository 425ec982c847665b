"""A worker that ends has read everything that it received, and is never left paused."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ansible_collections.aimemory.tenancy.plugins.module_utils import retirement

# A worker that accepts one connection at once, and reads its request if it gets SIGUSR1.
WORKER = """
import signal, socket, sys
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
connection, _ = listener.accept()
signal.signal(signal.SIGUSR1, lambda *_: print(connection.recv(100).decode(), flush=True))
signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
print("accepted", flush=True)
while True:
    signal.pause()
"""


class Worker:
    """A worker with one connection."""

    def __init__(self) -> None:
        """Start it and connect."""
        self.process = subprocess.Popen([sys.executable, "-c", WORKER], stdout=subprocess.PIPE, text=True)
        self.pid = self.process.pid
        self.caller = socket.create_connection(("127.0.0.1", int(self.line())))
        assert self.line() == "accepted"

    def line(self) -> str:
        """Return the next line of its output."""
        assert self.process.stdout
        return self.process.stdout.readline().strip()

    def is_paused(self) -> bool:
        """Return whether the kernel says that it is stopped."""
        return "\nState:\tT" in Path(f"/proc/{self.pid}/status").read_text()


def wait_until(reached: Callable[[], bool]) -> None:
    """Wait until something is true."""
    while not reached():
        os.sched_yield()


@pytest.fixture
def worker() -> Iterator[Worker]:
    """Yield a worker, and kill it at the end."""
    started = Worker()
    yield started
    started.process.kill()
    started.process.wait()
    started.caller.close()


def test_data_that_a_process_has_not_read_is_seen(worker: Worker) -> None:
    assert not retirement.has_unread(worker.pid)
    worker.caller.send(b"request")
    assert retirement.has_unread(worker.pid)
    os.kill(worker.pid, signal.SIGUSR1)
    assert worker.line() == "request"
    assert not retirement.has_unread(worker.pid)


def test_a_process_that_has_ended_has_nothing_unread(worker: Worker) -> None:
    worker.process.kill()
    worker.process.wait()
    assert not retirement.has_unread(worker.pid)


def test_gunicorn_is_told_while_the_worker_is_paused(worker: Worker) -> None:
    seen: list[bool] = []
    retirement.end(worker.pid, lambda: seen.append(worker.is_paused()))
    # It is told once.
    assert seen == [True]
    assert worker.process.wait(10) == 7


def test_a_worker_with_an_unread_request_reads_it_first(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    worker.caller.send(b"request")
    read: list[bool] = []

    def has_unread(pid: int, proc: Path) -> bool:
        found = original(pid, proc)
        if found:
            # It reads when it continues.
            os.kill(pid, signal.SIGUSR1)
        read.append(not found)
        return found

    original = retirement.has_unread
    monkeypatch.setattr(retirement, "has_unread", has_unread)
    retirement.end(worker.pid, lambda: None)
    assert read == [False, True]
    assert worker.line() == "request"
    assert worker.process.wait(10) == 7


def test_gunicorn_ends_a_worker_that_never_has_read_everything(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retirement, "ATTEMPTS", 2)
    worker.caller.send(b"request")
    seen: list[bool] = []
    retirement.end(worker.pid, lambda: seen.append(worker.is_paused()))
    assert seen == [False]
    assert worker.process.poll() is None


def test_gunicorn_is_told_once_if_the_worker_has_ended(worker: Worker) -> None:
    worker.process.kill()
    worker.process.wait()
    told: list[bool] = []
    retirement.end(worker.pid, lambda: told.append(True))
    assert told == [True]


@pytest.mark.parametrize("fails", [OSError, KeyboardInterrupt])
def test_a_worker_continues_after_an_error(worker: Worker, fails: type[BaseException]) -> None:
    def raises() -> None:
        raise fails

    with pytest.raises(fails):
        retirement.end(worker.pid, raises)
    assert worker.process.wait(10) == 7


def test_a_paused_worker_continues(worker: Worker) -> None:
    os.kill(worker.pid, signal.SIGSTOP)
    wait_until(worker.is_paused)
    retirement.resume(worker.pid)
    wait_until(lambda: not worker.is_paused())
