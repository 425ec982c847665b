#!/usr/bin/python
"""Say how a systemd unit can be stopped and started."""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.aimemory.tenancy.plugins.module_utils import systemctl, units

DOCUMENTATION = r"""
module: service_unit_info
short_description: Say how a systemd unit can be stopped and started
description:
  - Looks for whatever would make C(systemctl stop) or C(systemctl start) fail or do something else.
options:
  unit:
    description: The systemd unit, with C(.service).
    type: str
    required: true
author: AI-Memory operations
"""

EXAMPLES = r"""
- name: Ask how the service can be stopped and started
  aimemory.tenancy.service_unit_info:
    unit: ai-memory.service
"""

RETURN = r"""
obstacles:
  description: Why the unit could not be stopped or started again, one sentence each.
  returned: success
  type: list
notes:
  description: What else happens when it is stopped and started, one sentence each.
  returned: success
  type: list
"""


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec={"unit": {"type": "str", "required": True}}, supports_check_mode=True)
    unit, systemd = module.params["unit"], systemctl.Systemctl(module.run_command)
    try:
        obstacles, notes = units.obstacles(unit, systemd.show), units.notes(unit, systemd.show)
    except systemctl.SystemctlError as error:
        module.fail_json(msg=f"systemd cannot be asked about {unit}: {error}")
    module.exit_json(changed=False, obstacles=obstacles, notes=notes)


if __name__ == "__main__":
    main()
