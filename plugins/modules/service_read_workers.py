#!/usr/bin/python
"""Send a request to a service until each of its workers has answered it from the database."""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.aimemory.tenancy.plugins.module_utils import (
    api,
    messages,
    reached_workers,
    request_options,
    sessions,
    witness,
)

DOCUMENTATION = r"""
module: service_read_workers
short_description: Send a request to a service until each of its workers has answered it from the database
description:
  - Sends the request over new connections, in rounds of one request for each worker. Ends when each worker has
    responded without an error, and a statement has started in the worker's own session during the round. The task fails
    if a response is an error.
  - A response without the request's marker counts as an error.
  - This proves that each worker can read with its session after a change. It does not prove that the response is
    complete. If the service closes each connection immediately, requests of other callers may have caused the
    statement.
  - A service that opens a session for each request, or connects through a pooler, has no session to observe. In
    this case, RV(unproven) names its processes.
  - The headers may be secrets, so the task needs C(no_log). Runs as root.
extends_documentation_fragment:
  - aimemory.tenancy.api
  - aimemory.tenancy.database
  - aimemory.tenancy.database.user
options:
  request:
    description: The request, with the keys of O(aimemory.tenancy.service_request#module:requests).
    type: dict
    required: true
  rounds:
    description: Maximum number of rounds, each with one request for each worker.
    type: int
    default: 50
  patience:
    description: Seconds after which no further round starts.
    type: int
    default: 60
author: AI-Memory operations
"""

EXAMPLES = r"""
- name: Read through each worker
  become: true
  aimemory.tenancy.service_read_workers:
    unit: ai-memory
    url: http://127.0.0.1:8100
    timeout: 60
    secret: JWT_SECRET_KEY
    names: {column: customer_id, setting: app.current_tenant, tables: [memories]}
    database: ai_memory
    port: 5432
    user: postgres
    request:
      name: retrieve
      method: POST
      path: /memory/retrieve
      body: {user_id: "+15550000000"}
      claims: {customer_id: 1, sub: "+15550000000"}
  no_log: true
"""

RETURN = r"""
workers:
  description: The process IDs of the workers.
  returned: success
  type: list
requests:
  description: Number of requests that were sent.
  returned: success
  type: int
unproven:
  description: A sentence that names the workers that are not proven to read with their sessions, or "".
  returned: success
  type: str
"""


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            **request_options.OPTIONS,
            **{name: witness.OPTIONS[name] for name in ("database", "port", "user")},
            "request": {"type": "dict", "required": True, "options": request_options.REQUEST},
            "rounds": {"type": "int", "default": 50},
            "patience": {"type": "int", "default": 60},
        },
        supports_check_mode=True,
    )
    wanted = module.params
    _, caller = api.caller(module)
    ask = reached_workers.asker(wanted["url"], wanted["timeout"], caller, api.names(wanted["names"]), wanted["request"])
    limits = reached_workers.Limits(wanted["rounds"], wanted["patience"])
    try:
        opened = sessions.opened(wanted["user"], "postgres", wanted["port"], autocommit=True)
        with opened as connection, connection.cursor() as cursor:
            host = reached_workers.Host(module.run_command, f"{wanted['unit']}.service", wanted["database"], cursor)
            found = reached_workers.read_through_each(host, ask, limits)
    except reached_workers.ReadError as error:
        module.fail_json(msg=str(error))
    except witness.DOES_NOT_ANSWER as error:
        module.fail_json(msg=messages.of_database(error))
    module.exit_json(changed=False, **found)


if __name__ == "__main__":
    main()
