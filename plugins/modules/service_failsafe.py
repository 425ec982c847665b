#!/usr/bin/python
"""Arm or disarm the timer that starts a service if a run is lost."""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.aimemory.tenancy.plugins.module_utils import failsafe, systemctl

DOCUMENTATION = r"""
module: service_failsafe
short_description: Arm or disarm the timer that starts a service if a run is lost
description:
  - An armed timer makes systemd start the unit after the given time, with its triggers and the units that stop with it.
  - A new timer replaces an armed timer, and also starts the units of the replaced timer.
  - Runs as root.
options:
  unit:
    description: The service's systemd unit, with C(.service).
    type: str
    required: true
  state:
    description: Whether the timer is armed.
    type: str
    choices: [armed, disarmed]
    required: true
  seconds:
    description: Seconds until the start; required to arm the timer.
    type: int
  triggers:
    description: Units that start the service and have been stopped. Running units of this kind are added.
    type: list
    elements: str
    default: []
  companions:
    description: Units that have stopped with the service. Running units of this kind are added.
    type: list
    elements: str
    default: []
author: AI-Memory operations
"""

EXAMPLES = r"""
- name: Arm the timer that starts the service if this run is lost
  become: true
  aimemory.tenancy.service_failsafe:
    unit: ai-memory.service
    state: armed
    seconds: 900
"""

RETURN = r"""
timer:
  description: Name of the timer's unit.
  returned: when the timer was armed
  type: str
triggers:
  description: Socket, timer and path units that start the unit, if they are or were running.
  returned: when the timer was armed
  type: list
companions:
  description: Units that stop with the unit, if they are or were running.
  returned: when the timer was armed
  type: list
"""


def main() -> None:
    """Run the module."""
    names = {"type": "list", "elements": "str", "default": []}
    module = AnsibleModule(
        argument_spec={
            "unit": {"type": "str", "required": True},
            "state": {"type": "str", "choices": ["armed", "disarmed"], "required": True},
            "seconds": {"type": "int"},
            "triggers": names,
            "companions": names,
        },
        required_if=[("state", "armed", ["seconds"])],
    )
    timer = failsafe.Failsafe(module.run_command, module.params["unit"])
    try:
        if module.params["state"] == "disarmed":
            module.exit_json(changed=timer.disarm())
        wanted = module.params
        around = timer.arm(wanted["seconds"], wanted["triggers"], wanted["companions"])
    except systemctl.SystemctlError as error:
        module.fail_json(msg=f"systemd did not set up the timer {timer.name}: {error}")
    module.exit_json(changed=True, timer=f"{timer.name}.timer", triggers=around.triggers, companions=around.companions)


if __name__ == "__main__":
    main()
