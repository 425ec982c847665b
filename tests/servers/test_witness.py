"""The witness detects a session that the service opens for a single request."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from ansible_collections.aimemory.tenancy.plugins.module_utils import cgroups, witness
from lab import OWNER
from server import SERVER_USER, Server, running

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="the module runs as root")

# The service connects and disconnects in each request; a POST uses another role.
SERVICE = """
import sys
import time
import psycopg2
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class Handler(BaseHTTPRequestHandler):
    def answer(self, user):
        connection = psycopg2.connect(sys.argv[1], user=user)
        connection.cursor().execute("SELECT pg_sleep(0.03)")
        connection.close()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"ok")
    def do_GET(self):
        self.answer(sys.argv[3])
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/busy":
            self.send_response(429)
            self.end_headers()
            self.wfile.write(b"slow down")
        elif self.path == "/endless":
            time.sleep(60)
        else:
            self.answer("postgres")
    def log_message(self, *arguments):
        pass
ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), Handler).serve_forever()
"""


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@pytest.fixture(scope="module", params=["tcp", "unix"])
def where(request: pytest.FixtureRequest) -> Iterator[tuple[str, int, Server]]:
    """Yield the host, the port and the server. The service connects to this host over TCP or a Unix socket."""
    port = free_port()
    with running(17, listen_addresses="127.0.0.1" if request.param == "tcp" else "", port=str(port)) as server:
        yield "127.0.0.1" if request.param == "tcp" else str(server.directory), port, server


@pytest.fixture
def service(where: tuple[str, int, Server]) -> Iterator[tuple[int, int]]:
    """Yield the PID and the port of a service that opens a connection for each request."""
    host, port, _ = where
    own = free_port()
    dsn = f"host={host} port={port} dbname=postgres"
    with subprocess.Popen([sys.executable, "-c", SERVICE, dsn, str(own), OWNER]) as process:
        try:
            while True:
                with socket.socket() as asked:
                    if asked.connect_ex(("127.0.0.1", own)) == 0:
                        break
            yield process.pid, own
        finally:
            process.terminate()


def _no_command(*command: Any) -> tuple[int, str, str]:
    raise AssertionError(command)


def look(
    where: tuple[str, int, Server], service: tuple[int, int], monkeypatch: pytest.MonkeyPatch, **options: Any
) -> witness.Witness:
    host, port, _ = where
    monkeypatch.setenv("PGHOST", host)
    monkeypatch.setattr(cgroups, "processes", lambda _: [service[0]])
    monkeypatch.setattr(witness, "AFTER_ANSWER", 0.2)

    params = {
        "unit": "x", "variable": "DATABASE_URL", "database": "postgres", "port": port, "user": SERVER_USER,
        "schema": "public", "tables": ["memories"], "files": [], "requests": [],
        "health_timeout": 20, "health_request_timeout": 20,
        "health_url": f"http://127.0.0.1:{service[1]}/health", **options,
    }  # fmt: skip
    looking = witness.Witness(params, _no_command)
    looking.outcome["unit"] = {"active_state": "active"}
    looking._look_until_seen("x")
    return looking


@pytest.fixture(scope="module", autouse=True)
def roles(where: tuple[str, int, Server]) -> None:
    """Create the service's role, and the administrator's role with the name of the server's system user."""
    for role in (f"{OWNER} LOGIN", f"{SERVER_USER} SUPERUSER LOGIN"):
        where[2].sql(f"CREATE ROLE {role}")


def test_a_session_of_a_request_is_seen(
    where: tuple[str, int, Server], service: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = look(where, service, monkeypatch)
    assert {(item["role"], item["database"], item["process"]) for item in found.own} == {
        (OWNER, "postgres", service[0])
    }
    assert {item["pid"] for item in found.seen} == {service[0]}


def storing(service: tuple[int, int], path: str = "/store", **options: Any) -> dict[str, Any]:
    return {
        "url": f"http://127.0.0.1:{service[1]}", "method": "POST", "path": path, "body": {"content": "x"},
        "timeout": 20, "headers": {"X-Tenant-Id": 1}, "secret": "", "seconds": 300, "file": "", "claims": None,
        "name": f"POST {path}", "marker": "", **options,
        "names": {"column": "customer_id", "setting": "app.current_tenant", "tables": ["memories"]},
    }  # fmt: skip


def test_a_request_is_made_instead(
    where: tuple[str, int, Server], service: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = look(where, service, monkeypatch, requests=[storing(service)] * 2)
    assert {item["role"] for item in found.own} == {"postgres"}
    assert [(item["name"], item["verdict"]) for item in found.outcome["answers"]] == [("POST /store", "ok")] * 2


def test_responses_without_a_session_are_returned(
    where: tuple[str, int, Server], service: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    requests = [storing(service, "/busy"), storing(service, "/endless", timeout=1)]
    found = look(where, service, monkeypatch, requests=requests, health_timeout=1)
    assert found.own == []
    assert [(item["verdict"], item["said"]) for item in found.outcome["answers"]] == [
        ("unavailable", "HTTP 429 slow down"), ("unavailable", "no response in time"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"path": 7}, "TypeError: "),
        ({"headers": {"X": "a secret\n"}}, "POST /store cannot be sent with the headers in service_smoke_headers"),
    ],
)
def test_an_error_of_the_process_that_sends_requests_is_not_hidden(
    where: tuple[str, int, Server], service: tuple[int, int], monkeypatch: pytest.MonkeyPatch,
    options: dict[str, Any], message: str,
) -> None:  # fmt: skip
    with pytest.raises(OSError, match=message) as failed:
        look(where, service, monkeypatch, requests=[{**storing(service), **options}])
    assert "secret" not in str(failed.value)


def test_sessions_of_others_are_none_of_the_service(
    where: tuple[str, int, Server], service: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    host, port, _ = where
    dsn = f"host={host} port={port} dbname=postgres user=postgres"
    code = f"import psycopg2\nwhile True: psycopg2.connect({dsn!r}).close()"
    with subprocess.Popen([sys.executable, "-c", code]) as other:
        try:
            found = look(where, service, monkeypatch)
        finally:
            other.terminate()
    assert {item["role"] for item in found.own} == {OWNER}
