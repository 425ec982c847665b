"""The end of a worker that resets no connection of a caller.

A worker of uvicorn that ends closes each connection whose request it has not read yet, and the caller's request fails.
So the worker is first paused, and meanwhile the other workers accept all new connections. The worker is then told to
end when it has read every request that it received, and before it can accept another request.
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

# uvicorn looks every 0.1 s whether it must end. After a longer pause it looks before it accepts anything.
PAUSED = 0.12
# Requests arrive during a pause, on connections that were accepted before. The worker reads them, and is paused again
# before it has accepted many new connections.
ATTEMPTS = 8
READING = 0.01


def end(pid: int, reduce: Callable[[], None], proc: Path = Path("/proc")) -> None:
    """End gunicorn's oldest worker when it has read everything that it received.

    ``reduce`` tells gunicorn that it needs one worker fewer. gunicorn then ends its oldest worker itself, if that
    worker has not ended. This is the only signal if requests arrive in every pause: a pause would collect all of them,
    and lose them. It is also the only signal if the worker has ended by itself, because gunicorn would start a new
    worker.
    """
    with contextlib.suppress(ProcessLookupError):
        for _ in range(ATTEMPTS):
            os.kill(pid, signal.SIGSTOP)
            try:
                time.sleep(PAUSED)
                is_idle = not has_unread(pid, proc)
                if is_idle:
                    os.kill(pid, signal.SIGTERM)
                    reduce()
            finally:
                resume(pid)
            if is_idle:
                return
            time.sleep(READING)
    reduce()


def resume(pid: int) -> None:
    """Let a process continue that is paused; a running process does not notice it."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGCONT)


def has_unread(pid: int, proc: Path = Path("/proc")) -> bool:
    """Return whether a process has a TCP connection from which it has not read everything that has arrived.

    False if this cannot be known.
    """
    try:
        # Its sockets are read first: that may take long, and the answer must not be old.
        held = _sockets(pid, proc)
        return bool(held & sockets.unread(proc / str(pid) / "net"))
    except OSError:
        return False


def _sockets(pid: int, proc: Path) -> set[str]:
    place = proc / str(pid)
    try:
        return set(sockets.inodes(place))
    except PermissionError:
        return set(processes.as_user(*processes.credentials(pid, proc), partial(sockets.inodes, place)))
