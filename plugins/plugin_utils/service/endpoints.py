"""The endpoints of the service's API: their requests, and whether they isolate tenants."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from ansible.module_utils.parsing.convert_bool import boolean

from ...module_utils.smoke import untold
from ...module_utils.smoke_rows import Found, of_caller

# The placeholder for the caller in paths and bodies of the model.
USER = "%(user_id)s"


def requests(
    endpoints: Iterable[Mapping[str, Any]],
    caller: str,
    claims: Mapping[str, Any],
    method: str = "",
    *,
    own: str | None = None,
) -> list[dict[str, Any]]:
    """Return the requests for the model's endpoints, as input for the service_request module.

    ``caller`` replaces ``%(user_id)s`` in a path and in the strings of a body. ``own``, if set, replaces both the
    placeholder and ``caller``. ``claims`` are the claims of the token. An endpoint with ``token: false`` is called
    without claims. If ``method`` is set, only requests with this method are returned.
    """
    found = []
    for endpoint in endpoints:
        way, path = endpoint.get("method", "GET"), endpoint["path"]
        made: dict[str, Any] = {
            "name": f"{way} {path.replace(USER, '{user_id}')}", "method": way,
            "path": path.replace(USER, quote(own or caller, safe="")),
        }  # fmt: skip
        if "body" in endpoint:
            made["body"] = _named(endpoint["body"], caller, own or caller)
        if claims and boolean(endpoint.get("token", True), strict=False):
            made["claims"] = dict(claims)
        if "marker" in endpoint:
            made["marker"] = endpoint["marker"]
        if method in ("", way):
            found.append(made)
    return found


def _named(value: Any, caller: str, own: str) -> Any:
    """Return a body in whose strings ``own`` replaces the id ``caller`` and the placeholder."""
    if isinstance(value, str):
        return value.replace(caller, USER).replace(USER, own)
    if isinstance(value, Mapping):
        return {key: _named(item, caller, own) for key, item in value.items()}
    return [_named(item, caller, own) for item in value] if isinstance(value, list) else value


def writers(endpoints: Iterable[Mapping[str, Any]], caller: str, claims: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the requests of write endpoints, in order, each with a separate caller id."""
    return [
        request
        for number, endpoint in enumerate(endpoints, 1)
        for request in requests([endpoint], caller, claims, own=f"{caller}-{number}")
    ]


def filed(found: Sequence[Found], endpoints: Iterable[Mapping[str, Any]], caller: str, tenant: int | str) -> list[str]:
    """Return a sentence for each request of ``writers`` that stored rows of ``tenant`` under another tenant."""
    sentences = []
    for number, request in enumerate(writers(endpoints, caller, {}), 1):
        elsewhere: dict[str, set[str]] = {}
        for table in of_caller(found, f"{caller}-{number}"):
            for item in table["tenants"]:
                if item["tenant"] not in (None, str(tenant)):
                    elsewhere.setdefault(item["tenant"] or "NULL", set()).add(table["table"])
        sentences += [
            f"{request['name']} stores rows of tenant {tenant} under tenant {other} ({', '.join(sorted(tables))})."
            for other, tables in sorted(elsewhere.items())
        ]
    return sentences


def leaks(endpoints: Iterable[Mapping[str, Any]], tenant: int | str, other: int | str) -> dict[str, Any]:
    """Return ``shown`` and ``unproven`` (sentences), and ``apart`` (the number of endpoints that separate tenants)."""
    shown, unproven, nothing, apart = [], [], [], 0
    for item in endpoints:
        if item["outcome"] == "apart":
            apart += 1
        elif item["outcome"] == "nothing":
            nothing.append(item["name"])
        elif item["outcome"] == "failed":
            unproven.append(f"Isolation in {item['name']} is not proven: the endpoint returns {item['said']}.")
        elif item["token"]:
            shown.append(f"{item['name']} shows tenant {other} rows of tenant {tenant}.")
        else:
            shown.append(
                f"{item['name']} requires no token and shows rows of tenant {tenant} to the next"
                " caller: the session still has the tenant of the previous request."
            )
    if nothing:
        unproven.append(f"Isolation in {', '.join(nothing)} is not proven: even tenant {tenant} sees no rows there.")
    return {"shown": shown, "unproven": unproven, "apart": apart}


def separation(read: Mapping[str, Any], tenants: Sequence[int | str], about: Mapping[str, Any]) -> dict[str, Any]:
    """Return the results of reading as two tenants: ``shown`` and ``unproven`` (sentences), and ``api`` for the report.

    ``read`` is the result of the service_endpoints module. ``api`` has token, endpoints (their number) and apart (the
    number of endpoints that separate tenants). ``tenants`` are the default tenant and the other one. ``about`` has
    service, and secret: the environment variable that contains the secret for the tokens.
    """
    token, found = read["token"], leaks(read["endpoints"], *tenants)
    if token != "signed":
        reason = untold(token, about["secret"])
        found["unproven"] = [f"It is not proven that the API of {about['service']} isolates tenants: {reason}."]
    api = {"token": token, "endpoints": len(read["endpoints"]), "apart": found["apart"]}
    return {"api": api, "shown": found["shown"], "unproven": found["unproven"]}


def untested(
    answers: Iterable[Mapping[str, Any]], endpoints: Iterable[Mapping[str, Any]], tenant: int | str
) -> list[str]:
    """Return a sentence for each write endpoint that could not be tested.

    ``answers`` begins with the responses of ``endpoints`` to ``tenant``. Later responses, such as to a read as another
    tenant, say nothing about them.
    """
    return [
        f"The tenant of the rows that {answer['name']} stores is not proven: as tenant {tenant}, the"
        f" endpoint returns {answer['said']}."
        for answer, _ in zip(answers, endpoints, strict=False)
        if answer["verdict"] != "ok"
    ]


def claims(token: Mapping[str, Any], tenant: int | str, caller: str) -> dict[str, Any]:
    """Return the claims of a token for a tenant's caller, or {} if ``token`` (service_token) has no secret."""
    if not token.get("secret"):
        return {}
    named = {"tenant_claim": tenant, "caller_claim": caller}
    return {**token.get("claims", {}), **{token[name]: value for name, value in named.items() if token.get(name)}}
