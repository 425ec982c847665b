#!/usr/bin/python
"""Ask what runs which database a service works in: its sessions, and its environment."""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.aimemory.tenancy.plugins.module_utils import messages, witness

DOCUMENTATION = r"""
module: service_witness
short_description: Ask what runs which database a service works in
description:
  - Finds the processes of the unit by its control group, and reads their connections and their environment with the
    rights of their own user. The connections are matched with the server's sessions, by address and port over TCP and
    by the other end of the socket over Unix sockets.
  - A service that has no session is asked for its health, or does what O(request) asks for, and is looked at without a
    pause meanwhile. A session that is opened for one request is seen as well.
  - Changes nothing. The result holds secrets, so the task needs C(no_log). Runs as root.
extends_documentation_fragment:
  - aimemory.tenancy.database
  - aimemory.tenancy.database.user
  - aimemory.tenancy.witness
options:
  request:
    description: >-
      What the service is asked for, twice, instead of its health, also where a session is found. It has the options of
      M(aimemory.tenancy.service_request), and beside them those of its one request.
    type: dict
author: AI-Memory operations
"""

EXAMPLES = r"""
- name: Ask the service
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
    - load_state, active_state, main_pid, user, tasks (-1 where systemd does not count them), as_started (whether the
      main process is the unit's program itself, no other one that it became, and has a URL in its environment).
  returned: always
  type: dict
environment:
  description: >-
    The URLs that the unit's processes have in their environment - url, processes (pid and name each), sessions (whether
    such a process has a session).
  returned: always
  type: list
next_environment:
  description: What the unit gets at its next start - url, set_by (the file, or the setting of the unit), or problem.
  returned: always
  type: dict
rewritable:
  description: Whether another URL in the first of O(files) would be another one at the next start.
  returned: always
  type: bool
processes:
  description: The processes of the unit - pid, name, readable.
  returned: always
  type: list
sessions:
  description: Their sessions, also those that have ended since - pid (of the server), process, name, database, role,
    reaches (whether the role has rights on the tables).
  returned: always
  type: list
strangers:
  description: Their connections to other PostgreSQL servers and to poolers - process, name, host, port, program, local,
    sessions_here (whether the server has sessions from there).
  returned: always
  type: list
tells_sockets:
  description: Whether the kernel tells which Unix sockets are connected.
  returned: always
  type: bool
server:
  description: Whether PostgreSQL answered; problem, or database (whether it exists).
  returned: always
  type: dict
listeners:
  description: Names of the programs that accept connections on the port, where PostgreSQL did not answer.
  returned: always
  type: list
real_files:
  description: The path of each of O(files) that links lead to.
  returned: always
  type: list
files:
  description: What each of O(files) holds, in Base64; none where it cannot be read.
  returned: always
  type: list
"""


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec={**witness.OPTIONS, "request": {"type": "dict"}}, supports_check_mode=True)
    looking = witness.Witness(module.params, module.run_command)
    try:
        looking.run()
    except witness.DOES_NOT_ANSWER as error:
        module.fail_json(msg=f"The service cannot be looked at: {messages.of_database(error)}", **looking.outcome)
    module.exit_json(changed=False, **looking.outcome)


if __name__ == "__main__":
    main()
