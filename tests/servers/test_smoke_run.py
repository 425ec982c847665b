"""The smoke test against a small service and its database: every step, and every kind of failure."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from ansible_collections.aimemory.tenancy.plugins.module_utils import api, smoke_run
from ansible_collections.aimemory.tenancy.plugins.modules import service_smoke
from server import SERVER_USER, Server, running

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="the module runs as root"),
    # In these tests, the service is a thread, which waits while the module starts its child process.
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning"),
]

OWNER, CALLER, CONTENT = "alice", "+1555-runbook-1", "she prefers mornings"
NAMES = api.Names("customer_id", "app.current_tenant", ("memories",))


class Service:
    """A service with one table; ``fault`` is its defect, and ``tenant`` is the tenant of its rows."""

    def __init__(self, server: Server) -> None:
        """Listen on a free port."""
        self.server, self.fault, self.tenant = server, "", "1"
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                """Respond to one request."""
                asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                status, said = service.answer(self.path, asked)
                self.send_response(status)
                self.end_headers()
                self.wfile.write(json.dumps(said).encode())

            def log_message(self, *_: Any) -> None:
                """Log nothing."""

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def answer(self, path: str, asked: dict[str, str]) -> tuple[int, dict[str, Any]]:
        """Handle a store or retrieve request, and return its status and body."""
        if self.fault == f"refused {path}":
            return 403, {"detail": "Not authenticated"}
        if path == "/store":
            if self.fault == "model":
                return 200, {"success": False, "error": "the language model refused the connection"}
            if self.fault != "nowhere":
                values = f"('{asked['caller']}', '{asked['content']}', {self.tenant})"
                self.server.sql(f"INSERT INTO memories VALUES {values}", "shop", OWNER)
            return 200, {"success": True}
        if self.fault == "lost":
            return 200, {"memories": []}
        hers = "true" if self.fault == "shared" else f"'{asked['tenant']}' = '1'"
        rows = self.server.sql(f"SELECT content FROM memories WHERE caller = '{asked['caller']}' AND {hers}", "shop")
        return 200, {"memories": [content for (content,) in rows]}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running(17) as found:
        found.sql(f"CREATE ROLE {SERVER_USER} SUPERUSER LOGIN")
        found.sql(f"CREATE ROLE {OWNER} LOGIN")
        found.sql("CREATE DATABASE shop")
        found.sql("CREATE TABLE memories (caller text, content text, customer_id integer)", "shop")
        found.sql(f"GRANT ALL ON memories TO {OWNER}", "shop")
        yield found


@pytest.fixture
def service(server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    monkeypatch.setenv("PGHOST", str(server.directory))
    server.sql("TRUNCATE memories", "shop")
    found = Service(server)
    yield found
    found.http.shutdown()


def request(path: str, tenant: str = "1", marker: str = "") -> dict[str, Any]:
    body = {"caller": CALLER, "content": CONTENT, "tenant": tenant}
    return {"name": f"POST {path}", "method": "POST", "path": path, "body": body, "claims": None, "marker": marker}


def wanted(service: Service, **more: Any) -> dict[str, Any]:
    """Return the module's options. In ``more``, two underscores separate an option from its nested option."""
    options: dict[str, Any] = {
        "database": "shop", "port": 5432, "user": SERVER_USER,
        "rows": {
            "schema": "public", "tables": [{"table": "memories", "column": "caller", "stored": True}],
            "caller": CALLER, "prefix": "+1555-runbook-", "tenant_column": "customer_id", "tenant": "1",
            "tenant_required": True, "patience": 0,
        },
        "cleanup": {
            "user": SERVER_USER, "password": "", "environment": {}, "setting": "app.current_tenant", "seconds": 20,
            "parameters": {"host": str(service.server.directory), "user": OWNER, "dbname": "shop"},
            "statements": ["DELETE FROM memories WHERE caller = %(user_id)s"], "write_tables": [],
            "write_statements": [], "always": False, "writes": False,
        },
        "store": request("/store"), "retrieve": request("/retrieve", marker=CONTENT),
        "other": {"request": None, "tenant": "2", "only_signed": False, "fails": False},
        "about": {
            "service": "shop", "secret": "", "before": False, "ended": [],
        },
    }  # fmt: skip
    for name, value in more.items():
        part, _, inner = name.partition("__")
        options[part] = {**options[part], inner: value} if inner else value
    return options


def made(service: Service, action: str = "test", **more: Any) -> smoke_run.SmokeRun:
    """Run one action of the smoke test, and return the run."""
    options = wanted(service, **more)
    conversation = api.Conversation(f"http://127.0.0.1:{service.http.server_port}", 20)
    tables, caller = service_smoke.Tables(options), api.Caller({}, "", 60)
    run = smoke_run.SmokeRun(
        options, "none", lambda asked: api.answered(conversation, caller, NAMES, asked), tables.look, tables.remove
    )
    try:
        getattr(run, action)()
    finally:
        tables.close()
        conversation.close()
    return run


def rows(service: Service) -> list[Any]:
    return service.server.sql("SELECT caller, customer_id FROM memories", "shop")


