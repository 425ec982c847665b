#!/usr/bin/python
"""Find the backup for a restore, and report whether it is undamaged."""

from __future__ import annotations

import os
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.aimemory.tenancy.plugins.module_utils import backup_files, backups

DOCUMENTATION = r"""
module: backup_info
short_description: Find the backup for a restore, and report whether it is undamaged
description:
  - Reads the manifest of the given backup, or of the newest backup, and compares every file with its checksum. Changes
    nothing. Runs as root.
extends_documentation_fragment:
  - aimemory.tenancy.database.user
options:
  directory:
    description: Directory of the backups.
    type: path
    required: true
  database:
    description: Name of the database.
    type: str
    required: true
  backup:
    description: Path of a backup, or of a directory whose last backup by name is used; empty means O(directory).
    type: str
    default: ""
  proven:
    description: Whether to use only backups that passed their test restore. If so, a missing backup is not an error.
    type: bool
    default: false
  schema:
    description: Schema of O(tables).
    type: str
    required: true
  tables:
    description: Tables that the backup must contain.
    type: list
    elements: str
    required: true
  identity:
    description: Key for C(age), which is passed only through standard input; empty for none.
    type: str
    default: ""
author: AI-Memory operations
"""

EXAMPLES = r"""
- name: Find the newest backup
  become: true
  aimemory.tenancy.backup_info:
    directory: /var/backups/ai-memory
    database: ai_memory
    user: postgres
    schema: public
    tables: [memories]
"""

RETURN = r"""
found:
  description: Whether there is a backup.
  returned: success
  type: bool
refusal:
  description: Sentence that explains why the backup cannot be restored; empty if it can be restored.
  returned: success
  type: str
manifest:
  description: The backup's manifest; empty if it cannot be read.
  returned: success
  type: dict
written:
  description:
    - Contents of the backup's file C(written.json). The file lists the tables that were written between a migration's
      backup and the stop of the service. Empty if the file is damaged, null if there is no such file.
  returned: success
  type: dict
"""


def text_of(path: str) -> str:
    """Return the contents of a file, with invalid UTF-8 replaced. Raises OSError."""
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


def find(wanted: dict[str, Any]) -> dict[str, Any]:
    """Return the module's result. Raises OSError."""
    directory, database = wanted["directory"], wanted["database"]
    found = backup_files.manifests(directory, database, wanted["backup"], proven=wanted["proven"])
    if not found and wanted["proven"]:
        return {"found": False, "refusal": "", "manifest": {}, "written": None}
    source = found[-1] if found else ""
    text = text_of(source) if source else ""
    manifest = backups.document(text, 1)
    refusal = backups.unsuitable(
        source, manifest, asked=wanted["backup"], directory=directory, database=database, schema=wanted["schema"],
        tables=wanted["tables"], has_key=bool(wanted["identity"]), problem=backups.unreadable(source, text, 1),
    )  # fmt: skip
    written = None
    if not refusal:
        damage = backup_files.damage(manifest, wanted["user"], wanted["identity"])
        refusal = backups.damaged(manifest["path"], damage)
        path = f"{manifest['path']}/written.json"
        written = backups.document(text_of(path), 1) if os.path.exists(path) else None
    return {"found": bool(found), "refusal": refusal, "manifest": manifest, "written": written}


def main() -> None:
    """Run the module."""
    text: dict[str, Any] = {"type": "str", "required": True}
    module = AnsibleModule(
        argument_spec={
            "directory": {"type": "path", "required": True}, "database": text, "user": text,
            "backup": {"type": "str", "default": ""}, "proven": {"type": "bool", "default": False}, "schema": text,
            "tables": {"type": "list", "elements": "str", "required": True},
            "identity": {"type": "str", "default": "", "no_log": True},
        },
        supports_check_mode=True,
    )  # fmt: skip
    try:
        result = find(module.params)
    except OSError as error:
        module.fail_json(msg=f"The backup cannot be read: {error.strerror} ({error.filename}).")
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
