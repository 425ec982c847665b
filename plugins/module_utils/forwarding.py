"""A caller's connection that is forwarded to the service, because the process that accepted it ends.

The service reads the same bytes from the same address, and the caller gets its response over its own connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from ipaddress import IPv4Address, IPv6Address, ip_address

# The seconds within which a caller that has connected sends the first bytes.
FIRST = 5.0
# The forwarding ends after this many seconds without a byte, unless the response is missing. This is gunicorn's default
# for persistent connections.
QUIET = 2.0
# The seconds after which a busy persistent connection ends at its next pause of SHORT seconds.
BUSY, SHORT = 5.0, 0.02
SIZE = 1 << 16


def is_from_this_host(accepted: socket.socket) -> bool:
    """Return whether the caller of a TCP connection can be imitated: its address is one of this host.

    Otherwise the service would see another address, and it may trust that address more than the caller's.
    """
    own, caller = (_plain(name[0]) for name in (accepted.getsockname(), accepted.getpeername()))
    return own == caller or (own.is_loopback and caller.is_loopback)


def _plain(text: str) -> IPv4Address | IPv6Address:
    found = ip_address(text.partition("%")[0])
    return (found.ipv4_mapped or found) if isinstance(found, IPv6Address) else found


async def forward(accepted: socket.socket) -> None:
    """Forward a connection to the address to which its caller connected, until one side closes it; close it then."""
    accepted.setblocking(False)
    reader, writer = await asyncio.open_connection(sock=accepted)
    with contextlib.suppress(OSError, asyncio.TimeoutError):
        first = await asyncio.wait_for(reader.read(SIZE), FIRST)
        if first:
            source = (accepted.getpeername()[0], 0)
            service = await asyncio.open_connection(*accepted.getsockname()[:2], local_addr=source)
            service[1].write(first)
            await _Exchange((reader, writer), service).run()
    await _close(writer)


class _Exchange:
    """The bytes between a caller and the service, in both directions."""

    def __init__(self, *sides: tuple[asyncio.StreamReader, asyncio.StreamWriter]) -> None:
        self._caller, self._service = sides
        self._began = self._last = time.monotonic()
        self._is_answered = False

    async def run(self) -> None:
        """Copy until one side closes its connection, or nothing more is expected."""
        copies = {
            asyncio.ensure_future(self._copy(self._caller[0], self._service[1], is_answer=False)),
            asyncio.ensure_future(self._copy(self._service[0], self._caller[1], is_answer=True)),
        }
        done: set[asyncio.Future[None]] = set()
        while not done and not self._is_over():
            done, _ = await asyncio.wait(copies, timeout=SHORT, return_when=asyncio.FIRST_COMPLETED)
        for copy in copies:
            copy.cancel()
        await asyncio.gather(*copies, return_exceptions=True)
        await _close(self._service[1])

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_answer: bool) -> None:
        while data := await reader.read(SIZE):
            writer.write(data)
            self._last, self._is_answered = time.monotonic(), is_answer
            await writer.drain()

    def _is_over(self) -> bool:
        now = time.monotonic()
        pause = QUIET if now - self._began < BUSY else SHORT
        return self._is_answered and now - self._last >= pause


async def _close(writer: asyncio.StreamWriter) -> None:
    """Close a connection after everything that was written to it has been sent."""
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
