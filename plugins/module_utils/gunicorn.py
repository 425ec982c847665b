"""Observe a gunicorn master and its workers from outside.

For each worker, gunicorn creates a file ``wgunicorn-*`` and immediately deletes it. The master and the worker keep the
file open. The worker changes the file for the first time after it has booted (gunicorn/workers/workertmp.py). The
master closes the file after the worker has ended. These files identify masters and workers, regardless of the
program's name and settings.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from . import processes

_FILE = re.compile(r".*/wgunicorn-[^/]* \(deleted\)")
# The mode of a new file. Workers of gunicorn 20 and earlier change the mode, later workers the modification time.
_CREATED = 0o600


class UnreadableError(OSError):
    """Neither root nor the user of a process can read the open files of the process."""


@dataclass(frozen=True)
class Process:
    """A process. Its start, in clock ticks since the boot, distinguishes it from a later process with the same id."""

    pid: int
    started: int


@dataclass
class Master:
    """A gunicorn master; ``workers`` maps each of its workers to whether the worker has booted."""

    process: Process
    workers: dict[Process, bool] = field(default_factory=dict)


def masters(pids: Iterable[int], proc: Path = Path("/proc")) -> list[Master]:
    """Return the gunicorn masters among processes, with their workers. Raises UnreadableError."""
    found: dict[int, Master] = {}
    seen = {pid: fields for pid in pids for fields in [_status(pid, proc)] if fields}
    for pid, fields in seen.items():
        if not _catches(fields, (signal.SIGTTIN, signal.SIGTTOU, signal.SIGHUP, signal.SIGCHLD)):
            continue
        children = [child for child, other in seen.items() if int(other["PPid"]) == pid]
        files = worker_files([pid, *children], proc)
        own = files.get(pid, {})
        workers = {}
        for child in children:
            shared = files.get(child, {}).keys() & own.keys()
            process = identified(child, proc)
            if shared and process:
                # Workers of old gunicorn versions also keep the files of older workers open. All of those older workers
                # have booted.
                workers[process] = all(own[inode] for inode in shared)
        process = identified(pid, proc)
        if own and process:
            found[pid] = Master(process, workers)
    # A new worker inherits its master's signal handlers, and looks like a master until it installs its own handlers.
    return [master for pid, master in found.items() if int(seen[pid]["PPid"]) not in found]


def worker_files(pids: Iterable[int], proc: Path = Path("/proc")) -> dict[int, dict[str, bool]]:
    """Return each process's open worker files, as a mapping from inode to whether the worker has booted.

    Processes that have ended are omitted. Raises UnreadableError.
    """
    found: dict[int, dict[str, bool]] = {}
    for pid in pids:
        place = proc / str(pid)
        try:
            found[pid] = _files(place)
        except PermissionError:
            with contextlib.suppress(FileNotFoundError):
                held = _read_as_owner(pid, proc)
                # An exiting process no longer has memory, and not even its user can read its open files.
                if held is None and "VmSize" in _status(pid, proc):
                    raise UnreadableError(
                        f"Neither root nor the user of process {pid} can read its open files."
                    ) from None
                found[pid] = held or {}
        except OSError:
            # The process has ended.
            continue
    return found


def _read_as_owner(pid: int, proc: Path) -> dict[str, bool] | None:
    uid, gid, groups = processes.credentials(pid, proc)
    answer: dict[str, bool] | None = processes.as_user(uid, gid, groups, partial(_files_or_none, proc / str(pid)))
    return answer


def _files_or_none(place: Path) -> dict[str, bool] | None:
    try:
        return _files(place)
    except PermissionError:
        return None
    except OSError:
        return {}


def _files(place: Path) -> dict[str, bool]:
    found = {}
    for path in (place / "fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            if _FILE.fullmatch(os.readlink(path)):
                state = path.stat()
                # Later versions set the modification time to the number of seconds since the host booted. As a
                # timestamp, this number is a date far in the past.
                booted = state.st_mode & 0o777 != _CREATED or state.st_mtime < state.st_ctime / 2
                found[str(state.st_ino)] = booted
    return found


def identified(pid: int, proc: Path = Path("/proc")) -> Process | None:
    """Return a process with its start, or None if it has ended."""
    try:
        fields = (proc / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    # A zombie has ended. The program's name may contain spaces and parentheses, so only the fields after it are split.
    return None if fields[0] in "ZX" else Process(pid, int(fields[19]))


def parent(pid: int, proc: Path = Path("/proc")) -> int:
    """Return the id of a process's parent, or 0 if the process has ended."""
    return int(_status(pid, proc).get("PPid", 0))


def _status(pid: int, proc: Path) -> dict[str, str]:
    try:
        text = (proc / str(pid) / "status").read_text(errors="replace")
    except OSError:
        return {}
    return {name: value.strip() for name, _, value in (line.partition(":") for line in text.splitlines())}


def _catches(status: dict[str, str], signals: Iterable[signal.Signals]) -> bool:
    """Return whether a process has a handler for each signal."""
    caught = int(status.get("SigCgt", "0"), 16)
    return all(caught >> (number - 1) & 1 for number in signals)
