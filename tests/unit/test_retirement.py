"""Before a worker ends, it reads every request that it has received. No worker is left paused."""

from __future__ import annotations

import errno
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from accepting import Successor, Worker, wait_until, worker
from ansible_collections.aimemory.tenancy.plugins.module_utils import handover, processes, retirement
from ansible_collections.aimemory.tenancy.plugins.module_utils.handover import Handover, UnheldError


@pytest.fixture
def process() -> Iterator[Worker]:
    """Yield a running worker."""
    with worker() as found:
        yield found


@pytest.fixture
def caller(process: Worker) -> Iterator[socket.socket]:
    """Yield a connection on which the worker has read a request."""
    with process.caller() as found:
        found.sendall(b"first")
        process.obey("read 5")
        yield found


def test_gunicorn_is_told_while_the_worker_is_paused(process: Worker) -> None:
    seen: list[bool] = []
    retirement.end(process.pid, lambda: seen.append(process.is_paused()))
    # gunicorn is told exactly once, while the worker is paused.
    assert seen == [True]
    assert process.process.wait(10) == 7


@pytest.mark.parametrize("waits", [True, False])
def test_a_worker_is_told_between_two_events(process: Worker, monkeypatch: pytest.MonkeyPatch, *, waits: bool) -> None:
    monkeypatch.setattr(retirement, "MOMENTS", 10**6 if waits else 3)
    resumed, told = threading.Event(), threading.Event()
    original = retirement.resume

    def resume(pid: int) -> None:
        original(pid)
        resumed.set()

    monkeypatch.setattr(retirement, "resume", resume)
    with process.caller() as caller:
        # The worker handles an event: it does not wait for others, but for this request.
        process.tell("read 7")
        ending = threading.Thread(target=retirement.end, args=(process.pid, told.set))
        ending.start()
        assert resumed.wait(30)
        if waits:
            assert not told.is_set()
            caller.sendall(b"request")
        assert told.wait(30)
        ending.join()
    assert process.process.wait(10) == 7


@pytest.mark.parametrize("is_permitted", [True, False])
def test_no_other_process_delays_the_end(
    process: Worker, monkeypatch: pytest.MonkeyPatch, *, is_permitted: bool
) -> None:
    given: list[tuple[int, int]] = []

    def setpriority(_kind: int, pid: int, priority: int) -> None:
        given.append((pid, priority))
        if not is_permitted:
            raise PermissionError

    monkeypatch.setattr(os, "setpriority", setpriority)
    own = os.getpriority(os.PRIO_PROCESS, 0)
    seen: list[list[tuple[int, int]]] = []
    hold, finish = Handover.hold_until_closed, Handover.finish

    def held(self: Handover, seconds: float) -> None:
        hold(self, seconds)
        seen.append([*given])

    def finished(self: Handover, seconds: float) -> None:
        seen.append([*given])
        finish(self, seconds)

    monkeypatch.setattr(Handover, "hold_until_closed", held)
    monkeypatch.setattr(Handover, "finish", finished)
    retirement.end(process.pid, lambda: seen.append([*given]))
    highest = [(0, retirement.HIGHEST), (process.pid, retirement.HIGHEST)]
    # This process has its original priority again while it waits for the worker's last responses.
    assert seen == [highest, highest, [*highest, (0, own)]]
    assert given[3:] == [(0, own), (process.pid, own)]
    assert process.process.wait(10) == 7


