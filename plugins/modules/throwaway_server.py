#!/usr/bin/python
"""Create a throwaway PostgreSQL server with a restored copy of a database, or remove it."""

from __future__ import annotations

import psycopg2
from ansible.module_utils.basic import AnsibleModule

from ansible_collections.aimemory.tenancy.plugins.module_utils import messages, restored_copy
from ansible_collections.aimemory.tenancy.plugins.module_utils.errors import TenancyError

DOCUMENTATION = r"""
module: throwaway_server
short_description: Create a throwaway PostgreSQL server with a restored copy of a database, or remove it
description:
  - Starts another server with the binaries of the running server, but with its own directory, socket and system user.
    It accepts no network connections, writes no WAL for replication and runs no autovacuum.
  - The new server gets the roles of the running server, without their passwords, and a restored dump. Code that the
    database's roles own never gets more privileges there than its owner has.
  - Nothing is written to the running server. The throwaway server stops after the time in the C(seconds) option of
    O(server), and removes its files. Leftovers of a lost run are removed first.
  - Subscriptions and user mappings are omitted; publications and event triggers are kept.
  - Runs as root.
extends_documentation_fragment:
  - aimemory.tenancy.database
  - aimemory.tenancy.database.user
  - aimemory.tenancy.throwaway
options:
  state:
    description: Whether the server is created or removed.
    type: str
    choices: [present, absent]
    required: true
  files:
    description: Directory of the dump, which contains C(database).
    type: path
  mode:
    description: Whether to restore all rows, or the definitions with samples of rows.
    type: str
    choices: [full, schema]
    default: full
  tables:
    description: The value C(tables) in the manifest of M(aimemory.tenancy.backup), for the comparison of the rows.
    type: list
    elements: dict
    default: []
  hash_max_bytes:
    description: Maximum size, in bytes, of a table whose rows are hashed. The rows of larger tables are only counted.
    type: int
    default: 0
  jobs:
    description: Number of parallel connections for the restore.
    type: int
    default: 1
author: AI-Memory operations
"""

EXAMPLES = r"""
- name: Restore a backup into a throwaway server
  become: true
  aimemory.tenancy.throwaway_server:
    state: present
    database: ai_memory
    port: 5432
    user: postgres
    server:
      directory: /var/backups
      system_user: tenancy-throwaway
    files: /var/backups/ai-memory/ai_memory-20261124T181104Z
"""

RETURN = r"""
host:
  description: Directory of the server's socket, for the C(host) option of other modules.
  returned: with O(state=present)
  type: str
walls:
  description: For each barrier that a probe has tested, whether it is effective.
  returned: with O(state=present)
  type: dict
left:
  description: Sentences about the parts of the dump and of the running server that were omitted.
  returned: with O(state=present)
  type: list
differences:
  description: Sentences about the differences between the restored rows and O(tables); empty unless O(mode=full).
  returned: with O(state=present)
  type: list
seconds:
  description: Durations of the start, the restore and the comparison, in seconds.
  returned: with O(state=present)
  type: dict
"""


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["present", "absent"], "required": True},
            "database": {"type": "str", "required": True}, "user": {"type": "str", "required": True},
            "port": {"type": "int", "required": True},
            "server": {"type": "dict", "options": restored_copy.OPTIONS, "required": True},
            "files": {"type": "path"}, "mode": {"type": "str", "choices": ["full", "schema"], "default": "full"},
            "tables": {"type": "list", "elements": "dict", "default": []},
            "hash_max_bytes": {"type": "int", "default": 0}, "jobs": {"type": "int", "default": 1},
        },
        required_if=[("state", "present", ["files"])],
        supports_check_mode=True,
    )  # fmt: skip
    if module.check_mode:
        module.exit_json(changed=True)
    wanted = module.params
    try:
        copy = restored_copy.Copy(module.run_command, wanted)
        if wanted["state"] == "absent":
            module.exit_json(changed=copy.server.end())
        result = copy.make(wanted["files"], wanted["tables"], wanted["mode"])
    except (TenancyError, psycopg2.Error, OSError) as error:
        module.fail_json(msg=messages.of_database(error))
    module.exit_json(changed=True, **result)


if __name__ == "__main__":
    main()
