"""Test whether a new worker of a service boots, in an additional gunicorn with one worker and without callers.

A worker that fails while it boots makes its gunicorn stop all workers (exit statuses 3 and 4 in gunicorn/arbiter.py).
The trial has the arguments, the environment, the directory, the user and the files of the service's own gunicorn. Only
its socket (in a separate directory), its number of workers and its pid file differ.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from . import gunicorn, processes

PAUSE = 0.05
# Even a unit with ProtectSystem=strict can write to this directory.
MEMORY = Path("/dev/shm")
# Numbers from linux/prctl.h.
PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 24, 38
# The seconds for which the worker must serve.
PROVEN = 1.0
# The seconds that the trial has to exit.
ENDS = 15
# Options whose value the trial replaces, and those that it omits.
_WITH_VALUE = re.compile(r"(?:-b|--bind|-w|--workers|-p|--pid)")
_JOINED = re.compile(r"(?:--bind|--workers|--pid)=.*|-[bwp].+")
_OMITTED = re.compile(r"-D|--daemon|--reload")
# Variables with which systemd passes sockets to a process, and receives notifications from the process.
_OF_SYSTEMD = ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC")


class TrialError(Exception):
    """A new worker does not boot, or a trial is not possible; the message is a sentence with the remedy."""


def arguments(given: Iterable[str], directory: str) -> list[str]:
    """Return the arguments of the trial, derived from ``given``, the arguments of the running gunicorn."""
    found: list[str] = []
    skip = False
    for word in given:
        if skip:
            skip = False
        elif _WITH_VALUE.fullmatch(word):
            skip = True
        elif not _JOINED.fullmatch(word) and not _OMITTED.fullmatch(word):
            found.append(word)
    return [*found, "--bind", f"unix:{directory}/socket", "--workers", "1", "--pid", f"{directory}/pid"]


@dataclass(frozen=True)
class Trial:
    """A trial for a unit; ``log`` is the unit whose journal has the output, and ``seconds`` is the time limit."""

    unit: str
    log: str
    seconds: float

    def boot(self, words: list[str], environment: dict[str, str], enter: Callable[[], None]) -> None:
        """Start the trial's gunicorn, wait until its worker has served for PROVEN seconds, and end that gunicorn."""
        # The output goes to the journal. This process has one thread, so preexec_fn is safe.
        with subprocess.Popen(words, env=environment, stdin=subprocess.DEVNULL, preexec_fn=enter) as child:
            try:
                serving, deadline = 0.0, time.monotonic() + self.seconds
                while not serving or time.monotonic() - serving < PROVEN:
                    serving = (serving or time.monotonic()) if _serves(child.pid) else 0.0
                    if child.poll() is not None or time.monotonic() > deadline:
                        raise TrialError(self._why(child.poll()))
                    time.sleep(PAUSE)
                child.terminate()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    child.wait(ENDS)
            finally:
                _end(child)

    def _why(self, status: int | None) -> str:
        how = f"does not serve after {self.seconds:g} s" if status is None else f"ended with status {status}"
        remedy = (
            "Allow more time with service_renew_seconds, or see"
            if status is None
            else "The next start of the service may fail too: see"
        )
        return (
            f"A new worker of {self.unit} does not boot: a trial worker beside the service {how}. No worker of the"
            f" service was replaced. {remedy} journalctl -u {self.log}."
        )


def words(unit: str, found: Sequence[processes.Process]) -> list[str]:
    """Return the arguments of a gunicorn; ``found`` is its main process as processes.read() returns it.

    Raises TrialError if the arguments or the environment cannot be read.
    """
    if not found or not found[0]["readable"]:
        raise TrialError(
            f"The environment of the main process of {unit} cannot be read, so no new worker can be tried."
        )
    given = [word for word in found[0]["arguments"] if word]
    if len(given) < 2 or given[0].startswith("gunicorn: "):
        raise TrialError(
            f"The arguments of the main process of {unit} cannot be read, so no new worker can be tried: remove the"
            " package setproctitle from its environment."
        )
    return given


def boot(trial: Trial, master: int, worker: int, name: str, start: str, proc: Path = Path("/proc")) -> None:
    """Boot a trial worker like ``worker`` of the gunicorn ``master``, and end it. Raises TrialError and OSError.

    ``name`` is the name of a directory that is created for the socket and removed again. ``start`` is the directory in
    which systemd starts the unit.
    """
    directory = MEMORY / f"{name}-trial"
    found = processes.read([master], proc)
    given = words(trial.unit, found)
    uid, gid, groups = processes.credentials(master, proc)
    # A trial that was killed leaves its directory behind.
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(mode=0o700)
    os.chown(directory, *_user_of(worker, uid, gid, proc))
    environment = {name: value for name, value in found[0]["environment"].items() if name not in _OF_SYSTEMD}
    # gunicorn 25 keeps its control socket in XDG_RUNTIME_DIR, so the trial would replace the service's control socket.
    environment["XDG_RUNTIME_DIR"] = str(directory)
    place = proc / str(master)
    # With --chdir, gunicorn has left the directory in which it started, so ``start`` is used. Otherwise, the child
    # reads gunicorn's current directory as the service's user, because root may be denied access.
    moved = any(word.partition("=")[0] == "--chdir" for word in given)
    enter = partial(_become, place, start if moved and start.startswith("/") else "", uid, gid, list(groups))
    try:
        trial.boot(arguments(given, str(directory)), environment, enter)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _user_of(worker: int, uid: int, gid: int, proc: Path) -> tuple[int, int]:
    """Return the user and group of a worker, which may differ from those of its master."""
    with contextlib.suppress(OSError):
        return processes.credentials(worker, proc)[:2]
    return uid, gid


def _serves(pid: int) -> bool:
    """Return whether the trial's only worker serves."""
    found = gunicorn.masters([pid, *_children(pid)])
    return any(all(master.workers.values()) and len(master.workers) == 1 for master in found)


def _children(pid: int, proc: Path = Path("/proc")) -> list[int]:
    try:
        return [int(child) for child in (proc / str(pid) / "task" / str(pid) / "children").read_text().split()]
    except FileNotFoundError:
        return [int(path.name) for path in proc.glob("[0-9]*") if gunicorn.parent(int(path.name), proc) == pid]


def _end(child: subprocess.Popen[bytes]) -> None:
    for pid in [*_children(child.pid), child.pid] if child.poll() is None else []:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _become(place: Path, start: str, uid: int, gid: int, groups: list[int]) -> None:
    """Give this new process another process's files, directory and user, and at most that process's privileges."""
    _limit((place / "status").read_text(errors="replace"))
    own = Path("/proc/self/ns/mnt")
    with contextlib.suppress(PermissionError):
        if (place / "ns" / "mnt").readlink() != own.readlink():
            processes.enter_namespace(place / "ns" / "mnt")
    os.setgroups(groups)
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    os.chdir(start or (place / "cwd").readlink())


def _limit(status: str) -> None:
    """Drop the capabilities that another process can never gain, and set NoNewPrivs if that process has it.

    ``status`` is the contents of that process's file ``/proc/PID/status``.
    """
    found = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    libc, bounding = ctypes.CDLL(None), int(found["CapBnd"], 16)
    for number in range(64):
        if not bounding >> number & 1:
            # The kernel rejects the numbers of capabilities that it does not know.
            libc.prctl(PR_CAPBSET_DROP, number, 0, 0, 0)
    if found["NoNewPrivs"].strip() == "1":
        libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
