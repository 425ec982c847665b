#!/usr/bin/python
"""Renew the sessions of a service while it runs: replace each process that may have a session."""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.aimemory.tenancy.plugins.module_utils import renewability, renewal, systemctl

DOCUMENTATION = r"""
module: service_renew
short_description: Renew the sessions of a service while it runs
description:
  - Replaces each process of a unit that may have a database session, and returns when the service has as many workers
    as before. Afterwards, all its sessions are newer than the call and have the role's current settings.
  - With gunicorn, the module first starts a separate gunicorn with one worker as a trial, because gunicorn stops the
    whole service if a worker cannot boot. Then it repeatedly adds a worker and ends the oldest one, until each old
    worker has ended. The heartbeat of a new worker shows that it has booted.
  - A worker is told to exit when it has read all requests that it received. If requests arrive without a pause, uvicorn
    may reset a connection whose request it has not read. The client can repeat the request.
  - A transient systemd unit does the work. If the task is lost, the work continues. If the unit is killed, systemd
    restarts it. A later call waits for the unit, and then renews the sessions again.
  - Runs as root.
options:
  unit:
    description: The service's systemd unit, with or without C(.service).
    type: str
    required: true
  way:
    description:
      - V(gunicorn) uses the signals TTIN and TTOU. V(reload) runs C(systemctl reload), and V(command) runs O(command).
        Both then wait until all processes except the unit's main process have been replaced.
      - V(auto) is V(gunicorn) if the unit runs gunicorn. Otherwise, and with V(restart), the task fails.
    type: str
    choices: [auto, gunicorn, reload, restart, command]
    default: auto
  command:
    description: The words of the command, which runs as root. If the renewal is killed, the command may run twice.
    type: list
    elements: str
    default: []
  seconds:
    description: Time limit for each step, such as the boot or the end of a worker, in seconds.
    type: int
    default: 60
author: AI-Memory operations
"""

EXAMPLES = r"""
- name: Replace the workers of the service
  become: true
  aimemory.tenancy.service_renew:
    unit: ai-memory
    seconds: 120

- name: Replace the processes with the unit's own ExecReload
  become: true
  aimemory.tenancy.service_renew:
    unit: ai-memory
    way: reload
"""

RETURN = r"""
journal_since:
  description: When the renewal began, in systemd's format.
  returned: success
  type: str
way:
  description: How the sessions were renewed.
  returned: success
  type: str
workers:
  description: Number of workers, which is the same as before.
  returned: success
  type: int
renewed:
  description: Number of processes that were replaced.
  returned: success
  type: int
seconds:
  description: Duration of the renewal in seconds.
  returned: success
  type: float
"""


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "unit": {"type": "str", "required": True},
            "way": renewability.OPTIONS["renew"],
            "command": renewability.OPTIONS["renew_command"],
            "seconds": {"type": "int", "default": 60},
        }
    )
    wanted = module.params
    renewed = renewal.Renewal(module.run_command, wanted["unit"], wanted["way"], wanted["command"], wanted["seconds"])
    try:
        began = systemctl.now()
        module.exit_json(changed=True, journal_since=began, **renewed.run())
    except renewal.RenewalError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
