"""A connection that a process closes before reading from it is forwarded to another process, if that is safe."""

from __future__ import annotations

import contextlib
import errno
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest

from accepting import Successor, Worker, wait_until, worker
from ansible_collections.aimemory.tenancy.plugins.module_utils import forwarding, handover
from ansible_collections.aimemory.tenancy.plugins.module_utils.handover import Handover, UnheldError


@pytest.fixture
def process() -> Iterator[Worker]:
    """Yield a process that has not accepted any connection."""
    with worker() as found:
        yield found


@contextlib.contextmanager
def handed_over(process: Worker) -> Iterator[Successor]:
    """Hold the process's connections, then end the process as ``ended`` does."""
    with Handover(process.pid) as held, ended(process, held) as successor:
        yield successor


@contextlib.contextmanager
def ended(process: Worker, held: Handover) -> Iterator[Successor]:
    """End the process, and yield a successor while the held connections are forwarded. Wait for the forwarding."""
    process.process.kill()
    process.process.wait()
    successor = Successor(process.listener)
    finishing = threading.Thread(target=held.finish, args=(20,))
    finishing.start()
    try:
        yield successor
    finally:
        finishing.join(30)
    assert not finishing.is_alive()


def is_reset(caller: socket.socket) -> bool:
    """Return whether the connection is closed or reset without a response."""
    try:
        return caller.recv(100) == b""
    except ConnectionResetError:
        return True


def assert_is_closed(process: Worker, sent: bytes = b"request", read: int = 0) -> None:
    """Assert that a connection is closed when the process ends, and that no other process receives the connection.

    ``read`` is the number of sent bytes that the process has read.
    """
    with process.caller() as caller:
        if sent:
            caller.sendall(sent)
        if read:
            process.obey(f"read {read}")
        with handed_over(process) as successor:
            assert is_reset(caller)
    assert successor.sources == []


def test_a_connection_that_is_accepted_and_closed_at_once_is_served_by_another_process(process: Worker) -> None:
    with Handover(process.pid) as held:
        holding = threading.Thread(target=held.hold_until_closed, args=(20,))
        holding.start()
        with process.caller() as caller:
            caller.sendall(b"request")
            wait_until(lambda: bool(held._connections))
            process.obey("close")
            process.obey("unlisten")
            holding.join(30)
            assert not holding.is_alive()
            with ended(process, held):
                assert caller.recv(100) == b"served request"
                caller.close()


def test_a_caller_whose_request_was_read_waits_for_nobody_else(process: Worker) -> None:
    with Handover(process.pid) as held, process.caller() as caller:
        holding = threading.Thread(target=held.hold_until_closed, args=(20,))
        holding.start()
        wait_until(lambda: bool(held._connections))
        caller.sendall(b"request")
        process.obey("read 7")
        process.obey("close")
        # While a second descriptor is open, the caller does not see the end.
        assert caller.recv(100) == b""
        assert holding.is_alive()
        process.obey("unlisten")
        holding.join(30)


def test_an_unread_request_is_served_by_another_process_for_the_same_address(process: Worker) -> None:
    with process.caller("127.0.0.2") as caller:
        caller.sendall(b"request")
        with handed_over(process) as successor:
            assert caller.recv(100) == b"served request"
            caller.close()
    assert successor.sources == ["127.0.0.2"]


