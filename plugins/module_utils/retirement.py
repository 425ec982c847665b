"""End a worker so that no caller's request fails.

When a uvicorn worker exits, it closes each connection whose request it has not read yet, and the caller's request
fails. Therefore, the worker is paused first. During the pause, the other workers accept all new connections. The worker
is told to exit at a moment when it has read every request that it received. Connections from which it has read nothing
are handed over to the other workers (see handover.py).
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

# uvicorn checks every 0.1 s whether it must exit. After a longer pause, it checks before it accepts a connection.
# Versions before 0.29 make this check before they notice the signal, so they work until the next check.
PAUSED = 0.12
# The maximum number of pauses, and the seconds between them. During a pause, requests arrive on connections that were
# accepted earlier. After the pause, the worker reads these requests, and is paused again before it accepts many more.
ATTEMPTS = 8
READING = 0.01
# A worker that is paused while it waits for events notices first that it must exit. A worker that is paused while it
# handles an event may accept connections first, and then closes them unread. A worker that does not wait is therefore
# resumed for MOMENT seconds and paused again, at most MOMENTS times. A busy worker waits between two requests.
MOMENT, MOMENTS = 0.002, 100
# The seconds that a worker has to close its listening sockets. Until then, it may accept connections, and close them
# within a millisecond.
CLOSING = 0.5
HIGHEST = -20
# The seconds that a worker has for its last responses, the same as gunicorn's default. Afterwards, the connections that
# the worker handed over have the same time.
LAST = 30.0
# The seconds after which the child process that ends a worker counts as lost.
LOST = 2 * LAST + ATTEMPTS * (PAUSED + READING + MOMENT * MOMENTS) + CLOSING + 5


def end(pid: int, reduce: Callable[[], None], proc: Path = Path("/proc")) -> None:
    """End gunicorn's oldest worker when it has read everything that it received, and wait until it has ended.

    ``reduce`` tells gunicorn to run one worker fewer. gunicorn then ends its oldest worker itself, unless that worker
    has ended. If requests arrive in every pause, only ``reduce`` is called, because the end of a paused worker would
    lose all these requests. The same applies if the worker has already ended, because gunicorn would replace it.
    Returns after LAST seconds if the worker has not ended by then. Raises OSError, for example if gunicorn has ended.
    """
    try:
        priorities = {process: os.getpriority(os.PRIO_PROCESS, process) for process in (0, pid)}
    except ProcessLookupError:
        reduce()
        return
    work = partial(_end, pid, reduce, priorities[0], proc)
    try:
        # A request that arrives on a used connection after the last check is lost. High priority makes this unlikely.
        for process in priorities:
            _prefer(process, HIGHEST)
        # Root may lack access that the worker's own user has (see processes.py).
        is_done = work() or processes.as_user(*processes.credentials(pid, proc), work, patience=LOST)
    except (FileNotFoundError, ProcessLookupError):
        is_done = False
    finally:
        for process, priority in priorities.items():
            _prefer(process, priority)
        # The child may have been lost while the worker was paused.
        resume(pid)
    if not is_done:
        reduce()


def resume(pid: int) -> None:
    """Resume a paused process; this has no effect on a running process."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGCONT)


def _prefer(pid: int, priority: int) -> None:
    """Set the priority of a process, or of this one (0), if it runs and the privileges suffice."""
    with contextlib.suppress(PermissionError, ProcessLookupError):
        os.setpriority(os.PRIO_PROCESS, pid, priority)


def _end(pid: int, reduce: Callable[[], None], priority: int, proc: Path) -> bool:
    """End the worker. Return False if no signal was sent, because the worker has ended or a privilege is missing.

    After the signals, this process continues with ``priority``. Raises OSError.
    """
    try:
        with Handover(pid, proc) as handover:
            # The worker is not paused again: a worker that must exit does not read the requests that arrive in a pause.
            if not _tell_when_idle(pid, reduce, handover, proc):
                reduce()
            handover.hold_until_closed(CLOSING)
            # The last responses may take long. Meanwhile, this process reads many connections and must not delay the
            # service.
            _prefer(0, priority)
            handover.finish(LAST)
    except (ProcessLookupError, PermissionError, UnheldError):
        return False
    return True


def _tell_when_idle(pid: int, reduce: Callable[[], None], handover: Handover, proc: Path) -> bool:
    """Pause the worker; once it has no unread request, signal gunicorn and the worker. Return whether it was signaled.

    If requests arrive in every pause, no signal is sent after ATTEMPTS pauses. Raises OSError.
    """
    for _ in range(ATTEMPTS):
        try:
            _pause_between_events(pid, proc)
            time.sleep(PAUSED)
            if handover.is_idle():
                # This process may lack the privilege to signal gunicorn, so it signals gunicorn first.
                reduce()
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGTERM)
                return True
        finally:
            resume(pid)
        time.sleep(READING)
    return False


def _pause_between_events(pid: int, proc: Path) -> None:
    """Pause the worker while its event loop waits for events, or at any moment if it does not wait in time.

    Raises OSError.
    """
    for _ in range(MOMENTS):
        os.kill(pid, signal.SIGSTOP)
        if processes.waits_for_events(pid, proc):
            return
        resume(pid)
        time.sleep(MOMENT)
    os.kill(pid, signal.SIGSTOP)