def test_what_is_stored_is_found_retrieved_and_removed_with_what_a_lost_test_left(service: Service) -> None:
    service.server.sql("INSERT INTO memories VALUES ('+1555-runbook-0', 'x', 2), ('+15551234567', 'y', 1)", "shop")
    outcome = made(service).outcome
    assert (outcome["unproven"], outcome["shown"]) == ([], [])
    assert outcome["stored_seconds"] >= 0
    assert rows(service) == [("+15551234567", 1)]


@pytest.mark.parametrize(
    ("fault", "tenant", "more", "sentence"),
    [
        ("nowhere", "1", {}, "public.memories contains no row for it"),
        ("", "2", {}, "in public.memories with customer_id = 2 instead of 1"),
        ("lost", "1", {}, "did not return the stored memory. POST /retrieve: HTTP 200"),
        ("refused /store", "1", {"about__before": True}, "refuses the smoke test's request POST /store"),
        ("model", "1", {"about__before": True}, "The API fails: POST /store answers"),
        (
            "shared", "1", {"other": {
                "request": request("/retrieve", "2", CONTENT), "tenant": "2", "only_signed": False, "fails": True,
            }},
            "The API showed another tenant the stored memory. POST /retrieve",
        ),
    ],
)  # fmt: skip
def test_what_fails_is_told_and_nothing_of_it_is_left(
    service: Service, fault: str, tenant: str, more: dict[str, Any], sentence: str
) -> None:
    service.fault, service.tenant = fault, tenant
    with pytest.raises(smoke_run.SmokeError) as failed:
        made(service, **more)
    assert sentence in str(failed.value)
    assert rows(service) == []


@pytest.mark.parametrize("fault", ["model", "refused /store", "refused /retrieve"])
def test_what_the_change_does_not_cause_is_unproven_after_it(service: Service, fault: str) -> None:
    service.fault = fault
    [sentence] = made(service).outcome["unproven"]
    assert "it is not proven that shop works" in sentence
    assert rows(service) == []


@pytest.mark.parametrize(("only_signed", "shown"), [(False, 1), (True, 0)])
def test_what_another_tenant_is_shown_is_told(service: Service, only_signed: bool, shown: int) -> None:
    service.fault = "shared"
    other = {"request": request("/retrieve", "2", CONTENT), "tenant": "2", "only_signed": only_signed, "fails": False}
    outcome = made(service, other=other).outcome
    assert outcome["shown"] == ["POST /retrieve shows tenant 2 the rows of tenant 1."] * shown
    service.fault = ""
    assert made(service, other=other).outcome["shown"] == []


def test_a_login_that_may_not_remove_is_told_and_a_trouble_before_it_as_well(service: Service) -> None:
    with pytest.raises(smoke_run.SmokeError, match="cannot remove the rows of the smoke test: permission denied"):
        made(service, "clear", cleanup__statements=["DELETE FROM pg_catalog.pg_authid"], cleanup__always=True)
    service.fault = "lost"
    with pytest.raises(smoke_run.SmokeError) as failed:
        made(service, cleanup__statements=["DELETE FROM memories WHERE false"])
    assert "did not return" in str(failed.value)
    assert "Rows of the smoke test's caller remain (1 in public.memories)" in str(failed.value)


@pytest.mark.parametrize(
    ("statement", "error"),
    [
        ("DELETE FROM memories WHERE caller LIKE '+1%'", "TypeError: "),
        ("DELETE FROM memories WHERE caller = %(user_id)!", "ValueError: unsupported format character"),
        ("DELETE FROM memories WHERE caller = %(caller)s", "KeyError: 'caller'"),
        ("DELETE FROM memories WHERE caller = %s", "TypeError: "),
        ("DELETE FROM memories WHERE caller = %(user_id", "ProgrammingError: incomplete placeholder"),
    ],
)
def test_a_statement_with_an_invalid_placeholder_is_told(service: Service, statement: str, error: str) -> None:
    with pytest.raises(smoke_run.SmokeError) as failed:
        made(service, "clear", cleanup__statements=["SELECT 1", statement], cleanup__always=True)
    told = str(failed.value)
    assert told.startswith(f"The statement {statement} of service_smoke_cleanup or service_write_cleanup is invalid (")
    assert f"({error}" in told


def test_a_row_of_another_request_is_found_and_removed(service: Service) -> None:
    service.answer("/store", {"caller": CALLER, "content": CONTENT})
    assert made(service, "see").outcome["found"][0]["tenants"] == [{"caller": CALLER, "tenant": "1", "count": 1}]
    made(service, "find")
    assert rows(service) == []
    with pytest.raises(smoke_run.SmokeError, match="contains no row for it"):
        made(service, "find")


def test_rows_of_other_writers_need_their_own_statements(service: Service) -> None:
    service.answer("/store", {"caller": CALLER, "content": CONTENT})
    statements = {"cleanup__statements": ["SELECT 1"], "cleanup__write_statements": ["DELETE FROM memories"]}
    with pytest.raises(smoke_run.SmokeError, match="caller remain"):
        made(service, "clear", **statements)
    made(service, "clear", cleanup__write_tables=["public.memories"], **statements)
    assert rows(service) == []


def test_a_missing_table_is_named(service: Service) -> None:
    with pytest.raises(smoke_run.SmokeError, match="does not exist"):
        made(service, rows__tables=[{"table": "gone", "column": "caller", "stored": True}])
