"""A worker that exits has read everything that it received, and is never left paused."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ansible_collections.aimemory.tenancy.plugins.module_utils import retirement, sockets

# A worker that accepts one connection immediately, and reads its request if it gets SIGUSR1.
WORKER = """
import signal, socket, sys
stays = len(sys.argv) > 1
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
connection, _ = listener.accept()
signal.signal(signal.SIGUSR1, lambda *_: print(connection.recv(100).decode(), flush=True))
signal.signal(signal.SIGTERM, lambda *_: stays or sys.exit(7))
print("accepted", flush=True)
while True:
    signal.pause()
"""


class Worker:
    """A worker with one connection."""

    def __init__(self, *arguments: str) -> None:
        """Start it and connect. With an argument, it notices SIGTERM and goes on."""
        command = [sys.executable, "-c", WORKER, *arguments]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
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
    yield from started()


@pytest.fixture
def listening_worker() -> Iterator[Worker]:
    """Yield a worker that does not end at once, like that of uvicorn before 0.29."""
    yield from started("stays")


def started(*arguments: str) -> Iterator[Worker]:
    made = Worker(*arguments)
    yield made
    made.process.kill()
    made.process.wait()
    made.caller.close()


def test_data_that_a_process_has_not_read_is_seen(worker: Worker) -> None:
    assert not retirement.has_to_read(worker.pid, slow=False)
    worker.caller.send(b"request")
    assert retirement.has_to_read(worker.pid, slow=False)
    os.kill(worker.pid, signal.SIGUSR1)
    assert worker.line() == "request"
    assert not retirement.has_to_read(worker.pid)


def test_a_new_connection_without_a_request_is_seen(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retirement, "SLOWEST", 3600)
    assert retirement.has_to_read(worker.pid)
    # A connection that never gets a request prevents nothing.
    monkeypatch.setattr(retirement, "SLOWEST", -1)
    assert not retirement.has_to_read(worker.pid)


def test_a_process_that_has_ended_has_nothing_unread(worker: Worker) -> None:
    worker.process.kill()
    worker.process.wait()
    assert not retirement.has_to_read(worker.pid)


def test_gunicorn_is_told_while_the_worker_is_paused(worker: Worker) -> None:
    seen: list[bool] = []
    retirement.end(worker.pid, lambda: seen.append(worker.is_paused()))
    # It is told once.
    assert seen == [True]
    assert worker.process.wait(10) == 7


def test_a_worker_with_an_unread_request_reads_it_first(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    worker.caller.send(b"request")
    read: list[bool] = []

    def has_to_read(pid: int, proc: Path, *, slow: bool) -> bool:
        found = original(pid, proc, slow=slow)
        if found:
            # It reads when it continues.
            os.kill(pid, signal.SIGUSR1)
        read.append(not found)
        return found

    original = retirement.has_to_read
    monkeypatch.setattr(retirement, "has_to_read", has_to_read)
    retirement.end(worker.pid, lambda: None)
    # It is paused only after it has read the request.
    assert read == [False, True, True]
    assert worker.line() == "request"
    assert worker.process.wait(10) == 7


def test_gunicorn_ends_a_worker_that_never_has_read_everything(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retirement, "INSTANTS", 3)
    worker.caller.send(b"request")
    seen: list[bool] = []
    retirement.end(worker.pid, lambda: seen.append(worker.is_paused()))
    assert seen == [False]
    assert worker.process.poll() is None


def test_other_workers_accept_the_connections_that_wait(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    held = sockets.inodes(Path(f"/proc/{worker.pid}"))
    seen: list[bool] = []

    def backlog() -> dict[str, int]:
        seen.append(worker.is_paused())
        return dict.fromkeys(held, 1) if len(seen) < 3 else {}

    monkeypatch.setattr(retirement, "ACCEPTING", 3600)
    monkeypatch.setattr(sockets, "backlog", backlog)
    worker.caller.send(b"request")
    os.kill(worker.pid, signal.SIGUSR1)
    assert worker.line() == "request"
    retirement.end(worker.pid, lambda: None)
    assert seen[:3] == [True, True, True]
    assert worker.process.wait(10) == 7


def paused_at(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Return whether the worker is paused, for each time at which the others accept connections."""
    seen: list[bool] = []
    monkeypatch.setattr(retirement, "_let_others_accept", lambda *_: seen.append(worker.is_paused()))
    return seen


def test_a_worker_that_still_listens_is_paused_again(listening_worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = paused_at(listening_worker, monkeypatch)
    retirement.end(listening_worker.pid, lambda: None)
    assert seen == [True, True]
    assert not listening_worker.is_paused()


def test_a_worker_that_listens_no_more_is_paused_once(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = paused_at(worker, monkeypatch)
    # As if it had closed its socket.
    monkeypatch.setattr(sockets, "backlog", dict)
    retirement.end(worker.pid, lambda: None)
    assert seen == [True]
    assert worker.process.wait(10) == 7


def test_a_caller_that_never_sends_prevents_no_end(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retirement, "SLOWEST", 3600)
    monkeypatch.setattr(retirement, "INSTANTS", 3)
    seen: list[bool] = []
    retirement.end(worker.pid, lambda: seen.append(worker.is_paused()))
    assert seen == [True]
    assert worker.process.wait(10) == 7


def test_gunicorn_ends_a_worker_that_gets_a_request_in_every_pause(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[None] = []

    def has_to_read(pid: int, proc: Path, *, slow: bool) -> bool:
        looks.append(None)
        return len(looks) % 2 == 0

    monkeypatch.setattr(retirement, "has_to_read", has_to_read)
    seen: list[bool] = []
    retirement.end(worker.pid, lambda: seen.append(worker.is_paused()))
    assert seen == [False]
    assert len(looks) == 2 * retirement.PAUSES
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
