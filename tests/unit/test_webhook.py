"""A webhook is told, or it is said why not, in a limited time and without its URL."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
import time
from pathlib import Path

import pytest

from ansible_collections.aimemory.tenancy.plugins.plugin_utils.report import webhook
from receiver import TOKEN, listening


def test_what_was_posted_arrives() -> None:
    with listening() as receiver:
        assert webhook.post(receiver.url, 'lab15: "é"', 5) == ""
        assert receiver.posted == [(f"/services/{TOKEN}", {"text": 'lab15: "é"'})]


@pytest.mark.parametrize("status", [302, 403, 404, 500])
def test_any_answer_but_success_is_said(status: int) -> None:
    with listening(status) as receiver:
        assert webhook.post(receiver.url, "text", 5) == f"it answered with HTTP status {status}"
        # A redirect would be followed without the message.
        assert len(receiver.posted) == 1


def test_nobody_there_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert webhook.post(f"http://127.0.0.1:{port}/{TOKEN}", "text", 5) == "Connection refused"


def test_a_receiver_that_is_silent_costs_no_more_than_the_timeout() -> None:
    with listening(then=lambda _: time.sleep(3)) as receiver:
        begun = time.monotonic()
        assert "did not answer" in webhook.post(receiver.url, "text", 0.5)
        assert time.monotonic() - begun < 1.5


def test_a_receiver_that_answers_drop_by_drop_costs_no_more_than_the_timeout() -> None:
    def drip(server: socket.socket) -> None:
        connection, _ = server.accept()
        with connection:
            for _ in range(20):
                connection.sendall(b"HTTP/1.1 200 OK\r\n"[:1])
                time.sleep(0.2)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=drip, args=(server,))
        thread.start()
        begun = time.monotonic()
        # Each drop comes within the time limit of the socket.
        problem = webhook.post(f"http://127.0.0.1:{server.getsockname()[1]}/{TOKEN}", "text", 0.6)
        assert time.monotonic() - begun < 1.6
        assert problem == "it did not answer within 0.6 s"
        thread.join()


@pytest.mark.parametrize(
    "url",
    [f"nonsense/{TOKEN}", f"ftp://127.0.0.1/{TOKEN}", f"http://127.0.0.1:port/{TOKEN}", f"http://[::1/{TOKEN}",
     f"http://127.0.0.1/{TOKEN} blank", f"http://127.0.0.1:1/{TOKEN}é", ""],
)  # fmt: skip
def test_a_url_that_is_none_is_said_and_not_shown(url: str) -> None:
    problem = webhook.post(url, "text", 5)
    assert problem
    assert "SECRET" not in problem


def test_an_untrusted_certificate_is_refused(tmp_path: Path) -> None:
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost"]
    files = ["-keyout", str(tmp_path / "key"), "-out", str(tmp_path / "certificate")]
    subprocess.run([*make, *files], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "certificate", tmp_path / "key")
    with listening() as receiver:
        receiver.socket = context.wrap_socket(receiver.socket, server_side=True)
        problem = webhook.post(receiver.url.replace("http:", "https:"), "text", 5)
        assert receiver.posted == []
    assert problem == "its certificate is not trusted on this machine"
