#!/usr/bin/python
"""Find the endpoints of a service that show one tenant another tenant's rows."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.aimemory.tenancy.plugins.module_utils import api, request_options

DOCUMENTATION = r"""
module: service_endpoints
short_description: Find the endpoints of a service that show one tenant another tenant's rows
description:
  - Calls each endpoint as another tenant, as the tenant in O(endpoints[].claims), and as the other tenant again. All
    requests use one connection, so that one worker and its session handle all of them. A value belongs to the tenant if
    the tenant sees the value and the other tenant did not see it before. The endpoint leaks the value if the other
    tenant sees it afterwards.
  - An endpoint without a token uses the tenant of the session, which is the tenant of the previous request.
  - The content of the responses is not returned. The headers may be secrets, so the task needs C(no_log). Runs as root.
extends_documentation_fragment:
  - aimemory.tenancy.api
options:
  endpoints:
    description: The endpoints.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the endpoint.
        type: str
        required: true
      method:
        description: The HTTP method.
        type: str
        required: true
      path:
        description: The path, with its query.
        type: str
        required: true
      body:
        description: The JSON document to send; no body if omitted.
        type: dict
      claims:
        description: Claims of the tenant's token; an endpoint without claims needs no token.
        type: dict
  other:
    description: Claims that differ in the other tenant's token.
    type: dict
    required: true
author: AI-Memory operations
"""

EXAMPLES = r"""
- name: Check what another tenant is shown
  become: true
  aimemory.tenancy.service_endpoints:
    unit: ai-memory
    url: http://127.0.0.1:8100
    timeout: 60
    secret: JWT_SECRET_KEY
    names: {column: customer_id, setting: app.current_tenant, tables: [memories]}
    endpoints:
      - {name: GET /v1/memories, method: GET, path: /v1/memories, claims: {customer_id: 1}}
      - {name: GET /v1/memories/shared, method: GET, path: /v1/memories/shared}
    other: {customer_id: 32767}
  no_log: true
"""

RETURN = r"""
token:
  description: >-
    C(signed) if the module signs tokens, C(given) if O(headers) contains a token, or C(none) if no token is needed.
    Otherwise, tokens cannot be signed because the secret is C(missing) or C(asymmetric).
  returned: success
  type: str
endpoints:
  description: >-
    For each endpoint - name, token (whether it needs one), outcome and, if it failed, said (the response).
    The outcome is apart, shown (the other tenant saw the tenant's rows), nothing (the tenant itself saw nothing) or
    failed.
  returned: success
  type: list
"""


class Look:
    """The requests to the endpoints, sent as two tenants."""

    def __init__(self, wanted: dict[str, Any], caller: api.Caller) -> None:
        """Initialize with the options of the module, and the caller, which makes the headers of the requests."""
        self._caller, self._names = caller, api.names(wanted["names"])
        self._conversation = api.Conversation(wanted["url"], wanted["timeout"])
        self._other: dict[str, Any] = wanted["other"]
        # Before each request without a token, a request to the first endpoint with claims sets the session's tenant.
        self._first: dict[str, Any] | None = next((item for item in wanted["endpoints"] if item["claims"]), None)

    def at(self, endpoint: dict[str, Any]) -> dict[str, Any]:
        """Return the outcome of one endpoint."""
        found = {"name": endpoint["name"], "token": endpoint["claims"] is not None, "said": ""}
        answers = [self._asked(endpoint, other=other) for other in (True, False, True)]
        if not found["token"]:
            # Any client without a token that sends its request after the tenant's request gets this same response.
            answers[2] = answers[1]
        failed = [answer for answer in answers if api.judged(answer, self._names)[0] != api.OK]
        if failed:
            return {**found, "outcome": "failed", "said": api.shown(failed[0], self._caller)}
        before, own, behind = (api.values(answer.document) for answer in answers)
        if not own - before:
            return {**found, "outcome": "nothing"}
        return {**found, "outcome": "shown" if (own - before) & behind else "apart"}

    def _asked(self, endpoint: dict[str, Any], *, other: bool) -> api.Answer:
        if endpoint["claims"] is None and self._first is not None:
            self._send(self._first, other=other)
        return self._send(endpoint, other=other)

    def _send(self, endpoint: dict[str, Any], *, other: bool) -> api.Answer:
        claims = endpoint["claims"]
        headers = self._caller.headers({**claims, **self._other} if claims and other else claims)
        return self._conversation.ask(endpoint["method"], endpoint["path"], endpoint["body"], headers)

    def close(self) -> None:
        """Send a final request as the tenant of the first endpoint with claims, and close the connection.

        The session keeps the tenant of its last request, which must not be the other tenant.
        """
        if self._first is not None:
            self._send(self._first, other=False)
        self._conversation.close()


def main() -> None:
    """Run the module."""
    text = {"type": "str", "required": True}
    endpoint = {
        "name": text, "method": text, "path": text, "body": {"type": "dict"}, "claims": {"type": "dict"},
    }  # fmt: skip
    module = AnsibleModule(
        argument_spec={
            **request_options.OPTIONS, "other": {"type": "dict", "required": True},
            "endpoints": {"type": "list", "elements": "dict", "required": True, "options": endpoint},
        },
        supports_check_mode=True,
    )  # fmt: skip
    token, caller = api.caller(module)
    look = Look(module.params, caller)
    try:
        found = [look.at(endpoint) for endpoint in module.params["endpoints"]] if token == "signed" else []
    finally:
        look.close()
    module.exit_json(changed=False, token=token, endpoints=found)


if __name__ == "__main__":
    main()
