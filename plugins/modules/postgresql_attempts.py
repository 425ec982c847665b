#!/usr/bin/python
"""Log in as the service and make attempts, each with its permitted outcomes."""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.aimemory.tenancy.plugins.module_utils import attempts

DOCUMENTATION = r"""
module: postgresql_attempts
short_description: Log in as the service and make attempts, each with its permitted outcomes
description:
  - Logs in with the given parameters and password, makes every attempt in its own subtransaction, and rolls everything
    back. All attempts see one state of the database.
  - Another session of the same login terminates the attempts if they take too long.
  - Only a real login shows which rows C(COPY) sends to a client, and to which roles the login can switch with C(SET
    ROLE) or C(SET SESSION AUTHORIZATION).
extends_documentation_fragment:
  - aimemory.tenancy.attempts
options:
  parameters:
    description: Connection parameters for libpq, without the password.
    type: dict
    required: true
  password:
    description: The password; empty if the server does not ask for one.
    type: str
    required: true
  environment:
    description: The service's variables that libpq reads. They may include a password, so the task needs C(no_log).
    type: dict
    default: {}
  setting:
    description: The setting that contains a session's tenant.
    type: str
    required: true
author: AI-Memory operations
"""

EXAMPLES = r"""
- name: Try to switch to another role
  aimemory.tenancy.postgresql_attempts:
    parameters: {host: localhost, user: alice, dbname: ai_memory, sslmode: require}
    password: "{{ password }}"
    setting: app.current_tenant
    attempts:
      - {id: become, table: "", sentence: The service becomes postgres, sql: SET ROLE postgres, expected: [error 42501]}
"""

RETURN = r"""
logged_in:
  description: Whether the login succeeded. If it did, a failure concerns the attempts.
  returned: if the module failed
  type: bool
findings:
  description: A dict for each attempt - check, table, sentence, expected, actual, ok.
  returned: success
  type: list
"""


def main() -> None:
    """Run the module."""
    text = {"type": "str", "required": True}
    module = AnsibleModule(
        argument_spec={
            "parameters": {"type": "dict", "required": True},
            "password": {"type": "str", "required": True, "no_log": True},
            # The task is not logged. With no_log, Ansible would mask a value such as a port in every result.
            "environment": {"type": "dict", "default": {}, "no_log": False},
            "setting": text,
            "attempts": {"type": "list", "elements": "dict", "required": True, "options": attempts.OPTIONS},
            "timeout": attempts.TIMEOUT,
        },
        supports_check_mode=True,
    )  # fmt: skip
    wanted = module.params
    if not wanted["attempts"]:
        module.fail_json(msg="No attempt was given, so nothing would be tested.")
    made = attempts.log_in_and_make(
        *(wanted[name] for name in ("parameters", "password", "environment", "setting", "attempts", "timeout"))
    )
    if made["problem"]:
        module.fail_json(msg=made["problem"], logged_in=made["logged_in"])
    module.exit_json(changed=False, findings=made["findings"])


if __name__ == "__main__":
    main()
