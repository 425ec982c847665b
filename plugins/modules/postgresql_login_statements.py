#!/usr/bin/python
"""Run statements over the service's own login and commit them."""

from __future__ import annotations

import itertools
from typing import Any

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ansible_collections.aimemory.tenancy.plugins.module_utils import messages, service_login, sessions

try:
    import psycopg2
except ImportError:
    psycopg2 = None

DOCUMENTATION = r"""
module: postgresql_login_statements
short_description: Run statements over the service's own login and commit them
description:
  - Logs in with the given parameters and password and runs the statements once for each tenant and each set of values,
    in one transaction.
  - Triggers and rules of the service's role run with no more rights than it has, as they would not in a session of the
    administrator.
options:
  parameters:
    description: Connection parameters of libpq, without the password.
    type: dict
    required: true
  password:
    description: The password; empty where the server asks for none.
    type: str
    required: true
  environment:
    description: What libpq reads in the service's environment. It may hold a password, so the task needs C(no_log).
    type: dict
    default: {}
  setting:
    description: The setting by which a session names its tenant.
    type: str
    required: true
  tenants:
    description: The tenants that the session names, one after the other.
    type: list
    elements: str
    required: true
  statements:
    description: SQL with values as C(%(name)s).
    type: list
    elements: str
    required: true
  values:
    description: Sets of values by their names.
    type: list
    elements: dict
    required: true
  timeout:
    description: Seconds that all statements together may take; then they are ended from outside.
    type: int
    default: 60
author: AI-Memory operations
"""

EXAMPLES = r"""
- name: Remove what a test stored
  aimemory.tenancy.postgresql_login_statements:
    parameters: {host: localhost, user: alice, dbname: ai_memory, sslmode: require}
    password: "{{ password }}"
    setting: app.current_tenant
    tenants: ["1"]
    statements: [DELETE FROM public.memories WHERE user_id = %(user_id)s]
    values: [{user_id: "+15550000000"}]
"""

RETURN = r"""
rows:
  description: Rows that the statements changed, all together.
  returned: success
  type: int
"""


def main() -> None:
    """Run the module."""
    texts = {"type": "list", "elements": "str", "required": True}
    module = AnsibleModule(
        argument_spec={
            "parameters": {"type": "dict", "required": True},
            "password": {"type": "str", "required": True, "no_log": True},
            # The task is not logged: a value here may be as ordinary as a port, and would be struck from every result.
            "environment": {"type": "dict", "default": {}, "no_log": False},
            "setting": {"type": "str", "required": True},
            "tenants": texts,
            "statements": texts,
            "values": {"type": "list", "elements": "dict", "required": True},
            "timeout": {"type": "int", "default": 60},
        },
    )
    if psycopg2 is None:
        module.fail_json(msg=missing_required_lib("psycopg2"))
    wanted = module.params
    rows = 0
    opened: list[Any] = []
    try:
        connection, guard = opened = [
            service_login.connect(wanted["parameters"], wanted["password"], wanted["environment"]) for _ in range(2)
        ]
        guard.autocommit = True
        # A trigger can swallow a timeout of the session's own.
        bounded = sessions.bounded(connection, guard, wanted["timeout"], "What is run over the service's login")
        with bounded, connection.cursor() as cursor:
            for tenant in wanted["tenants"]:
                cursor.execute("SELECT pg_catalog.set_config(%s, %s, true)", (wanted["setting"], tenant))
                for values, statement in itertools.product(wanted["values"], wanted["statements"]):
                    cursor.execute(statement, values)
                    rows += max(cursor.rowcount, 0)
            connection.commit()
    except (psycopg2.Error, sessions.TimeLimitError) as error:
        module.fail_json(msg=messages.of_database(error))
    finally:
        for connection in opened:
            connection.close()
    module.exit_json(changed=rows > 0, rows=rows)


if __name__ == "__main__":
    main()
