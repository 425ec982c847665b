"""Hold the connections that a process of a service has accepted, until the process has closed them.

A process that ends closes its connections. The kernel resets a connection whose data has not been read, and the
caller's request fails. To prevent this, a Handover duplicates the descriptor, which requires Linux 5.6 or later.
The connection then stays open when the process closes its own descriptor. If the process has read nothing from the
connection, the data is forwarded to another process of the service. Otherwise, the unread data could be the middle of a
request, so the connection is not held.
"""

from __future__ import annotations

import asyncio
import ctypes
import errno
import fcntl
import functools
import os
import select
import socket
import struct
import termios
import time
from collections.abc import Iterable
from pathlib import Path

from . import forwarding, sockets

# Linux gives new system calls the same number on every architecture.
PIDFD_OPEN, PIDFD_GETFD = 434, 438
# Offsets in the kernel's struct tcp_info: the state, and the number of received bytes.
STATE, RECEIVED = 0, 128
ESTABLISHED = 1
# The seconds between two inspections of the process: SOON during the first IMMEDIATELY seconds, then LATER. A process
# that is told to end closes most connections immediately.
SOON, LATER = 0.0003, 0.1
IMMEDIATELY = 1.0
Address = tuple[str, object]
INTERNET = (socket.AF_INET, socket.AF_INET6)


class UnheldError(OSError):
    """The connections of a process cannot be held, because a privilege is missing or Linux is too old."""


_LIBRARY = ctypes.CDLL(None, use_errno=True)


def _system_call(number: int, *arguments: int) -> int:
    """Return the result of a system call. Raises OSError."""
    result = int(_LIBRARY.syscall(number, *arguments))
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


class Connection:
    """A connection that a process has accepted."""

    def __init__(self, held: socket.socket) -> None:
        """Initialize with a second descriptor of the connection."""
        self.socket = held

    def unread(self) -> int:
        """Return the number of bytes that have arrived but have not been read."""
        return int(struct.unpack("=i", fcntl.ioctl(self.socket, termios.FIONREAD, bytes(4)))[0])

    def is_forwardable(self) -> bool:
        """Return whether another process can respond to everything that the caller sends.

        The result is False for sockets other than TCP, because the kernel counts received bytes only for TCP.
        """
        try:
            return self._can_be_imitated and self._is_untouched()
        except OSError:
            # The caller has closed the connection, or Linux is too old.
            return False

    @functools.cached_property
    def _can_be_imitated(self) -> bool:
        """Return whether this connection is TCP and can be forwarded from its caller's address. Raises OSError."""
        return self.socket.family in INTERNET and forwarding.can_be_imitated(self.socket)

    def _is_untouched(self) -> bool:
        """Return whether the process has read nothing, and neither side has closed the connection. Raises OSError."""
        while True:
            before = self.unread()
            info = self.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, RECEIVED + 8)
            # The numbers are valid only if no data has arrived between the two calls.
            if self.unread() == before:
                return info[STATE] == ESTABLISHED and struct.unpack_from("=Q", info, RECEIVED)[0] == before


