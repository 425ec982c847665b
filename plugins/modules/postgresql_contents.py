#!/usr/bin/python
"""Count and hash the rows of every table of a database."""

from __future__ import annotations

import contextlib

import psycopg2
from ansible.module_utils.basic import AnsibleModule

from ansible_collections.aimemory.tenancy.plugins.module_utils import contents, messages, sessions

DOCUMENTATION = r"""
module: postgresql_contents
short_description: Count and hash the rows of every table of a database
description:
  - Reads all tables in one read-only snapshot; takes no lock stronger than ACCESS SHARE.
extends_documentation_fragment:
  - aimemory.tenancy.database
  - aimemory.tenancy.database.socket
options:
  hash_max_bytes:
    description: Maximum size, in bytes, of a table whose rows are hashed. The rows of larger tables are only counted.
    type: int
    required: true
author: AI-Memory operations
"""

EXAMPLES = r"""
- name: Count the rows
  aimemory.tenancy.postgresql_contents:
    database: ai_memory
    port: 5432
    hash_max_bytes: 268435456
"""

RETURN = r"""
tables:
  description:
    - One entry for each table, with schema, name, partitioned, rows and hash (null for a partitioned table or one that
      is too large).
  returned: success
  type: list
"""


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "database": {"type": "str", "required": True},
            "host": {"type": "str", "default": ""},
            "port": {"type": "int", "required": True},
            "hash_max_bytes": {"type": "int", "required": True},
        },
        supports_check_mode=True,
    )
    wanted = module.params
    try:
        connection = sessions.connect(wanted["database"], wanted["port"], host=wanted["host"], kind="reading")
        with contextlib.closing(connection), connection.cursor() as cursor:
            tables = contents.read(cursor, wanted["hash_max_bytes"])
    except (psycopg2.Error, sessions.SessionError) as error:
        module.fail_json(msg=f"The rows of {wanted['database']} cannot be counted: {messages.of_database(error)}")
    module.exit_json(changed=False, tables=tables)


if __name__ == "__main__":
    main()
