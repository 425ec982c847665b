"""The end of a worker that lets no caller's request fail.

A uvicorn worker that exits closes each connection whose request it has not read yet, and the caller's request fails. So
the worker is paused first, in which time the other workers accept all new connections. It is told to exit at a moment
when it has read every request that it received. Connections from which it has read nothing are handed over to the other
workers (see handover.py).
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from . import processes
from .handover import Handover, UnheldError

# uvicorn looks every 0.1 s whether it must end. After a longer pause it looks before it accepts anything. A version
# before 0.29 looks before it notices the signal, and works until it looks again.
PAUSED = 0.12
# Requests arrive during a pause, on connections that were accepted before. The worker reads them, and is paused again
# before it has accepted many new connections.
ATTEMPTS = 8
READING = 0.01
HIGHEST = -20
# The seconds that a worker gets for its last responses, and then its successors for theirs. This is also gunicorn's
# default.
LAST = 30.0
# The seconds after which a child process that does all this is lost.
LOST = 2 * LAST + ATTEMPTS * (PAUSED + READING) + 5


def end(pid: int, reduce: Callable[[], None], proc: Path = Path("/proc")) -> None:
    """End gunicorn's oldest worker when it has read everything that it received, and wait until it has ended.

    ``reduce`` tells gunicorn that it needs one worker less. gunicorn then ends its oldest worker itself, if that has
    not ended. This is the only signal if requests arrive in every pause: a pause would collect them, and lose them all.
    It is also the only one if the worker has ended by itself, because gunicorn would start another one. Returns after
    LAST seconds if the worker has not ended then. Raises OSError, for example if gunicorn has ended.
    """
    work = partial(_end, pid, reduce, proc)
    try:
        priorities = {process: os.getpriority(os.PRIO_PROCESS, process) for process in (0, pid)}
    except ProcessLookupError:
        reduce()
        return
    try:
        # A request that arrives on a used connection after the last look is lost, so a busy host must delay neither.
        for process in priorities:
            _prefer(process, HIGHEST)
        # Root may be denied what the worker's user is allowed (see processes.py).
        is_done = work() or processes.as_user(*processes.credentials(pid, proc), work, patience=LOST)
    except (FileNotFoundError, ProcessLookupError):
        is_done = False
    finally:
        for process, priority in priorities.items():
            _prefer(process, priority)
        # The child may be lost.
        resume(pid)
    if not is_done:
        reduce()


def resume(pid: int) -> None:
    """Let a process continue that is paused; a running process does not notice it."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGCONT)


def _prefer(pid: int, priority: int) -> None:
    """Set the priority of a process, or of this one (0), if it runs and the privileges suffice."""
    with contextlib.suppress(PermissionError, ProcessLookupError):
        os.setpriority(os.PRIO_PROCESS, pid, priority)


def _end(pid: int, reduce: Callable[[], None], proc: Path) -> bool:
    """End the worker. Return False if nobody was told, because it has ended or a privilege is missing.

    Raises OSError.
    """
    try:
        with Handover(pid, proc) as handover:
            # There is no second pause: what arrives in the pause of a worker that must end is closed unread.
            if not _tell_when_idle(pid, reduce, handover):
                reduce()
            handover.finish(LAST)
    except (ProcessLookupError, PermissionError, UnheldError):
        return False
    return True


def _tell_when_idle(pid: int, reduce: Callable[[], None], handover: Handover) -> bool:
    """Tell the worker and gunicorn in a pause in which nothing is unread. Returns whether there was one."""
    for _ in range(ATTEMPTS):
        os.kill(pid, signal.SIGSTOP)
        try:
            time.sleep(PAUSED)
            if handover.is_idle():
                # Only this process can be without the privilege to tell gunicorn, so that comes first.
                reduce()
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGTERM)
                return True
        finally:
            resume(pid)
        time.sleep(READING)
    return False
