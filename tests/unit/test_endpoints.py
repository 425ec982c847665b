"""Requests to the endpoints in the model, and the report on endpoints that do not isolate tenants."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.aimemory.tenancy.plugins.plugin_utils.service import endpoints

CALLER = "+1555-runbook-1"
ENDPOINTS: list[dict[str, Any]] = [
    {"path": "/profile/%(user_id)s"},
    {"path": "/shared", "token": False},
    {"path": "/search", "method": "POST", "body": {"who": ["%(user_id)s"], "limit": 5, "also": f"of {CALLER}"}},
]


def row(tenant: str | None, count: int, caller: str = CALLER) -> dict[str, Any]:
    return {"caller": caller, "tenant": tenant, "count": count}


def test_endpoints_become_requests_of_the_caller() -> None:
    profile, shared, search = endpoints.requests(ENDPOINTS, CALLER, {"customer_id": 1})
    assert profile == {
        "name": "GET /profile/{user_id}", "method": "GET", "path": "/profile/%2B1555-runbook-1",
        "claims": {"customer_id": 1},
    }  # fmt: skip
    assert "claims" not in shared
    assert search["body"] == {"who": [CALLER], "limit": 5, "also": f"of {CALLER}"}
    assert [item["name"] for item in endpoints.requests(ENDPOINTS, CALLER, {}, "GET")] == [
        "GET /profile/{user_id}", "GET /shared",
    ]  # fmt: skip
    assert not any("claims" in item for item in endpoints.requests(ENDPOINTS, CALLER, {}))


@pytest.mark.parametrize(
    ("value", "has_token"), [(True, True), (False, False), ("true", True), ("false", False), ("no", False)]
)
def test_an_endpoint_without_a_token_may_be_given_as_a_string(value: bool | str, *, has_token: bool) -> None:
    (made,) = endpoints.requests([{"path": "/shared", "token": value}], CALLER, {"customer_id": 1})
    assert ("claims" in made) is has_token


def test_each_writer_is_a_caller_of_its_own() -> None:
    made = endpoints.writers(ENDPOINTS[2:] * 2, CALLER, {})
    assert [item["body"]["who"] for item in made] == [[f"{CALLER}-1"], [f"{CALLER}-2"]]
    assert [item["body"]["also"] for item in made] == [f"of {CALLER}-1", f"of {CALLER}-2"]


def test_claims_are_those_of_the_model() -> None:
    token = {"secret": "KEY", "tenant_claim": "org", "caller_claim": "sub", "claims": {"iss": "runbook"}}
    assert endpoints.claims(token, 7, CALLER) == {"iss": "runbook", "org": 7, "sub": CALLER}
    assert endpoints.claims({"secret": "KEY", "tenant_claim": "org"}, 7, CALLER) == {"org": 7}
    assert endpoints.claims({}, 7, CALLER) == {}


def test_writers_that_file_rows_under_another_tenant_are_told() -> None:
    of_two = [row("1", 1, f"{CALLER}-2"), row("7", 1, f"{CALLER}-1")]
    rows = [
        {"table": "public.memories", "stored": True, "tenants": of_two},
        {"table": "public.calls", "stored": False, "tenants": [row("", 1, f"{CALLER}-2"), row("1", 9)]},
        {"table": "public.tenantless", "stored": False, "tenants": [row(None, 1, f"{CALLER}-1")]},
    ]  # fmt: skip
    writing = [{"path": "/a", "method": "POST"}, {"path": "/b", "method": "POST"}]
    assert endpoints.filed(rows, writing, CALLER, 7) == [
        "POST /b stores rows of tenant 7 under tenant 1 (public.memories).",
        "POST /b stores rows of tenant 7 under tenant NULL (public.calls).",
    ]


def test_what_endpoints_show_another_tenant_is_told() -> None:
    def seen(name: str, outcome: str, *, token: bool = True) -> dict[str, Any]:
        return {"name": f"GET /{name}", "outcome": outcome, "token": token, "said": "HTTP 500"}

    told = endpoints.leaks(
        [
            seen("a", "apart"), seen("b", "shown"), seen("c", "shown", token=False), seen("d", "nothing"),
            seen("e", "failed"),
        ],
        1, 7,
    )  # fmt: skip
    assert told["apart"] == 1
    assert told["shown"][0] == "GET /b shows tenant 7 rows of tenant 1."
    assert told["shown"][1].startswith("GET /c requires no token and shows rows of tenant 1 to")
    assert told["unproven"] == [
        "Isolation in GET /e is not proven: the endpoint returns HTTP 500.",
        "Isolation in GET /d is not proven: even tenant 1 sees no rows there.",
    ]
