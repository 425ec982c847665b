"""The verdict on the response to a health check, and the wait for a slow response."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Iterator
from typing import ClassVar

import pytest

from ansible_collections.aimemory.tenancy.plugins.module_utils import health


class Service(http.server.BaseHTTPRequestHandler):
    """Responds with ``answers`` in order. The answer "late" is delayed until ``over`` is set."""

    answers: ClassVar[list[tuple[int, bytes]]]
    asked: ClassVar[int]
    over: ClassVar[threading.Event]

    def do_GET(self) -> None:
        """Send the next answer; the last answer is repeated."""
        number, Service.asked = Service.asked, Service.asked + 1
        status, body = self.answers[min(number, len(self.answers) - 1)]
        if body == b"late":
            self.over.wait(60)
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@pytest.fixture
def url() -> Iterator[str]:
    Service.asked, Service.over = 0, threading.Event()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Service) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/health"
        Service.over.set()
        server.shutdown()


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (200, b'{"status": "healthy"}', health.Answer(healthy=True)),
        (200, b"ok", health.Answer(healthy=True)),
        (200, b'{"status": "degraded", "llm": "down"}', health.Answer(healthy=True, said="degraded")),
        (404, b"gone", health.Answer(healthy=False, sentence="answers 404")),
        (503, b'{"status": "degraded"}', health.Answer(healthy=False, sentence="answers 503")),
        (204, b"", health.Answer(healthy=False, sentence="answers 204")),
    ],
)
def test_every_answer_with_200_is_healthy(url: str, status: int, body: bytes, expected: health.Answer) -> None:
    Service.answers = [(status, body)]
    assert health.ask(url, 60) == expected


def test_an_answer_that_does_not_come_in_time_is_late(url: str) -> None:
    Service.answers = [(200, b"late")]
    assert health.ask(url, 0.1) == health.Answer(
        healthy=False, sentence="does not answer within 0.1 s", late=True
    )  # fmt: skip


def test_a_refused_connection_is_not_late() -> None:
    answer = health.ask_while_late("http://127.0.0.1:1/health", 60, 60)
    assert (answer.healthy, answer.late) == (False, False)
    assert "Connection refused" in answer.sentence


def test_a_late_service_is_asked_again_and_an_ill_one_is_not(url: str) -> None:
    Service.answers = [(200, b"late"), (200, b"late"), (200, b'{"status": "degraded"}')]
    assert health.ask_while_late(url, 0.5, 60) == health.Answer(healthy=True, said="degraded")
    Service.asked, Service.answers = 0, [(503, b""), (200, b"")]
    assert health.ask_while_late(url, 60, 60).sentence == "answers 503"
    assert Service.asked == 1


def test_a_late_service_is_not_asked_for_ever(url: str) -> None:
    Service.answers = [(200, b"late")]
    assert health.ask_while_late(url, 0.1, 0).late
    assert Service.asked == 1


@pytest.mark.parametrize(
    ("body", "word"),
    [
        (b'{"status": "OK"}', ""),
        (b'{"status": "Healthy"}', ""),
        (b'{"status": "degraded"}', "degraded"),
        (b'{"status": "partly_down"}', "partly_down"),
        (b'{"status": "she said \\u001b[2J"}', "not healthy"),
        (b'{"status": 3}', ""),
        (b'{"state": "degraded"}', ""),
        (b'["degraded"]', ""),
        (b"degraded", ""),
        (b"\xff", ""),
    ],
)
def test_the_services_own_word_is_quoted_if_it_is_one(body: bytes, word: str) -> None:
    assert health.own_word(body) == word
