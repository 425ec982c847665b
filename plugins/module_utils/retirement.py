"""How to end a worker without resetting a caller's connection.

A uvicorn worker that exits closes each connection whose request it has not read yet, and the caller's request fails. So
the worker is paused first, in which time the other workers accept all new connections. It is told to end when it has
read every request that it received, and no caller has just connected. A worker that would accept another connection
before it ends is paused once more.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from . import processes, sockets

# uvicorn checks every 0.1 s whether it must exit. After a longer pause, it checks before it accepts a connection.
PAUSED = 0.12
# Before version 0.29, uvicorn checks before it notices the signal, and would run for another 0.1 s. It notices the
# signal within this number of seconds.
NOTICING = 0.005
# A worker that still has to read is stopped only for an instant, and then continues. If a request arrives on an idle
# connection while the worker is paused, the worker continues too. This is the maximum number of instants and of pauses.
INSTANTS, PAUSES = 100, 8
READING = 0.01
# Seconds that the other workers get to accept the connections that wait.
ACCEPTING = 0.1
# Seconds for which a new connection counts as one whose request is on its way.
SLOWEST = 1.0
# The highest priority of a process.
HIGHEST = -20


def end(pid: int, reduce: Callable[[], None], proc: Path = Path("/proc")) -> None:
    """End gunicorn's oldest worker when it has read everything that it received.

    ``reduce`` tells gunicorn that it needs one worker less. gunicorn then ends its oldest worker itself, if that has
    not ended. This is the only signal if requests arrive in every pause: a pause would collect them, and lose them all.
    It is also the only one if the worker has exited by itself, because gunicorn would start another one.
    """
    pauses = 0
    with contextlib.suppress(ProcessLookupError):
        # Many slow callers may leave no instant at which none of them is about to send its request. The second half of
        # the instants does not wait for them.
        for instant in range(2 * INSTANTS):
            if pauses == PAUSES:
                break
            is_slow = instant < INSTANTS
            os.kill(pid, signal.SIGSTOP)
            try:
                is_idle = not has_to_read(pid, proc, slow=is_slow)
                if is_idle:
                    pauses += 1
                    time.sleep(PAUSED)
                    is_idle = not has_to_read(pid, proc, slow=is_slow)
                if is_idle:
                    os.kill(pid, signal.SIGTERM)
                    reduce()
                    _prefer(pid)
                    _let_others_accept(pid, proc)
            finally:
                resume(pid)
            if is_idle:
                _pause_if_listening(pid, proc)
                return
            time.sleep(READING)
    reduce()


def _prefer(pid: int) -> None:
    """Give a worker the highest priority: it must not accept a connection before it notices that it must end."""
    with contextlib.suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, pid, HIGHEST)


def _pause_if_listening(pid: int, proc: Path) -> None:
    """Pause a worker that has noticed the signal, but would accept connections until it checks again."""
    with contextlib.suppress(OSError):
        time.sleep(NOTICING)
        os.kill(pid, signal.SIGSTOP)
        try:
            if _sockets(pid, proc) & sockets.backlog().keys():
                time.sleep(PAUSED)
                _let_others_accept(pid, proc)
        finally:
            resume(pid)


def _let_others_accept(pid: int, proc: Path) -> None:
    """Wait until no connection waits for a worker: this one would accept it once more, and close it unread."""
    with contextlib.suppress(OSError):
        held, deadline = _sockets(pid, proc), time.monotonic() + ACCEPTING
        while time.monotonic() < deadline:
            waiting = sockets.backlog()
            if not any(waiting.get(inode) for inode in held):
                return
            time.sleep(READING / 10)


def resume(pid: int) -> None:
    """Let a process continue that is paused; a running process does not notice it."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGCONT)


def has_to_read(pid: int, proc: Path = Path("/proc"), *, slow: bool = True) -> bool:
    """Return whether a process has a TCP connection from which it has not read everything that has arrived.

    With ``slow``, a new connection on which nothing has arrived yet counts too, if the process is in the network
    namespace of this one. The result is false if the connections cannot be read.
    """
    try:
        # The process's sockets are read first: that may take long, and the state of the connections must be current.
        held = _sockets(pid, proc)
        if held & sockets.unread(proc / str(pid) / "net"):
            return True
        return slow and bool(held & sockets.silent(SLOWEST))
    except OSError:
        return False


def _sockets(pid: int, proc: Path) -> set[str]:
    place = proc / str(pid)
    try:
        return set(sockets.inodes(place))
    except PermissionError:
        return set(processes.as_user(*processes.credentials(pid, proc), partial(sockets.inodes, place)))
