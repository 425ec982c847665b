#!/usr/bin/python
"""Look which endpoints of a service show one tenant what is another's."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.aimemory.tenancy.plugins.module_utils import api

DOCUMENTATION = r"""
module: service_endpoints
short_description: Look which endpoints of a service show one tenant what is another's
description:
  - Asks each endpoint as another tenant, as the tenant itself, and as the other one again, over one connection, so that
    one worker and its session answer all of them. What is shown to the tenant, and to the other one behind it although
    not before it, is the tenant's.
  - An endpoint that asks for no token shows whatever the session's tenant is, which is that of the request before it.
  - What the endpoints show is returned nowhere. The headers may be secrets, so the task needs C(no_log). Runs as root.
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
        description: What the endpoint is called.
        type: str
        required: true
      method:
        description: The method.
        type: str
        required: true
      path:
        description: The path, with its query.
        type: str
        required: true
      body:
        description: What is sent as JSON; nothing where it is left out.
        type: dict
      claims:
        description: What the tenant's token claims; an endpoint without it asks for no token.
        type: dict
  other:
    description: What the other tenant's token claims otherwise.
    type: dict
    required: true
author: AI-Memory operations
"""

EXAMPLES = r"""
- name: Look what another tenant is shown
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
    Whether tokens could be C(signed); one is C(given) in O(headers), C(none) was wanted, their secret is C(missing), or
    it is C(asymmetric).
  returned: success
  type: str
endpoints:
  description: >-
    Of each its name, its token (whether it asks for one), its outcome (apart; shown: the other tenant saw what is the
    tenant's; nothing: the tenant itself was shown nothing; failed) and, of one that failed, what it said.
  returned: success
  type: list
"""


class Look:
    """The endpoints asked as two tenants."""

    def __init__(self, wanted: dict[str, Any], caller: api.Caller) -> None:
        """Take the options of the module and who asks."""
        self._caller, self._names = caller, api.names(wanted["names"])
        self._conversation = api.Conversation(wanted["url"], wanted["timeout"])
        self._other: dict[str, Any] = wanted["other"]
        # By it the session gets its tenant before an endpoint that asks for no token.
        self._first: dict[str, Any] | None = next((item for item in wanted["endpoints"] if item["claims"]), None)

    def at(self, endpoint: dict[str, Any]) -> dict[str, Any]:
        """Return what came of one endpoint."""
        found = {"name": endpoint["name"], "token": endpoint["claims"] is not None, "said": ""}
        answers = [self._asked(endpoint, other=other) for other in (True, False, True)]
        if not found["token"]:
            # Whoever asks without a token behind the tenant's request.
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
        """End the connection; its session keeps the tenant of the last request, which is to be a caller's."""
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
            **api.OPTIONS, "other": {"type": "dict", "required": True},
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