def test_a_request_that_is_sent_later_is_served(process: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    forwarded = threading.Event()

    async def forward(accepted: socket.socket) -> None:
        forwarded.set()
        await original(accepted)

    original = forwarding.forward
    monkeypatch.setattr(forwarding, "forward", forward)
    with process.caller() as caller, handed_over(process):
        assert forwarded.wait(10)
        caller.sendall(b"request")
        assert caller.recv(100) == b"served request"
        caller.close()


def test_a_long_request_and_its_long_response_are_served(process: Worker) -> None:
    data, received = bytes(range(256)) * 8000, b""
    with process.caller() as caller, handed_over(process) as successor:
        sending = threading.Thread(target=caller.sendall, args=(data,))
        sending.start()
        while received.count(b"served ") == 0 or len(received.replace(b"served ", b"")) < len(data):
            received += caller.recv(100_000)
        sending.join()
        caller.close()
    assert (successor.received, received.replace(b"served ", b"")) == (data, data)


def test_the_rest_of_a_request_is_never_taken_for_a_request(process: Worker) -> None:
    assert_is_closed(process, b"body of a request", read=5)


def test_a_persistent_connection_that_was_used_is_closed(process: Worker) -> None:
    assert_is_closed(process, b"request", read=7)


def test_a_caller_of_another_host_never_gets_the_address_of_this_one(
    process: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forwarding, "is_same_host", lambda *_: False)
    assert_is_closed(process)


@pytest.mark.parametrize(
    ("own", "caller", "expected"),
    [
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.1", "127.0.0.9", True),
        ("::1", "::1", True),
        ("::ffff:127.0.0.1", "::ffff:127.0.0.2", True),
        ("192.0.2.1", "192.0.2.1", True),
        ("fe80::1%eth0", "fe80::1%eth0", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        # Packets with this source address can also come from a router.
        ("192.0.2.1", "127.0.0.1", False),
    ],
)
def test_only_a_caller_of_this_host_can_be_imitated(own: str, caller: str, expected: bool) -> None:
    accepted = mock.Mock(wraps=socket.socket())
    accepted.getsockname = lambda: (own, 1)
    accepted.getpeername = lambda: (caller, 2)
    assert forwarding.can_be_imitated(accepted) is expected


def test_another_service_in_our_network_namespace_gets_no_request() -> None:
    accepted = mock.Mock(wraps=socket.socket())
    accepted.getsockname = accepted.getpeername = lambda: ("127.0.0.1", 1)
    accepted.getsockopt = lambda *_: bytes(8)
    assert not forwarding.can_be_imitated(accepted)


def test_linux_before_5_14_cannot_tell_the_network_namespace(process: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forwarding, "SO_NETNS_COOKIE", 9999)
    assert_is_closed(process)


def test_a_caller_who_has_given_up_is_not_served(process: Worker) -> None:
    with process.caller() as caller:
        caller.sendall(b"request")
    with handed_over(process) as successor:
        pass
    assert successor.sources == []


def test_a_connection_whose_end_the_caller_has_seen_is_not_served(process: Worker) -> None:
    with process.caller() as caller:
        caller.sendall(b"request")
        process.obey("shut")
        assert caller.recv(100) == b""
        with handed_over(process) as successor:
            pass
    assert successor.sources == []


def test_a_connection_that_is_accepted_later_is_held_too(process: Worker) -> None:
    with Handover(process.pid) as held, process.caller() as caller:
        caller.sendall(b"request")
        assert held.is_idle()
        with ended(process, held):
            assert caller.recv(100) == b"served request"
            caller.close()


def test_connections_that_the_process_opened_are_not_held(process: Worker) -> None:
    with socket.create_server(("127.0.0.1", 0)) as database:
        process.obey(f"connect {database.getsockname()[1]}")
        with database.accept()[0] as session, Handover(process.pid):
            process.process.kill()
            process.process.wait()
            session.settimeout(10)
            assert is_reset(session)


def test_a_process_that_closes_a_connection_and_runs_on(process: Worker) -> None:
    with process.caller() as caller, Handover(process.pid) as held:
        caller.sendall(b"request")
        process.obey("read 7")
        process.obey("close")
        held.finish(0.2)
        assert is_reset(caller)


def test_a_connection_that_the_process_keeps_stays_open(process: Worker) -> None:
    with process.caller() as caller:
        with Handover(process.pid) as held:
            held.finish(0.2)
        caller.sendall(b"request")
        process.obey("read 7")


def test_unread_data_of_a_used_connection_is_seen(process: Worker) -> None:
    with process.caller() as caller, Handover(process.pid) as held:
        caller.sendall(b"first")
        # The process has not read the connection, so another process can respond.
        assert held.is_idle()
        process.obey("read 5")
        assert held.is_idle()
        caller.sendall(b"second")
        assert not held.is_idle()


def test_the_connections_of_a_unix_socket_are_seen_and_closed(tmp_path: Path) -> None:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "socket"))
    listener.listen()
    with worker(listener) as process, socket.socket(socket.AF_UNIX) as caller, Handover(process.pid) as held:
        caller.connect(str(tmp_path / "socket"))
        process.obey("accept")
        caller.settimeout(10)
        caller.sendall(b"request")
        assert not held.is_idle()
        process.process.kill()
        process.process.wait()
        held.finish(20)
        assert is_reset(caller)


