"""Requests to the service's API: the verdict on a response, the token, and the displayed part of the response."""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.server
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from ansible_collections.aimemory.tenancy.plugins.module_utils import api, tokens
from ansible_collections.aimemory.tenancy.plugins.modules import service_endpoints

NAMES = api.Names("customer_id", "app.current_tenant", ("memories",))
SECRET = "a secret of thirty-two characters"
CLAIMS = {"customer_id": 2, "sub": "runbook"}


def answer(body: Any, status: int = 200) -> api.Answer:
    return api.Answer(status, (body if isinstance(body, str) else json.dumps(body)).encode())


def failed(error: str) -> api.Answer:
    return answer({"success": False, "error": error})


@pytest.mark.parametrize(
    ("given", "verdict"),
    [
        (answer({"success": True, "id": "x"}), "ok"),
        (answer({"id": "x"}, 201), "ok"),
        (answer("stored"), "ok"),
        (answer({"detail": "Not authenticated"}, 403), "refused"),
        (answer({"detail": "permission denied for table memories"}, 401), "refused"),
        (failed('new row violates row-level security policy for table "memories"'), "database"),
        (failed('null value in column "customer_id" violates not-null constraint'), "database"),
        (failed("Spalte »customer_id« von Relation »memories« existiert nicht"), "database"),
        (failed("neue Zeile verletzt Policy für Tabelle »memories«"), "database"),
        (answer("psycopg2.errors.UndefinedColumn: no such column", 500), "database"),
        (failed("the language model refused the connection"), "unavailable"),
        (failed("no memories could be embedded"), "unavailable"),
        (failed("HTTPConnectionPool(host='127.0.0.1', port=11434): Read timed out."), "unavailable"),
        (failed("Rate limit reached for requests"), "unavailable"),
        # The change may be the cause of an unknown error.
        (failed("0"), "broken"),
        (failed("list index out of range"), "broken"),
        (failed("Fehler beim Speichern"), "broken"),
        (answer({"success": False}), "broken"),
        (answer({"success": False, "message": "could not save"}), "broken"),
        (api.Answer(problem="no response in time", late=True), "unavailable"),
        (answer({"detail": "slow down"}, 429), "unavailable"),
        (answer({"detail": "Not Found"}, 404), "broken"),
        (answer("Internal Server Error", 500), "broken"),
        (api.Answer(problem="Connection refused"), "broken"),
    ],
)
def test_an_answer_is_judged_by_what_may_have_caused_it(given: api.Answer, verdict: str) -> None:
    assert api.judged(given, NAMES)[0] == verdict


def test_the_sqlstate_of_an_error_is_told() -> None:
    error = 'unrecognized configuration parameter "app.current_tenant"'
    assert api.judged(failed(error), NAMES) == ("database", "42704")


def decoded(part: str) -> Any:
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def test_a_token_claims_what_it_is_told_and_is_signed_with_the_secret() -> None:
    headers = api.Caller({"X-Key": "value"}, SECRET, 60).headers(CLAIMS)
    scheme, token = headers.pop("Authorization").split()
    assert (scheme, headers) == ("Bearer", {"X-Key": "value"})
    head, body, signature = token.split(".")
    assert decoded(head) == {"alg": "HS256", "typ": "JWT"}
    claims = decoded(body)
    assert claims.pop("exp") - claims.pop("iat") == 60
    assert claims == CLAIMS
    wanted = hmac.new(SECRET.encode(), f"{head}.{body}".encode(), hashlib.sha256).digest()
    assert signature == base64.urlsafe_b64encode(wanted).decode().rstrip("=")


def test_the_value_of_a_header_may_be_a_number_or_a_boolean() -> None:
    assert api.Caller({"X-Tenant-Id": 1, "X-Debug": True}, "", 60).headers(None) == {
        "X-Tenant-Id": "1", "X-Debug": "True",
    }  # fmt: skip


