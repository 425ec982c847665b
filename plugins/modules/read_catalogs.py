#!/usr/bin/python
"""Read the catalogs of a database in one read-only session."""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.aimemory.tenancy.plugins.module_utils import inspection

DOCUMENTATION = r"""
module: read_catalogs
short_description: Read the catalogs of a database in one read-only session
description:
  - The inspect_database action passes the queries, and derives the state and the audit from their results.
extends_documentation_fragment:
  - aimemory.tenancy.database
  - aimemory.tenancy.database.socket
  - aimemory.tenancy.database.user
  - aimemory.tenancy.database.queries
author: AI-Memory operations
"""

EXAMPLES = r"""
- name: Read the name of the database
  become: true
  aimemory.tenancy.read_catalogs:
    database: ai_memory
    port: 5432
    user: postgres
    queries:
      - {name: name, sql: SELECT current_database()}
"""

RETURN = r"""
rows:
  description: The rows of each query by its name, as dicts of columns; null for a statement that returns no rows.
  returned: success
  type: dict
"""


def main() -> None:
    """Run the module."""
    text = {"type": "str", "required": True}
    module = AnsibleModule(
        argument_spec={
            "database": text, "port": {"type": "int", "required": True}, "host": {"type": "str", "default": ""},
            "user": text, **inspection.OPTIONS,
        },
        supports_check_mode=True,
    )  # fmt: skip
    wanted = module.params
    found = inspection.database(
        wanted["database"], wanted["port"], wanted["user"], wanted["queries"], wanted["values"], host=wanted["host"]
    )
    if found["problem"]:
        module.fail_json(msg=f"The catalogs of {wanted['database']} cannot be read: {found['problem']}")
    module.exit_json(changed=False, rows=found["rows"])


if __name__ == "__main__":
    main()
