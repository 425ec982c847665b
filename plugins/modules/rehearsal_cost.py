#!/usr/bin/python
"""Measure the resources that a rehearsal can use, and read the durations of the last backup."""

from __future__ import annotations

import json
import os
import shutil
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.aimemory.tenancy.plugins.module_utils import backups, rehearsal

DOCUMENTATION = r"""
module: rehearsal_cost
short_description: Measure the resources that a rehearsal can use, and read the durations of the last backup
description:
  - Measures the free space of a directory and the load of the server, and reads the manifest of the newest backup.
    Changes nothing. Runs as root.
options:
  directory:
    description: Directory of throwaway servers; if it does not exist yet, its nearest existing parent is measured.
    type: path
    required: true
  backups:
    description: Directory of the backups.
    type: path
    required: true
  database:
    description: Name of the database.
    type: str
    required: true
author: AI-Memory operations
"""

EXAMPLES = r"""
- name: Measure disk space and load, and read the last backup's manifest
  aimemory.tenancy.rehearsal_cost:
    directory: /var/backups
    backups: /var/backups/ai-memory
    database: ai_memory
"""

RETURN = r"""
free_bytes:
  description: Free bytes in the directory.
  returned: success
  type: int
shared:
  description: Whether the backups are on the same file system. If so, a dump takes up space there too.
  returned: success
  type: bool
load:
  description: Load average of the last minute.
  returned: success
  type: float
processors:
  description: Number of processors of the server.
  returned: success
  type: int
last:
  description: C(duration_seconds) and C(proven_seconds) of the newest backup; null if there is none.
  returned: success
  type: dict
"""


def last_backup(directory: str, database: str) -> dict[str, Any] | None:
    """Return the durations of the database's newest backup with a readable manifest, or None."""
    if not os.path.isdir(directory):
        return None
    for path in reversed(
        backups.own((os.path.join(directory, name) for name in os.listdir(directory)), directory, database)
    ):
        try:
            with open(os.path.join(path, "manifest.json"), encoding="utf-8") as file:
                found = json.load(file)
            return {name: found[name] for name in ("duration_seconds", "proven_seconds")}
        except (OSError, ValueError, KeyError):
            continue
    return None


def main() -> None:
    """Run the module."""
    path: dict[str, Any] = {"type": "path", "required": True}
    module = AnsibleModule(
        argument_spec={"directory": path, "backups": path, "database": {"type": "str", "required": True}},
        supports_check_mode=True,
    )
    place, beside = rehearsal.nearest(module.params["directory"]), rehearsal.nearest(module.params["backups"])
    module.exit_json(
        changed=False, free_bytes=shutil.disk_usage(place).free,
        shared=os.stat(place).st_dev == os.stat(beside).st_dev, load=round(os.getloadavg()[0], 2),
        processors=os.cpu_count() or 1, last=last_backup(module.params["backups"], module.params["database"]),
    )  # fmt: skip


if __name__ == "__main__":
    main()