def test_the_published_example_is_signed_as_others_sign_it() -> None:
    # Other implementations encode claims like this. RFC 7515, appendix A.1, has another key order and other spacing.
    assert tokens.signed({"a": 1}, "secret").startswith("eyJhbGciOiAiSFMyNTYiLCAidHlwIjogIkpXVCJ9.eyJhIjogMX0.")


@pytest.mark.parametrize(
    ("headers", "secret", "claims"),
    [
        ({"authorization": "Bearer given by hand"}, SECRET, CLAIMS),
        ({}, SECRET, None),
        ({}, "", CLAIMS),
        ({}, "-----BEGIN PUBLIC KEY-----\nabc", CLAIMS),
    ],
    ids=["given", "no-token-asked-for", "no-secret", "asymmetric"],
)
def test_no_token_is_made_where_none_is_asked_for_or_can_be(headers: dict[str, str], secret: str, claims: Any) -> None:
    assert api.Caller(headers, secret, 60).headers(claims) == headers


@pytest.mark.parametrize(
    ("name", "secret", "said"),
    [
        ("", "", "none"), ("JWT_SECRET_KEY", "", "missing"), ("JWT_SECRET_KEY", SECRET, "signed"),
        ("JWT_SECRET_KEY", "-----BEGIN RSA PRIVATE KEY-----", "asymmetric"),
    ],
)  # fmt: skip
def test_what_becomes_of_the_token_is_told(name: str, secret: str, said: str) -> None:
    assert api.token_kind(name, secret) == said


def test_what_a_service_quotes_of_headers_and_tokens_is_removed() -> None:
    caller = api.Caller({"Authorization": "Bearer given-by-hand", "X-Short": "1"}, SECRET, 60)
    token = api.Caller({}, SECRET, 60)
    quoted = token.headers(CLAIMS)["Authorization"]
    for who, secret in ((caller, "given-by-hand"), (token, quoted.split()[1]), (token, SECRET)):
        shown = api.shown(answer({"error": f"bad header: Bearer {secret}", "count": 1}, 500), who)
        assert secret not in shown
        assert shown.startswith("HTTP 500 ")
        assert '"count": 1' in shown


def test_an_answer_is_shown_by_its_begin_and_harmless() -> None:
    shown = api.shown(answer("\x1b[31m" + "x" * 1000), api.Caller({}, "", 60))
    assert shown == "HTTP 200 \\x1b[31m" + "x" * (api.SHOWN - 5) + "..."
    assert api.shown(api.Answer(problem="Connection refused"), api.Caller({}, "", 60)) == "Connection refused"


def test_rows_are_known_by_the_texts_that_no_other_has() -> None:
    row = {"id": "e91a1846-2140-4caf-aff8-13bafdf0fb8b", "k": "note", "nested": [{"said": "she prefers mornings"}]}
    assert api.values({"success": True, "memories": [row], "count": 5755}) == {
        "e91a1846-2140-4caf-aff8-13bafdf0fb8b", "she prefers mornings",
    }  # fmt: skip
    assert api.values(None) == frozenset()


def test_which_parts_hold_something_is_told() -> None:
    assert api.filled({"success": True, "memories": [1], "profile": None, "more": {}, "a": {"b": 1}}) == [
        "a", "memories",
    ]  # fmt: skip
    assert api.filled([1]) == [""]
    assert api.filled([]) == api.filled("text") == api.filled(None) == []


def test_the_secret_is_that_of_what_runs_before_that_of_the_next_start() -> None:
    sources = [{"OTHER": "x"}, {"KEY": ""}, {"KEY": "running"}, {"KEY": "next"}]
    assert api.secret_in("KEY", iter(sources)) == "running"
    assert api.secret_in("NONE", sources) == ""


