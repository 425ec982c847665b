"""Read the environment and the connections of another user's process.

Root without CAP_SYS_PTRACE, as in a container, can read neither, but the process's own user can. A child process
therefore reads them with that user's privileges. The child has changed its user since its start, so other processes of
that user cannot read the child.
"""

from __future__ import annotations

import ctypes
import json
import os
import platform
import pwd
import select
import signal
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from . import messages, sockets

# The time limit for a child process, in seconds. A child needs one, because its user's other processes can suspend it.
PATIENCE = 30
# The pause between two readings of a watch, in seconds. It leaves processor time for the service.
LOOK_INTERVAL = 0.0003
# The numbers of the system calls that wait for events, by the machine: epoll_wait, epoll_pwait and epoll_pwait2.
EPOLL = {"x86_64": ("232", "281", "441"), "aarch64": ("22", "441")}

Process = dict[str, Any]


def read(pids: Iterable[int], proc: Path = Path("/proc")) -> list[Process]:
    """Return the processes with their environments and connections; processes that have ended are omitted.

    Each is ``{pid, name, arguments, user, group, readable, environment, sockets, connections}``. ``user`` and ``group``
    are numbers, and ``environment`` is the environment at the process's start. ``sockets`` lists the inodes of all its
    sockets, and ``connections`` the connected sockets, as module_utils/sockets.py returns them. If neither root nor the
    process's own user can read the process, ``environment``, ``sockets`` and ``connections`` are empty, and
    ``readable`` is false.
    """
    found = []
    for (uid, gid, groups, space), members in _owners(pids, proc).items():
        enter = _other_namespace(proc / str(members[0]), space, proc)
        seen = as_user(uid, gid, groups, partial(_look, members, proc), enter=enter)
        # The process's user cannot read a process that has changed its user since its start, and cannot see it if /proc
        # is mounted with hidepid. Root may be allowed to read it.
        by_pid = {item["pid"]: item for item in seen}
        closed = [pid for pid in members if not by_pid.get(pid, {"readable": False})["readable"]]
        by_pid |= {item["pid"]: item for item in (_look(closed, proc) if closed else [])}
        found += [by_pid[pid] for pid in members if pid in by_pid]
    return found


def _owners(pids: Iterable[int], proc: Path) -> dict[tuple[int, int, tuple[int, ...], str], list[int]]:
    """Return the processes grouped by owner (user, group and supplementary groups) and by network namespace."""
    found: dict[tuple[int, int, tuple[int, ...], str], list[int]] = {}
    for pid in pids:
        try:
            owner = credentials(pid, proc)
        except OSError:
            continue
        found.setdefault((*owner, _namespace(proc / str(pid))), []).append(pid)
    return found


def _other_namespace(place: Path, space: str, proc: Path) -> Path | None:
    """Return the network namespace to enter for the process at ``place`` below /proc, or None for our own."""
    return place / "ns" / "net" if space not in ("", _namespace(proc / "self")) else None


def as_user(
    uid: int,
    gid: int,
    groups: Iterable[int],
    work: Callable[[], Any],
    *,
    enter: Path | None = None,
    patience: float = PATIENCE,
) -> Any:
    """Run ``work`` in a child process that permanently becomes another user, and return the result.

    The result must be serializable as JSON. ``enter`` is the network namespace that the child enters if root is
    permitted to, or None. Raises OSError if the child has not finished after ``patience`` seconds, or if ``work``
    fails. An OSError of ``work`` keeps its subclass. For any other error, the message names the type.
    """
    return start(uid, gid, groups, work, enter).result(patience)


@dataclass(frozen=True)
class Child:
    """A child process with a user's privileges, and the pipe from which the child's result is read."""

    pid: int
    reading: int
    user: int

    def has_answered(self) -> bool:
        """Return whether the child has begun to send its result, or has ended."""
        return bool(select.select([self.reading], [], [], 0)[0])

    def result(self, patience: float) -> Any:
        """Return the child's result, and end the child. Raises OSError, as ``as_user`` does."""
        try:
            answer = _received(self.reading, patience)
        finally:
            self.end()
        if answer is None:
            raise OSError(f"the child process of user {self.user} did not end within {patience:.0f} s")
        if not answer:
            raise OSError(f"the child process of user {self.user} ended without a result")
        outcome = json.loads(answer.decode("utf-8", "surrogatepass"))
        if "error" in outcome:
            raise OSError(*outcome["error"])
        return outcome["result"]

    def end(self) -> None:
        """Kill the child, which has ended or has exceeded its time limit."""
        os.close(self.reading)
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


