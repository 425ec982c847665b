"""A webhook receiver on this machine, whose responses a test defines."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOKEN = "T0SECRET/B0SECRET/verysecrettoken"


class Receiver(ThreadingHTTPServer):
    """A server that stores the posted messages in order, and calls ``then`` with each message before it responds."""

    daemon_threads = True

    def __init__(self, status: int, then: Callable[[str], None]) -> None:
        """Listen on a free port of the loopback address."""
        self.status, self.then = status, then
        self.posted: list[tuple[str, Any]] = []
        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        """Return the URL for POST requests. Its path is a secret."""
        return f"http://127.0.0.1:{self.server_port}/services/{TOKEN}"

    @property
    def texts(self) -> list[str]:
        """Return the messages, and assert that the requests contained nothing else."""
        for _, body in self.posted:
            assert list(body) == ["text"]
        return [body["text"] for _, body in self.posted]


class Handler(BaseHTTPRequestHandler):
    """Handle one request to the receiver."""

    server: Receiver

    def do_POST(self) -> None:
        """Store the posted message, and respond."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        assert self.headers["Content-Type"] == "application/json"
        self.server.posted.append((self.path, body))
        self.server.then(body["text"])
        with contextlib.suppress(OSError):
            self.send_response(self.server.status)
            self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

    def do_GET(self) -> None:
        """Respond with success to a request that followed a redirect."""
        self.server.posted.append((self.path, {}))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing."""


@contextlib.contextmanager
def listening(status: int = 200, then: Callable[[str], None] = lambda text: None) -> Iterator[Receiver]:
    """Yield a receiver that responds with ``status``."""
    with Receiver(status, then) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
