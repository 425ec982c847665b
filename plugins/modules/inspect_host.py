#!/usr/bin/python
"""Find out in one call what a run must know of a host before it begins."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.aimemory.tenancy.plugins.module_utils import inspection, messages, run_lock, witness

DOCUMENTATION = r"""
module: inspect_host
short_description: Find out in one call what a run must know of a host before it begins
description:
  - Looks at the service's unit, its processes and its sessions as M(aimemory.tenancy.service_witness) does; at
    PostgreSQL, its programs, the directory of the backups, the room on its disks, and the lock of runs.
  - Refuses nothing. What cannot be had is returned as a problem, and all else is returned with it.
  - Changes nothing. The result holds secrets, so the task needs C(no_log). Runs as root.
extends_documentation_fragment:
  - aimemory.tenancy.database
  - aimemory.tenancy.database.user
  - aimemory.tenancy.witness
options:
  queries:
    description:
      - What PostgreSQL is asked in one session that only reads and sees one state of the database. One error ends it.
      - Reading a table may run code of ordinary roles. Until it is known that none would run, queries read catalogs
        alone.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: By which its rows are returned.
        type: str
        required: true
      sql:
        description: The query, with named arguments.
        type: str
        required: true
  values:
    description: Values of the named arguments, for all queries.
    type: dict
    default: {}
  backup_directory:
    description: The directory of the backups, which may not exist yet.
    type: path
    required: true
  lock:
    description: The symbolic link that is the lock of runs.
    type: path
    required: true
  asked_at:
    description: The controller's time at the call, in seconds since 1970. It is returned as it is.
    type: float
    required: true
author: AI-Memory operations
"""

EXAMPLES = r"""
- name: Inspect the host
  become: true
  aimemory.tenancy.inspect_host:
    unit: ai-memory
    database: ai_memory
    port: 5432
    user: postgres
    schema: public
    tables: [memories]
    health_url: http://127.0.0.1:8100/health
    queries: [{name: version, sql: SHOW server_version}]
    backup_directory: /var/backups/ai-memory
    lock: /run/tenancy-ai_memory.lock
    asked_at: "{{ now(utc=true).timestamp() }}"
  no_log: true
"""

RETURN = r"""
service:
  description: What M(aimemory.tenancy.service_witness) returns, and problem, why the service cannot be looked at.
  returned: success
  type: dict
unit:
  description: obstacles and notes, sentences about the unit's stop and start; problem, why systemd cannot be asked.
  returned: success
  type: dict
postgresql:
  description:
    - problem, the first error, "" without one; rows of each query by its name; session_settings, what sessions of the
      administrator set beside their fixed settings; data_directory.
    - login_triggers, event triggers by which a session that only reads is refused.
  returned: success
  type: dict
clock:
  description: asked_at, and the seconds between the call's begin and the first query, and between that and the end.
  returned: success
  type: dict
pg_dump:
  description: What pg_dump says of its version, "" if it does not run.
  returned: success
  type: str
backups:
  description: Of the backups' directory and its parent (directory, parent) - exists, is_directory, is_link, writable.
  returned: success
  type: dict
disk:
  description: Mount point and free bytes (mount, free) of data and backups; none if the directory is not known.
  returned: success
  type: dict
lock_holder:
  description: Who holds the lock of runs, "" if nobody does.
  returned: success
  type: str
"""


def inspect(wanted: dict[str, Any], run_command: inspection.RunCommand) -> dict[str, Any]:
    """Return what is found (see RETURN)."""
    began = time.monotonic()
    service = witness.Witness(wanted, run_command)
    problem = ""
    try:
        service.run()
    except witness.DOES_NOT_ANSWER as error:
        problem = messages.of_database(error)
    postgresql = inspection.database(
        wanted["database"], wanted["port"], wanted["user"], wanted["queries"], wanted["values"]
    )
    asked, answered = postgresql.pop("asked"), postgresql.pop("answered")
    # A directory that does not exist yet will be made in its parent.
    backups = Path(wanted["backup_directory"])
    data = [postgresql["data_directory"]] if postgresql["data_directory"] else []
    rooms = {"data": data, "backups": [str(backups), str(backups.parent)]}
    found = {
        "service": {**service.outcome, "problem": problem},
        "unit": inspection.unit(f"{wanted['unit']}.service", run_command),
        "postgresql": postgresql,
        "pg_dump": inspection.program_version("pg_dump", wanted["user"], run_command),
        "backups": {
            "directory": inspection.directory(str(backups)), "parent": inspection.directory(str(backups.parent)),
        },
        "disk": {name: inspection.free_space(paths, run_command) for name, paths in rooms.items()},
        "lock_holder": run_lock.holder(wanted["lock"]),
    }  # fmt: skip
    times = {"asked_at": wanted["asked_at"], "before": asked - began, "after": time.monotonic() - answered}
    return {**found, "clock": times}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            **witness.OPTIONS,
            **inspection.OPTIONS,
            "backup_directory": {"type": "path", "required": True},
            "lock": {"type": "path", "required": True},
            "asked_at": {"type": "float", "required": True},
        },
        supports_check_mode=True,
    )  # fmt: skip
    module.exit_json(changed=False, **inspect(module.params, module.run_command))


if __name__ == "__main__":
    main()