def start(uid: int, gid: int, groups: Iterable[int], work: Callable[[], Any], enter: Path | None = None) -> Child:
    """Start a child process that permanently becomes another user and runs ``work``, as in ``as_user``."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(reading)
            with os.fdopen(writing, "w", encoding="utf-8", errors="surrogatepass") as pipe:
                pipe.write(_outcome(partial(_work_as, uid, gid, groups, work, enter)))
        finally:
            # The child must not run the parent's exit handlers or write its buffered output.
            os._exit(0)
    os.close(writing)
    return Child(pid, reading, uid)


def _work_as(uid: int, gid: int, groups: Iterable[int], work: Callable[[], Any], enter: Path | None) -> Any:
    os.setsid()
    os.chdir("/")
    if enter is not None:
        enter_namespace(enter)
    os.setgroups(list(groups))
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    return work()


def _outcome(work: Callable[[], Any]) -> str:
    """Return the result of ``work`` as JSON, or the arguments of an OSError that describes its error."""
    try:
        return json.dumps({"result": work()})
    except OSError as error:
        if error.errno is not None:
            named = [str(error.filename)] if error.filename is not None else []
            return json.dumps({"error": [error.errno, error.strerror, *named]})
        return json.dumps({"error": [_described(error)]})
    except Exception as error:
        return json.dumps({"error": [_described(error)]})


def _described(error: Exception) -> str:
    # The text of a database error may quote values, or a URL with its password.
    return f"{type(error).__name__}: {messages.of_database(error)}"


def own() -> tuple[int, int, tuple[int, ...]]:
    """Return the effective user, group and supplementary groups of this process, as numbers."""
    return os.geteuid(), os.getegid(), tuple(os.getgroups())


class Watch:
    """A continuous watch on processes, which also sees connections that exist for only a few milliseconds."""

    def __init__(self, pids: Callable[[], list[int]], proc: Path = Path("/proc")) -> None:
        """Start a child as this user, and as each user whose processes it cannot read, in each network namespace."""
        places: dict[tuple[int, int, tuple[int, ...], str], Path] = {}
        for (uid, gid, groups, space), members in _owners(pids(), proc).items():
            for pid in members:
                looks = own() if _is_open(proc / str(pid)) else (uid, gid, groups)
                places.setdefault((*looks, space), proc / str(pid))
        self._reading, self._writing = os.pipe()
        ready, looked = os.pipe()
        work = partial(_look_until, self._reading, looked, pids, proc)
        self._children = [
            start(uid, gid, groups, work, _other_namespace(place, space, proc))
            for (uid, gid, groups, space), place in places.items()
        ]
        os.close(looked)
        # Wait for the first reading, because the caller then sends its request to the service.
        _received(ready, PATIENCE)
        os.close(ready)

    def end(self) -> list[Process]:
        """End the watch; return the readable processes with all connections that were seen. Raises OSError."""
        os.write(self._writing, b".")
        found: dict[int, Process] = {}
        try:
            while self._children:
                child = self._children.pop()
                for process in child.result(PATIENCE):
                    known = found.setdefault(process["pid"], process)
                    known["connections"] = _merge_connections(known["connections"], process["connections"])
        finally:
            for child in self._children:
                child.end()
            os.close(self._reading)
            os.close(self._writing)
        return list(found.values())


def _is_open(place: Path) -> bool:
    """Return whether the sockets of a process, whose directory below /proc is ``place``, can be read."""
    try:
        sockets.inodes(place)
    except OSError:
        return False
    return True


def _look_until(over: int, looked: int, pids: Callable[[], list[int]], proc: Path) -> list[Process]:
    """Read the processes repeatedly until the pipe ``over`` contains data, and return the readable processes.

    The pipe ``looked`` is closed after the first reading.
    """
    found: dict[int, Process] = {}
    seen = sockets.Seen(proc)
    first = True
    while True:
        last = select.select([over], [], [], 0)[0]
        members = pids()
        found |= {process["pid"]: process for process in _basics([pid for pid in members if pid not in found], proc)}
        seen.look(pid for pid in members if found.get(pid, {"readable": False})["readable"])
        if first:
            os.close(looked)
            first = False
        if last:
            return [{**process, "connections": seen.of(pid)} for pid, process in found.items() if process["readable"]]
        time.sleep(LOOK_INTERVAL)


def _merge_connections(some: list[sockets.Connection], others: list[sockets.Connection]) -> list[sockets.Connection]:
    """Merge the connections of two readings. If both contain a connection, keep the entry that names the other end."""
    found = {item["inode"]: item for item in some}
    for item in others:
        if item["inode"] not in found or item["kind"] == "tcp" or item["peer"]:
            found[item["inode"]] = item
    return list(found.values())


def _namespace(place: Path) -> str:
    """Return the name of a process's network namespace, or "" if root cannot see it."""
    try:
        return os.readlink(place / "ns" / "net")
    except OSError:
        return ""