def test_a_worker_with_an_unread_request_reads_it_first(
    process: Worker, caller: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[bool] = []

    def is_idle(self: Handover) -> bool:
        found.append(original(self))
        if found == [False]:
            # The worker reads the request as soon as it is resumed.
            process.tell("read 6")
        return found[-1]

    original = Handover.is_idle
    monkeypatch.setattr(Handover, "is_idle", is_idle)
    caller.sendall(b"second")
    retirement.end(process.pid, lambda: None)
    assert (found[0], found[-1]) == (False, True)
    process.wait()
    assert process.process.wait(10) == 7


def test_a_request_that_the_worker_did_not_read_is_served_after_its_end(process: Worker) -> None:
    with process.caller() as caller:
        caller.sendall(b"request")
        # The successor accepts while the worker is paused.
        told: list[Successor] = []
        ending = threading.Thread(
            target=retirement.end, args=(process.pid, lambda: told.append(Successor(process.listener)))
        )
        ending.start()
        assert caller.recv(100) == b"served request"
        caller.close()
        ending.join()
    assert process.process.wait(10) == 7


def test_gunicorn_ends_a_worker_that_never_has_read_everything(
    process: Worker, caller: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retirement, "ATTEMPTS", 2)
    monkeypatch.setattr(retirement, "LAST", 0.1)
    caller.sendall(b"second")
    seen: list[bool] = []
    retirement.end(process.pid, lambda: seen.append(process.is_paused()))
    assert seen == [False]
    assert process.process.poll() is None


def test_a_worker_that_must_end_is_never_paused_again(process: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    # In another pause, requests could arrive that the worker then closes unread.
    monkeypatch.setattr(retirement, "LAST", 0.3)
    process.obey("linger")
    paused: list[bool] = []

    def finish(self: Handover, seconds: float) -> None:
        wait_until(lambda: not process.is_paused())
        original(self, seconds)
        paused.append(process.is_paused())

    original = Handover.finish
    monkeypatch.setattr(Handover, "finish", finish)
    pauses: list[float] = []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        resting(seconds)

    resting = time.sleep
    monkeypatch.setattr(time, "sleep", sleep)
    retirement.end(process.pid, lambda: None)
    assert ([pause for pause in pauses if pause not in (handover.SOON, retirement.MOMENT)], paused) == (
        [retirement.PAUSED],
        [False],
    )


def test_gunicorn_is_told_once_if_the_worker_has_ended(process: Worker) -> None:
    process.process.kill()
    process.process.wait()
    told: list[bool] = []
    retirement.end(process.pid, lambda: told.append(True))
    assert told == [True]


def test_gunicorn_is_told_once_if_the_connections_cannot_be_held(
    process: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retirement, "Handover", refuse)
    monkeypatch.setattr(processes, "as_user", lambda *_, **__: False)
    told: list[bool] = []
    retirement.end(process.pid, lambda: told.append(process.is_paused()))
    assert told == [False]
    assert process.process.poll() is None


def refuse(_pid: int, _proc: Path) -> Handover:
    """Act like a system on which connections cannot be held."""
    raise UnheldError


def test_the_workers_user_holds_the_connections_if_root_cannot(
    process: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    users: list[tuple[int, int]] = []

    def as_user(uid: int, gid: int, _groups: object, work: Callable[[], bool], *, patience: float) -> bool:
        assert patience > retirement.LAST
        users.append((uid, gid))
        monkeypatch.setattr(retirement, "Handover", Handover)
        return work()

    monkeypatch.setattr(retirement, "Handover", refuse)
    monkeypatch.setattr(processes, "as_user", as_user)
    told: list[bool] = []
    retirement.end(process.pid, lambda: told.append(process.is_paused()))
    assert (told, users) == ([True], [(os.geteuid(), os.getegid())])
    assert process.process.wait(10) == 7


@pytest.mark.parametrize("fails", [OSError, KeyboardInterrupt])
def test_a_worker_continues_after_an_error(process: Worker, fails: type[BaseException]) -> None:
    def raises() -> None:
        raise fails

    with pytest.raises(fails):
        retirement.end(process.pid, raises)
    wait_until(lambda: not process.is_paused())
    assert process.process.poll() is None


def test_root_tells_gunicorn_if_the_workers_user_cannot(process: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[bool] = []

    def as_user(_uid: int, _gid: int, _groups: object, work: Callable[[], bool], *, patience: float) -> bool:
        monkeypatch.setattr(retirement, "Handover", Handover)
        is_done = work()
        assert (is_done, patience > retirement.LAST) == (False, True)
        return is_done

    def tell() -> None:
        told.append(process.is_paused())
        if len(told) == 1:
            raise PermissionError

    monkeypatch.setattr(retirement, "Handover", refuse)
    monkeypatch.setattr(processes, "as_user", as_user)
    retirement.end(process.pid, tell)
    assert told == [True, False]
    assert process.process.poll() is None


@pytest.mark.skipif(os.geteuid() != 0, reason="Only root can become another user.")
def test_gunicorn_is_told_if_the_worker_ends_before_its_users_child_reads_it(
    process: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = os.getpid()

    def ended(pid: int, proc: Path) -> Handover:
        if os.getpid() == own:
            return refuse(pid, proc)
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), f"/proc/{pid}/fd")

    monkeypatch.setattr(retirement, "Handover", ended)
    told: list[bool] = []
    retirement.end(process.pid, lambda: told.append(True))
    assert told == [True]


def test_a_worker_that_a_lost_child_paused_continues(process: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    def lose(*_: object, **__: object) -> bool:
        os.kill(process.pid, signal.SIGSTOP)
        raise ChildProcessError

    monkeypatch.setattr(retirement, "Handover", refuse)
    monkeypatch.setattr(processes, "as_user", lose)
    told: list[bool] = []
    with pytest.raises(ChildProcessError):
        retirement.end(process.pid, lambda: told.append(True))
    wait_until(lambda: not process.is_paused())
    assert told == []


def test_a_paused_worker_continues(process: Worker) -> None:
    os.kill(process.pid, signal.SIGSTOP)
    wait_until(process.is_paused)
    retirement.resume(process.pid)
    wait_until(lambda: not process.is_paused())
