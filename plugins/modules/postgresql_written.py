#!/usr/bin/python
"""List the tables that were written between a dump and a transaction."""

from __future__ import annotations

import psycopg2
from ansible.module_utils.basic import AnsibleModule

from ansible_collections.aimemory.tenancy.plugins.module_utils import backup_files, contents, messages, sessions

DOCUMENTATION = r"""
module: postgresql_written
short_description: List the tables that were written between a dump and a transaction
description:
  - Reads every table once, in a read-only snapshot. The transaction IDs of the rows show which rows the transaction saw
    but the dump lacks.
extends_documentation_fragment:
  - aimemory.tenancy.database
  - aimemory.tenancy.database.user
options:
  since:
    description: The value C(snapshot_xmin) in the manifest of M(aimemory.tenancy.backup).
    type: int
    required: true
  until:
    description: C(txid_current()) of the transaction.
    type: int
    required: true
  tables:
    description: The value C(tables) in the manifest of M(aimemory.tenancy.backup).
    type: list
    elements: dict
    required: true
  rewritten:
    description: Tables, as schema.name, in which the caller itself has changed every row in the meantime.
    type: list
    elements: str
    default: []
  path:
    description: A file for the result, which only O(user) may read; none by default.
    type: path
author: AI-Memory operations
"""

EXAMPLES = r"""
- name: List the tables that were written after the backup
  become: true
  aimemory.tenancy.postgresql_written:
    database: ai_memory
    port: 5432
    user: postgres
    since: "{{ backup_manifest.snapshot_xmin }}"
    until: 84211
    tables: "{{ backup_manifest.tables }}"
"""

RETURN = r"""
tables:
  description:
    - One entry for each written table, with schema, name, written (rows added or changed) and gone (rows in the dump
      that were changed or deleted). Both are null for a table in O(rewritten).
  returned: success
  type: list
"""


def main() -> None:
    """Run the module."""
    number = {"type": "int", "required": True}
    module = AnsibleModule(
        argument_spec={
            "database": {"type": "str", "required": True}, "port": number, "user": {"type": "str", "required": True},
            "since": number, "until": number, "tables": {"type": "list", "elements": "dict", "required": True},
            "rewritten": {"type": "list", "elements": "str", "default": []}, "path": {"type": "path"},
        },
        supports_check_mode=True,
    )  # fmt: skip
    wanted = module.params
    opened = sessions.opened(wanted["user"], wanted["database"], wanted["port"], kind="reading")
    try:
        with opened as connection, connection.cursor() as cursor:
            tables = contents.changes(cursor, wanted["since"], wanted["until"], wanted["tables"], wanted["rewritten"])
    except (psycopg2.Error, sessions.SessionError) as error:
        module.fail_json(msg=f"The rows written since the dump are unknown: {messages.of_database(error)}")
    if wanted["path"] and not module.check_mode:
        try:
            backup_files.put(wanted["path"], {"version": 1, "tables": tables}, wanted["user"])
        except OSError as error:
            module.fail_json(msg=f"{wanted['path']} cannot be written: {error.strerror}.", tables=tables)
    module.exit_json(changed=False, tables=tables)


if __name__ == "__main__":
    main()
