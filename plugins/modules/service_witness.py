#!/usr/bin/python
"""Find the database that a running service uses, from its sessions and its environment."""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.aimemory.tenancy.plugins.module_utils import messages, request_options, witness

DOCUMENTATION = r"""
module: service_witness
short_description: Find the database that a running service uses, from its sessions and its environment
description:
  - Finds the processes of the unit by its control group, and reads their connections and their environment with the
    privileges of their own user. Matches the connections with the server's sessions - TCP connections by address and
    port, and Unix sockets by the socket at the other end.
  - If the service has no session, the module sends it a health request. If O(requests) is given, the module always
    sends these instead. Meanwhile, it reads the processes continuously, so that a session for a single request is seen
    as well.
  - Changes nothing. The result contains secrets, so the task needs C(no_log). Runs as root.
extends_documentation_fragment:
  - aimemory.tenancy.database
  - aimemory.tenancy.database.user
  - aimemory.tenancy.witness
options:
  requests:
    description: >-
      Requests that are sent one after the other instead of the health check, even if a session was found. Each has the
      options of M(aimemory.tenancy.service_request) and the options of a single request. A session for one request
      exists for milliseconds, so a second request makes it likely that a session is seen.
    type: list
    elements: dict
    default: []
author: AI-Memory operations
"""

EXAMPLES = r"""
- name: Inspect the running service
  become: true
  aimemory.tenancy.service_witness:
    unit: ai-memory
    database: ai_memory
    port: 5432
    user: postgres
    schema: public
    tables: [memories]
    health_url: http://127.0.0.1:8100/health
  no_log: true
"""

RETURN = r"""
unit:
  description:
    - load_state, active_state, main_pid, user, tasks (-1 if systemd does not count them), as_started.
    - as_started is true if the main process is the unit's own program and has a URL in its environment.
  returned: always
  type: dict
environment:
  description: >-
    The URLs in the environments of the unit's processes - url, processes (pid and name of each), sessions (whether one
    of these processes has a session).
  returned: always
  type: list
next_environment:
  description: The unit's URL for its next start - url, set_by (the file, or the setting of the unit), or problem.
  returned: always
  type: dict
rewritable:
  description: Whether a change to the URL in the first of O(files) takes effect at the next start.
  returned: always
  type: bool
processes:
  description: The processes of the unit - pid, name, readable.
  returned: always
  type: list
sessions:
  description: The processes' sessions, including ended sessions - pid (of the server process), process, name, database,
    role, reaches (whether the role has privileges on the tables).
  returned: always
  type: list
answers:
  description: The responses to O(requests), in their order, as RV(aimemory.tenancy.service_request#module:answers).
  returned: always
  type: list
strangers:
  description: The processes' connections to other PostgreSQL servers and to poolers - process, name, host, port,
    program, local, sessions_here (whether this server has sessions from that host).
  returned: always
  type: list
tells_sockets:
  description: Whether the kernel shows which Unix sockets are connected.
  returned: always
  type: bool
server:
  description: Whether PostgreSQL responded (answered), problem, and database (whether the database exists).
  returned: always
  type: dict
listeners:
  description: Names of the programs that listen on the port, if PostgreSQL did not respond.
  returned: always
  type: list
real_files:
  description: The path of each of O(files), with links resolved.
  returned: always
  type: list
files:
  description: The content of each of O(files) in Base64; null if it cannot be read.
  returned: always
  type: list
"""

REQUEST = {**request_options.OPTIONS, **request_options.REQUEST}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            **witness.OPTIONS,
            "requests": {"type": "list", "elements": "dict", "default": [], "options": REQUEST},
        },
        supports_check_mode=True,
    )
    looking = witness.Witness(module.params, module.run_command)
    try:
        looking.run()
    except witness.DOES_NOT_ANSWER as error:
        module.fail_json(msg=f"The service cannot be inspected: {messages.of_database(error)}", **looking.outcome)
    module.exit_json(changed=False, **looking.outcome)


if __name__ == "__main__":
    main()
