"""Forward a caller's connection to the service when the process that accepted the connection is ending.

Another process of the service receives the caller's bytes, from the caller's address. The caller receives the response
on the original connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from ipaddress import ip_address

from . import sockets

# The time limit for the first bytes of a connected caller, in seconds.
FIRST = 5.0
# The service itself closes an idle persistent connection. A busy connection is closed here after BUSY seconds, as soon
# as the service has responded and no data follows for SHORT seconds.
BUSY, SHORT = 20.0, 0.1
SIZE = 1 << 16
# The socket option that identifies the network namespace (include/uapi/asm-generic/socket.h).
SO_NETNS_COOKIE = 71
Side = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def can_be_imitated(accepted: socket.socket) -> bool:
    """Return whether a forwarded TCP connection can come from the caller's own address.

    The caller must be on this host, because the service may trust this host's address more than a remote caller's. The
    caller must also be in this process's network namespace, because another service can have the same address in
    another namespace. Raises OSError, also on Linux before 5.14, which does not identify namespaces.
    """
    with socket.socket() as ours:
        spaces = [item.getsockopt(socket.SOL_SOCKET, SO_NETNS_COOKIE, 8) for item in (accepted, ours)]
    own, caller = (sockets.address(name[0]) for name in (accepted.getsockname(), accepted.getpeername()))
    return spaces[0] == spaces[1] and is_same_host(own, caller)


def is_same_host(own: str, caller: str) -> bool:
    """Return whether both ends of a connection are on the same host."""
    return own == caller or (ip_address(own).is_loopback and ip_address(caller).is_loopback)


async def forward(accepted: socket.socket) -> None:
    """Forward a connection to the address that its caller connected to; close it when the service closes its side."""
    accepted.setblocking(False)
    caller = await asyncio.open_connection(sock=accepted)
    with contextlib.suppress(OSError, asyncio.TimeoutError):
        try:
            first = await asyncio.wait_for(caller[0].read(SIZE), FIRST)
            if first:
                source = (accepted.getpeername()[0], 0)
                service = await asyncio.open_connection(*accepted.getsockname()[:2], local_addr=source)
                service[1].write(first)
                await _Exchange(caller, service).run()
            caller[1].close()
            await caller[1].wait_closed()
        finally:
            caller[1].transport.abort()


class _Exchange:
    """The bytes between a caller and the service, in both directions."""

    def __init__(self, caller: Side, service: Side) -> None:
        self._caller, self._service = caller, service
        self._began = self._last = time.monotonic()
        self._is_answered = False

    async def run(self) -> None:
        """Copy data in both directions until the service closes its connection. Raises OSError.

        A connection that is always busy ends earlier (see BUSY).
        """
        response = asyncio.ensure_future(self._copy(self._service[0], self._caller[1], is_answer=True))
        request = asyncio.ensure_future(self._request())
        try:
            while not response.done() and not self._is_over():
                await asyncio.wait([response], timeout=SHORT)
                if request.done():
                    request.result()
            if response.done():
                response.result()
        finally:
            request.cancel()
            response.cancel()
            await asyncio.gather(request, response, return_exceptions=True)
            self._service[1].transport.abort()

    async def _request(self) -> None:
        await self._copy(self._caller[0], self._service[1], is_answer=False)
        # A caller may shut down its sending side and still wait for the response.
        self._service[1].write_eof()

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_answer: bool) -> None:
        while data := await reader.read(SIZE):
            writer.write(data)
            self._is_answered = is_answer
            await writer.drain()
            self._last = time.monotonic()

    def _is_over(self) -> bool:
        now = time.monotonic()
        return now - self._began >= BUSY and self._is_answered and now - self._last >= SHORT