@pytest.mark.parametrize("code", [errno.ENOSYS, errno.EPERM])
def test_connections_that_cannot_be_held(process: Worker, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    def refuse(number: int, *arguments: int) -> int:
        if number == handover.PIDFD_GETFD:
            raise OSError(code, "refused")
        return original(number, *arguments)

    original = handover._system_call
    monkeypatch.setattr(handover, "_system_call", refuse)
    with pytest.raises(UnheldError, match="refused"):
        Handover(process.pid)


def test_a_process_that_has_ended() -> None:
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    with pytest.raises(ProcessLookupError):
        Handover(done.pid)


def test_a_persistent_connection_that_is_always_used_ends_after_a_response(
    process: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(forwarding, "BUSY", 0)
    with process.caller() as caller:
        caller.sendall(b"request")
        with handed_over(process):
            assert caller.recv(100) == b"served request"
            assert is_reset(caller)


def test_a_caller_who_ends_its_direction_gets_its_response(process: Worker) -> None:
    with process.caller() as caller:
        caller.sendall(b"request")
        with handed_over(process) as successor:
            wait_until(lambda: bool(successor.received))
            caller.shutdown(socket.SHUT_WR)
            assert caller.recv(100) == b"served request"
            assert is_reset(caller)


def test_a_connection_ends_with_the_time_of_the_handover(process: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Successor, "_respond", lambda _self, accepted: accepted.recv(1000) and threading.Event().wait())
    with process.caller() as caller, Handover(process.pid) as held:
        caller.sendall(b"request")
        process.process.kill()
        process.process.wait()
        Successor(process.listener)
        held.finish(0.3)
        assert is_reset(caller)


def test_a_second_descriptor_does_not_hide_the_end_of_a_used_connection(process: Worker) -> None:
    with process.caller() as caller, Handover(process.pid) as held:
        caller.sendall(b"request")
        process.obey("read 7")
        assert held.is_idle()
        process.obey("close")
        assert is_reset(caller)
        assert held.is_idle()


def test_a_process_with_too_many_descriptors_loses_only_the_rest(
    process: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused: list[int] = []

    def refuse(number: int, *arguments: int) -> int:
        if number == handover.PIDFD_GETFD:
            refused.append(arguments[1])
            raise OSError(errno.EMFILE, "too many")
        return original(number, *arguments)

    original = handover._system_call
    with process.caller() as caller, Handover(process.pid) as held:
        caller.sendall(b"request")
        with process.caller(), monkeypatch.context() as patched:
            patched.setattr(handover, "_system_call", refuse)
            assert held.is_idle()
        # The second connection could not be held, but the first one still is.
        assert refused != []
        with ended(process, held):
            assert caller.recv(100) == b"served request"
            caller.close()


def test_a_caller_who_sends_nothing(process: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forwarding, "FIRST", 0.05)
    assert_is_closed(process, b"")


def test_a_response_that_takes_long_is_awaited(process: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forwarding, "BUSY", 0)
    slow = threading.Event()

    def respond(self: Successor, accepted: socket.socket) -> None:
        with accepted:
            data = accepted.recv(1000)
            slow.wait()
            accepted.sendall(b"served " + data)

    monkeypatch.setattr(Successor, "_respond", respond)
    with process.caller() as caller:
        caller.sendall(b"request")
        with handed_over(process):
            caller.settimeout(0.3)
            with pytest.raises(TimeoutError):
                caller.recv(100)
            slow.set()
            caller.settimeout(10)
            assert caller.recv(100) == b"served request"