class Handler(http.server.BaseHTTPRequestHandler):
    """Returns the connection's number and the request's body and type; closes the connection after a POST to /close."""

    protocol_version = "HTTP/1.1"
    connections = 0

    def setup(self) -> None:
        """Count the connection."""
        type(self).connections += 1
        self.number = type(self).connections
        super().setup()

    def do_GET(self) -> None:
        self.answered("")

    def do_POST(self) -> None:
        self.answered(self.rfile.read(int(self.headers["Content-Length"])).decode())
        # Close the connection without a "Connection: close" header, like a server that stops a worker.
        self.close_connection = self.path == "/close"

    def answered(self, body: str) -> None:
        if self.path == "/slow":
            threading.Event().wait(2)
        text = json.dumps({"connection": self.number, "body": body, "type": self.headers["Content-Type"]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def url(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Yield the URL of a server; the environment names a proxy that does not respond."""
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    Handler.connections = 0
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_one_connection_carries_all_requests_past_proxies(url: str) -> None:
    conversation = api.Conversation(url, 5)
    first, second = conversation.ask("GET", "/", None, {}), conversation.ask("POST", "/", {"a": 1}, {})
    assert (first.document["connection"], second.document["connection"]) == (1, 1)
    assert (second.document["body"], second.document["type"]) == ('{"a": 1}', "application/json")
    conversation.close()


def test_a_connection_that_the_server_closed_is_opened_again(url: str) -> None:
    conversation = api.Conversation(url, 5)
    assert conversation.ask("POST", "/close", {}, {}).status == 200
    assert conversation.ask("GET", "/", None, {}).document["connection"] == 2
    conversation.close()


def test_an_answer_that_is_late_or_missing_is_told(url: str) -> None:
    conversation = api.Conversation(url, 0.2)
    assert conversation.ask("GET", "/slow", None, {}).late
    conversation.close()
    gone = api.Conversation("http://127.0.0.1:1", 5).ask("GET", "/", None, {})
    assert (gone.status, gone.late) == (0, False)
    assert "refused" in gone.problem


def test_what_callers_said_is_not_returned(url: str) -> None:
    request = {"name": "POST /", "method": "POST", "path": "/", "body": {"said": "in confidence"}, "claims": None}
    conversation, caller = api.Conversation(url, 5), api.Caller({}, "", 60)
    for marker, told in (("", False), ("in confidence", True), ("something else", True)):
        found = api.answered(conversation, caller, NAMES, {**request, "marker": marker})
        assert ("in confidence" in found["said"], found["verdict"]) == (told, "ok")
        assert found["marked"] == (marker == "in confidence")
    conversation.close()


class Shop(http.server.BaseHTTPRequestHandler):
    """A service with a single database session, which keeps the tenant of the last token."""

    protocol_version = "HTTP/1.1"
    tenant = 0

    def do_GET(self) -> None:
        """Show the row of the session's tenant. /open ignores the token, and /always shows the row of tenant 1."""
        token = self.headers["Authorization"]
        if token and self.path != "/open":
            type(self).tenant = decoded(token.split(".")[1])["customer_id"]
        row = f"a row of tenant {1 if self.path == '/always' else self.tenant}"
        shown = [row] if self.tenant == 1 or self.path == "/always" else []
        status = 500 if self.path == "/broken" else 200
        text = json.dumps({"rows": shown, "of": "rows of this very shop"}).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        pass


def test_endpoints_that_show_the_tenant_of_the_request_before_are_found() -> None:
    first: dict[str, Any] = {"path": "/apart", "method": "GET", "body": None, "claims": {"customer_id": 1}}
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Shop) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        wanted = {
            "url": f"http://127.0.0.1:{server.server_port}", "timeout": 5, "other": {"customer_id": 2},
            "names": {"column": "customer_id", "setting": "app.current_tenant", "tables": []},
            "endpoints": [first],
        }  # fmt: skip
        look = service_endpoints.Look(wanted, api.Caller({}, SECRET, 60))
        outcomes = {
            name: look.at({**first, "name": name, "path": name, "claims": first["claims"] if token else None})[
                "outcome"
            ]
            for name, token in (("/apart", True), ("/open", False), ("/always", True), ("/broken", True))
        }
        look.close()
        server.shutdown()
    # /always shows the same row to every tenant. The other tenant already saw this row, so the endpoint leaks nothing.
    assert outcomes == {"/apart": "apart", "/open": "shown", "/always": "nothing", "/broken": "failed"}
    assert Shop.tenant == 1
