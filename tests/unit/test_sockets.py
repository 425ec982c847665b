"""The facts that the kernel reports about TCP sockets, for real sockets."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from ansible_collections.aimemory.tenancy.plugins.module_utils import sockets

# Seconds: longer than a test takes.
LONG = 3600


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """Yield a socket that listens."""
    with socket.create_server(("127.0.0.1", 0)) as made:
        yield made


def inode(of: socket.socket) -> str:
    return str(os.fstat(of.fileno()).st_ino)


def test_connections_that_wait_for_accept_are_counted(listener: socket.socket) -> None:
    with ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(socket.create_connection(listener.getsockname()))
        assert sockets.backlog()[inode(listener)] == 3
        stack.enter_context(listener.accept()[0])
        assert sockets.backlog()[inode(listener)] == 2


def test_a_connection_is_silent_until_something_arrives(listener: socket.socket) -> None:
    with socket.create_connection(listener.getsockname()) as caller, listener.accept()[0] as accepted:
        assert inode(accepted) in sockets.silent(LONG)
        # It is older than that.
        assert inode(accepted) not in sockets.silent(-1)
        caller.send(b"request")
        assert inode(accepted) not in sockets.silent(LONG)
        # Nothing arrives in the other direction.
        assert inode(caller) in sockets.silent(LONG)
        accepted.recv(100)
        assert inode(accepted) not in sockets.silent(LONG)
