#!/usr/bin/python
"""Collect all facts about a host that a new run needs, in one call."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.aimemory.tenancy.plugins.module_utils import (
    inspection,
    messages,
    renewability,
    run_lock,
    witness,
)

DOCUMENTATION = r"""
module: inspect_host
short_description: Collect all facts about a host that a new run needs, in one call
description:
  - Inspects the service's unit, its processes and its sessions in the same way as M(aimemory.tenancy.service_witness).
    Also inspects PostgreSQL, its programs, the backup directory, the free disk space, and the lock for runs.
  - Does not judge the facts. A fact that cannot be read is returned as a problem, together with all other facts.
  - Changes nothing. The result contains secrets, so the task needs C(no_log). Runs as root.
extends_documentation_fragment:
  - aimemory.tenancy.database
  - aimemory.tenancy.database.user
  - aimemory.tenancy.witness
options:
  queries:
    description:
      - Queries that run in one read-only session and see a single state of the database. The first error ends the
        session.
      - Reading a table may run code owned by ordinary roles. Queries must read only catalogs until this is ruled out.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: The name under which the rows are returned.
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
    description: The backup directory, which need not exist yet.
    type: path
    required: true
  lock:
    description: The symbolic link that serves as the lock for runs.
    type: path
    required: true
  renew:
    description: How to renew the sessions of the service, as in M(aimemory.tenancy.service_renew).
    type: str
    choices: [auto, gunicorn, reload, restart, command]
    default: auto
  renew_command:
    description: The command that renews the sessions.
    type: list
    elements: str
    default: []
  asked_at:
    description: The controller's time at the call, in seconds since 1970. It is returned unchanged.
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
  description: Result of M(aimemory.tenancy.service_witness). The added key problem contains the reason if the service
    cannot be inspected.
  returned: success
  type: dict
unit:
  description: obstacles and notes (sentences about stopping and starting the unit) and problem (the reason if
    systemctl failed, or "").
  returned: success
  type: dict
renewal:
  description:
    - way (gunicorn, reload, command, or restart if the sessions cannot be renewed while the service runs) and workers
      (the number of gunicorn's workers).
    - obstacle (a sentence if the sessions cannot be renewed, or "") and invalid (a sentence if the unit contradicts
      O(renew), or "").
  returned: success
  type: dict
postgresql:
  description:
    - problem (the first error, or ""), rows (the rows of each query, by its name) and data_directory.
    - session_settings, the settings of the administrator's sessions in addition to the fixed ones.
    - login_triggers, the event triggers that reject a read-only session.
  returned: success
  type: dict
clock:
  description: asked_at, before (the seconds from the start of the call to the first query) and after (the seconds from
    the end of the first query to the end of the call).
  returned: success
  type: dict
pg_dump:
  description: The version that pg_dump prints, or "" if it does not run.
  returned: success
  type: str
backups:
  description: For the backup directory and its parent (directory, parent) - exists, is_directory, is_link, writable.
  returned: success
  type: dict
disk:
  description: Mount point and free bytes (mount, free) of data and backups; null if the directory is unknown.
  returned: success
  type: dict
lock_holder:
  description: The holder of the lock, or "" if it is free.
  returned: success
  type: str
logins:
  description: The logins in the PostgreSQL URLs of all loaded services' environments - unit, user, host, database.
  returned: success
  type: list
"""


def inspect(wanted: dict[str, Any], run_command: inspection.RunCommand) -> dict[str, Any]:
    """Return the facts (see RETURN)."""
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
    # A backup directory that does not exist yet is created on its parent's file system.
    backups = Path(wanted["backup_directory"])
    data = [postgresql["data_directory"]] if postgresql["data_directory"] else []
    rooms = {"data": data, "backups": [str(backups), str(backups.parent)]}
    found = {
        "service": {**service.outcome, "problem": problem},
        "renewal": renewability.inspect(
            run_command, f"{wanted['unit']}.service", wanted["renew"], wanted["renew_command"], service.sessions()
        ),
        "unit": inspection.unit(f"{wanted['unit']}.service", run_command),
        "postgresql": postgresql,
        "pg_dump": inspection.program_version("pg_dump", wanted["user"], run_command),
        "backups": {
            "directory": inspection.directory(str(backups)), "parent": inspection.directory(str(backups.parent)),
        },
        "disk": {name: inspection.free_space(paths, run_command) for name, paths in rooms.items()},
        "lock_holder": run_lock.holder(wanted["lock"]),
        "logins": inspection.logins(run_command),
    }  # fmt: skip
    times = {"asked_at": wanted["asked_at"], "before": asked - began, "after": time.monotonic() - answered}
    return {**found, "clock": times}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            **witness.OPTIONS,
            **inspection.OPTIONS,
            **renewability.OPTIONS,
            "backup_directory": {"type": "path", "required": True},
            "lock": {"type": "path", "required": True},
            "asked_at": {"type": "float", "required": True},
        },
        supports_check_mode=True,
    )  # fmt: skip
    module.exit_json(changed=False, **inspect(module.params, module.run_command))


if __name__ == "__main__":
    main()
