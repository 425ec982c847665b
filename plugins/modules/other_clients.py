#!/usr/bin/python
"""List the clients of a database that would remain after a service is stopped."""

from __future__ import annotations

import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.aimemory.tenancy.plugins.module_utils import (
    cgroups,
    clients,
    messages,
    open_transactions,
    processes,
    sessions,
    sockets,
    systemctl,
    units,
    witness,
    witnesses,
)

DOCUMENTATION = r"""
module: other_clients
short_description: List the clients of a database that would remain after a service is stopped
description:
  - Omits sessions of the unit's processes, of the units that stop with the unit, and of the service's pooler. Also
    omits sessions that end within a short time.
  - While the service runs, it may be unknown which sessions belong to the service, because no session matches its
    processes, or because a process cannot be read. In that case, all sessions of O(role) count as the service's.
  - Changes nothing. Runs as root.
extends_documentation_fragment:
  - aimemory.tenancy.database
  - aimemory.tenancy.database.user
  - aimemory.tenancy.database.pooler
  - aimemory.tenancy.database.tables
options:
  unit:
    description: The service's systemd unit, with C(.service).
    type: str
    required: true
  role:
    description: The role that the service logs in as.
    type: str
    required: true
  long_transaction:
    description: Minimum age of a listed transaction, in seconds.
    type: int
    default: 5
author: AI-Memory operations
"""

EXAMPLES = r"""
- name: Look for other clients
  become: true
  aimemory.tenancy.other_clients:
    database: ai_memory
    port: 5432
    user: postgres
    unit: ai-memory.service
    role: alice
"""

RETURN = r"""
clients:
  description: Each client in one line - the server process, role, application, address, state.
  returned: success
  type: list
in_role:
  description: The items of RV(clients) that log in with O(role).
  returned: success
  type: list
transactions:
  description:
    - The open transactions of all sessions, and the prepared transactions. Each has kind (session or prepared), name,
      sentence, and locks (whether it holds locks on O(tables)).
  returned: success
  type: list
holders:
  description:
    - Each session that is not a client but holds a lock on O(tables), in one line with its kind. It is a replication
      connection that copies a table, or a vacuum that prevents wraparound. Other autovacuum workers yield and are
      omitted.
  returned: success
  type: list
"""

# The sessions of single requests, of probes and of another run's checks end within this time.
SECONDS = 3
PAUSE = 0.1


class Looking:
    """One search for other clients."""

    def __init__(self, module: AnsibleModule) -> None:
        """Initialize with the options of the module."""
        self.wanted: dict[str, Any] = module.params
        self.systemd = systemctl.Systemctl(module.run_command)
        self.pooler = clients.Pooler(**(module.params["pooler"] or {}))

    def others(self) -> dict[str, Any]:
        """Return the names of the remaining clients and of sessions that hold locks, and the open transactions."""
        wanted, deadline = self.wanted, time.monotonic() + SECONDS
        services = [wanted["unit"], *units.surroundings(wanted["unit"], self.systemd.show).companions]
        groups = [block.get("ControlGroup", "") for block in self.systemd.show(services).values()]
        staying: set[int] | None = None
        opened = sessions.opened(wanted["user"], wanted["database"], wanted["port"], autocommit=True)
        with opened as connection, connection.cursor() as cursor:
            while True:
                found, holding = self._look(cursor, groups)
                # Only a session that _look returns every time counts as remaining.
                staying = {item.pid for item in found + holding if staying is None or item.pid in staying}
                if not staying or time.monotonic() > deadline:
                    clients_left, holders = (
                        [item for item in kind if item.pid in staying] for kind in (found, holding)
                    )
                    return {
                        "clients": [item.name for item in clients_left],
                        "in_role": [item.name for item in clients_left if item.role == wanted["role"]],
                        "holders": [item.name for item in holders],
                        "transactions": self._transactions(cursor),
                    }
                time.sleep(PAUSE)

    def _transactions(self, cursor: Any) -> list[dict[str, Any]]:
        if self.wanted["tables"] is None:
            return []
        found = open_transactions.find(cursor, self.wanted["tables"], self.wanted["long_transaction"])
        return [item | {name: messages.visible(item[name]) for name in ("name", "sentence")} for item in found]

    def _look(self, cursor: Any, groups: list[str]) -> tuple[list[clients.Client], list[clients.Client]]:
        """Return the clients and the sessions with locks that currently do not belong to a process in the control
        groups."""
        seen = processes.read({pid for group in groups for pid in cgroups.processes(group)})
        found = clients.beside(cursor, self.wanted["database"], self.pooler)
        holding = clients.holders(cursor, self.wanted["tables"])
        listed = [
            {"pid": item.pid, "address": sockets.address(item.address) if item.address else "", "port": item.port}
            for item in found + holding
        ]
        backends = witnesses.backend_sockets(item.pid for item in found + holding if not item.address)
        own = {item["pid"] for item in witnesses.split(seen, listed, backends)[0]}
        unknown = bool(seen) and (not own or not all(process["readable"] for process in seen))
        others = [item for item in found if not (unknown and item.role == self.wanted["role"])]
        found, holding = ([item for item in kind if item.pid not in own] for kind in (others, holding))
        return found, holding


def main() -> None:
    """Run the module."""
    text = {"type": "str", "required": True}
    module = AnsibleModule(
        argument_spec={
            "database": text, "port": {"type": "int", "required": True}, "user": text, "unit": text, "role": text,
            "pooler": clients.POOLER, "tables": clients.TABLES, "long_transaction": {"type": "int", "default": 5},
        },
        supports_check_mode=True,
    )  # fmt: skip
    try:
        found = Looking(module).others()
        named = {kind: [messages.visible(name) for name in found[kind]] for kind in ("clients", "in_role", "holders")}
        module.exit_json(changed=False, transactions=found["transactions"], **named)
    except witness.DOES_NOT_ANSWER as error:
        module.fail_json(msg=f"The search for other clients failed: {messages.of_database(error)}")


if __name__ == "__main__":
    main()
