#!/usr/bin/python
"""Send requests to a service's API on its own host, with tokens that are signed with its own secret."""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.aimemory.tenancy.plugins.module_utils import api, request_options

DOCUMENTATION = r"""
module: service_request
short_description: Send requests to a service's API on its own host, with tokens that are signed with its own secret
description:
  - Sends requests in order over one connection, without any proxy. A request with O(requests[].claims) gets a bearer
    token (HS256) that is signed with the secret in the service's own environment.
  - Headers and tokens are not returned, and are removed from the service's responses.
  - An error response is returned and does not fail the task. The headers may be secrets, so the task needs C(no_log).
    Runs as root.
extends_documentation_fragment:
  - aimemory.tenancy.api
options:
  requests:
    description: The requests.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the request.
        required: true
      method:
        description: The HTTP method.
        type: str
        default: GET
      path:
        description: The path, with its query.
        type: str
        required: true
      body:
        description: The JSON document to send; no body if omitted.
        type: dict
      claims:
        description: Claims of the token; without claims, no token is sent.
        type: dict
      marker:
        description: A string to search for in the response.
        type: str
        default: ""
author: AI-Memory operations
"""

EXAMPLES = r"""
- name: Store a memory
  become: true
  aimemory.tenancy.service_request:
    unit: ai-memory
    url: http://127.0.0.1:8100
    timeout: 60
    secret: JWT_SECRET_KEY
    names: {column: customer_id, setting: app.current_tenant, tables: [memories]}
    requests:
      - name: store
        method: POST
        path: /memory/store
        body: {user_id: "+15550000000", content: she prefers mornings}
        claims: {customer_id: 1, sub: "+15550000000"}
  no_log: true
"""

RETURN = r"""
token:
  description: >-
    C(signed) if the module signs tokens, C(given) if O(headers) contains a token, or C(none) if no token is needed.
    Otherwise, tokens cannot be signed because the secret is C(missing) or C(asymmetric).
  returned: success
  type: str
answers:
  description: >-
    For each request - name, verdict (ok, refused, database, unavailable, broken), code (the SQLSTATE, if known) and
    seconds. C(said) is the status and the beginning of the body; it is empty for a response that is ok and has no
    marker. C(marked) is true if the response contains the marker. C(filled) lists the non-empty parts of the document.
  returned: success
  type: list
"""


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            **request_options.OPTIONS,
            "requests": {"type": "list", "elements": "dict", "required": True, "options": request_options.REQUEST},
        },
        supports_check_mode=True,
    )
    wanted = module.params
    token, caller = api.caller(module)
    names = api.names(wanted["names"])
    conversation = api.Conversation(wanted["url"], wanted["timeout"])
    try:
        answers = [api.answered(conversation, caller, names, request) for request in wanted["requests"]]
    finally:
        conversation.close()
    module.exit_json(changed=False, token=token, answers=answers)


if __name__ == "__main__":
    main()