def enter_namespace(namespace: Path) -> None:
    """Enter the namespace at this path below /proc. The calling process must have only one thread."""
    with namespace.open("rb") as file:
        # os.setns needs Python 3.12. If the kernel refuses, the later reading finds no connections.
        ctypes.CDLL(None, use_errno=True).setns(file.fileno(), 0)


def _received(reading: int, patience: float) -> bytes | None:
    """Return all data from the pipe, or None if no data arrives for ``patience`` seconds."""
    received = b""
    while True:
        ready, _, _ = select.select([reading], [], [], patience)
        if not ready:
            return None
        part = os.read(reading, 1 << 16)
        if not part:
            return received
        received += part


def credentials(pid: int, proc: Path = Path("/proc")) -> tuple[int, int, tuple[int, ...]]:
    """Return the effective user, group and supplementary groups of a process, as numbers. Raises OSError."""
    status = (proc / str(pid) / "status").read_text(errors="replace")
    lines = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    return int(lines["Uid"].split()[1]), int(lines["Gid"].split()[1]), tuple(map(int, lines["Groups"].split()))


def user(name: str) -> tuple[int, int, list[int]]:
    """Return the user, group and supplementary groups of a system user, by its name or number. Raises KeyError."""
    entry = pwd.getpwuid(int(name)) if name.isdigit() else pwd.getpwnam(name)
    return entry.pw_uid, entry.pw_gid, os.getgrouplist(entry.pw_name, entry.pw_gid)


def _look(pids: Iterable[int], proc: Path) -> list[Process]:
    """Return the processes with the connections that this process can read."""
    table = sockets.Table(proc)
    found = []
    for process in _basics(pids, proc):
        try:
            process["connections"] = table.of(process["pid"], process["sockets"])
        except PermissionError:
            process["readable"] = False
        except OSError:
            # The process has ended.
            continue
        found.append(process)
    return found


def _basics(pids: Iterable[int], proc: Path) -> list[Process]:
    """Return the processes without their connections."""
    found = []
    for pid in pids:
        place = proc / str(pid)
        try:
            name = (place / "comm").read_text(errors="replace").strip()
            arguments = os.fsdecode((place / "cmdline").read_bytes()).split("\0")
            user, group, _ = credentials(pid, proc)
        except OSError:
            continue
        process: Process = {
            "pid": pid, "name": name, "arguments": arguments, "user": user, "group": group, "readable": True,
            "environment": {}, "sockets": [], "connections": [],
        }  # fmt: skip
        try:
            process["environment"] = environment((place / "environ").read_bytes())
            process["sockets"] = sockets.inodes(place)
        except PermissionError:
            process["readable"] = False
        except OSError:
            # The process has ended.
            continue
        found.append(process)
    return found


def environment(block: bytes) -> dict[str, str]:
    """Parse an environment in the kernel's format, in which a null byte follows each NAME=value."""
    pairs = (entry.partition(b"=") for entry in block.split(b"\0") if b"=" in entry)
    return {os.fsdecode(name): os.fsdecode(value) for name, _, value in pairs}


def waits_for_events(pid: int, proc: Path = Path("/proc")) -> bool:
    """Return whether the main thread of a process waits in epoll, as an event loop does. Raises OSError.

    The result is always True if Linux, or this program, does not know the system call.
    """
    calls = EPOLL.get(platform.machine(), ())
    try:
        call = (proc / str(pid) / "syscall").read_text().partition(" ")[0]
    except FileNotFoundError:
        return (proc / str(pid)).exists()
    return not calls or call in calls