class Handover:
    """A context manager that holds the connections that a process has accepted."""

    def __init__(self, pid: int, proc: Path = Path("/proc")) -> None:
        """Hold the connections. Raises ProcessLookupError if the process has ended, and UnheldError."""
        self._place = proc / str(pid)
        self._connections: dict[str, Connection] = {}
        # The addresses of the listening sockets, by their inodes.
        self._listening: dict[str, Address] = {}
        # The inodes of sockets that must not be held, such as those of the service's database sessions.
        self._others: set[str] = set()
        try:
            self._process = _system_call(PIDFD_OPEN, pid, 0)
            try:
                self._look()
            except BaseException:
                self.close()
                raise
        except ProcessLookupError:
            raise
        except OSError as error:
            raise UnheldError(*error.args) from error

    def __enter__(self) -> Handover:
        """Return the object itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the second descriptors."""
        self.close()

    def close(self) -> None:
        """Close the second descriptors; a connection that the process has not closed stays open."""
        for connection in self._connections.values():
            connection.socket.close()
        os.close(self._process)

    def is_idle(self) -> bool:
        """Return whether the process can now close all its connections without making a request fail.

        Connections that cannot be forwarded are no longer held, so the process itself can close them.
        """
        self._others.clear()
        self._hold()
        used = self._used()
        is_idle = not any(self._connections[inode].unread() for inode in used)
        self._release(used)
        return is_idle

    def hold_until_closed(self, seconds: float) -> None:
        """Hold each newly accepted connection, until the process has closed its listening sockets.

        Return after ``seconds`` if the process has not closed them by then.
        """
        deadline = time.monotonic() + seconds
        while self._hold() & self._listening.keys() and time.monotonic() < deadline:
            self._release(self._used())
            time.sleep(SOON)

    def finish(self, seconds: float) -> None:
        """Forward the unread connections that the process closes, until it has ended or ``seconds`` have passed.

        Then wait at most another ``seconds`` for the forwarded connections to end.
        """
        asyncio.run(self._finish(seconds))

    async def _finish(self, seconds: float) -> None:
        began, has_ended, ending = time.monotonic(), False, select.poll()
        ending.register(self._process, select.POLLIN)
        forwarded: list[asyncio.Future[None]] = []
        while not has_ended and time.monotonic() - began < seconds:
            has_ended = bool(ending.poll(0))
            still_open = set() if has_ended else self._hold()
            for inode in self._connections.keys() - still_open:
                connection = self._connections.pop(inode)
                if connection.is_forwardable():
                    forwarded.append(asyncio.ensure_future(forwarding.forward(connection.socket)))
                else:
                    connection.socket.close()
            self._release(self._used())
            await asyncio.sleep(SOON if time.monotonic() - began < IMMEDIATELY else LATER)
        if forwarded:
            await asyncio.wait(forwarded, timeout=seconds)

    def _used(self) -> list[str]:
        """Return the inodes of the connections that cannot be forwarded."""
        return [inode for inode, connection in self._connections.items() if not connection.is_forwardable()]

    def _release(self, inodes: Iterable[str]) -> None:
        """Stop holding the connections with these inodes."""
        for inode in inodes:
            self._connections.pop(inode).socket.close()
            self._others.add(inode)

    def _hold(self) -> set[str]:
        """Hold the connections that the process has newly accepted; return the inodes of its open sockets."""
        try:
            return self._look()
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            # Not even the user of an exiting process can read its descriptors.
            return set(self._connections)

    def _look(self) -> set[str]:
        """Hold the newly accepted connections; return the inodes of the open sockets. Raises OSError."""
        found = sockets.descriptors(self._place)
        new = found.keys() - self._connections.keys() - self._listening.keys() - self._others
        seconds = {inode: second for inode in new if (second := self._second(found[inode], inode))}
        self._listening |= {
            inode: _address(second)
            for inode, second in seconds.items()
            if second.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
        }
        for inode, second in seconds.items():
            is_other = second.type != socket.SOCK_STREAM or _address(second) not in self._listening.values()
            if not is_other and inode not in self._listening:
                self._connections[inode] = Connection(second)
                continue
            second.close()
            if is_other:
                self._others.add(inode)
        return set(found)

    def _second(self, descriptor: int, inode: str) -> socket.socket | None:
        """Return a second descriptor of a socket, or None if the process has closed the first one. Raises OSError.

        The result is also None if too many descriptors are open, or if Python does not support the address family.
        """
        try:
            number = _system_call(PIDFD_GETFD, self._process, descriptor, 0)
        except OSError as error:
            if error.errno in (errno.EBADF, errno.EMFILE, errno.ENFILE):
                return None
            raise
        # The process may have reused the descriptor for another file.
        if str(os.fstat(number).st_ino) != inode:
            os.close(number)
            return None
        try:
            return socket.socket(fileno=number)
        except OSError:
            # Python does not support this socket's address family.
            os.close(number)
            return None


def _address(of: socket.socket) -> Address:
    """Return a key that a listening socket shares with its connections: the TCP port, or the name in other families."""
    name = of.getsockname()
    # A TCP listener's address can be a wildcard.
    return ("tcp", name[1]) if of.family in INTERNET else (str(of.family), name)
