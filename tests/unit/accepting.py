"""Stand-ins for processes of a service: a worker that accepts connections on request, and a thread as its successor."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

# The worker accepts connections and reads from the newest one on request. It waits for requests in epoll, as the event
# loop of a server does. After SIGTERM, it exits with status 7.
PROGRAM = """
import select, signal, socket, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
listener = socket.socket(fileno=int(sys.argv[1]))
accepted, others = [], []
orders, waiting = open(0, "rb", buffering=0), select.epoll()
waiting.register(orders, select.EPOLLIN)
while waiting.poll() and (line := orders.readline().decode()):
    name, _, number = line.strip().partition(" ")
    if name == "accept":
        accepted.append(listener.accept()[0])
    elif name == "read":
        accepted[-1].recv(int(number))
    elif name == "shut":
        accepted[-1].shutdown(socket.SHUT_WR)
    elif name == "linger":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    elif name == "close":
        accepted.pop().close()
    elif name == "unlisten":
        listener.close()
    elif name == "connect":
        others.append(socket.create_connection(("127.0.0.1", int(number))))
    print("done", flush=True)
signal.pause()
"""


class Worker:
    """A process that accepts connections from a listening socket."""

    def __init__(self, listener: socket.socket) -> None:
        """Start the process."""
        number = listener.fileno()
        self.listener = listener
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, str(number)],
            pass_fds=[number], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.pid = self.process.pid

    def tell(self, order: str) -> None:
        """Send an order to the process, without waiting."""
        assert self.process.stdin
        self.process.stdin.write(f"{order}\n")
        self.process.stdin.flush()

    def obey(self, order: str) -> None:
        """Send an order to the process, and wait until the process has carried it out."""
        self.tell(order)
        self.wait()

    def wait(self) -> None:
        """Wait until the process has carried out an order."""
        assert self.process.stdout
        assert self.process.stdout.readline() == "done\n"

    def caller(self, source: str = "127.0.0.1") -> socket.socket:
        """Open a connection from the address ``source``, let the process accept it, and return the caller's socket."""
        caller = socket.create_connection(self.listener.getsockname(), 10, (source, 0))
        self.obey("accept")
        return caller

    def is_paused(self) -> bool:
        """Return whether the process is stopped, according to the kernel."""
        return "\nState:\tT" in Path(f"/proc/{self.pid}/status").read_text()


def wait_until(reached: Callable[[], bool]) -> None:
    """Wait until ``reached`` returns true."""
    while not reached():
        os.sched_yield()


@contextlib.contextmanager
def worker(listener: socket.socket | None = None) -> Iterator[Worker]:
    """Yield a process, and kill it at the end."""
    with listener or socket.create_server(("127.0.0.1", 0)) as listening:
        started = Worker(listening)
        try:
            # After its first answer, the process has installed its SIGTERM handler.
            started.obey("start")
            yield started
        finally:
            started.process.kill()
            started.process.communicate()


class Successor:
    """A thread that stands in for another process of the service. It responds ``served`` and the received bytes."""

    def __init__(self, listener: socket.socket) -> None:
        """Accept connections from now on."""
        self.sources: list[str] = []
        self.received = b""
        self._listener = listener
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                accepted, source = self._listener.accept()
                self.sources.append(source[0])
                threading.Thread(target=self._respond, args=(accepted,), daemon=True).start()

    def _respond(self, accepted: socket.socket) -> None:
        with accepted, contextlib.suppress(OSError):
            while data := accepted.recv(1000):
                self.received += data
                accepted.sendall(b"served " + data)
