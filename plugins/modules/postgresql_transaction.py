#!/usr/bin/python
"""Run the one transaction of a run, with the isolation proof in it."""

from __future__ import annotations

import contextlib

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ansible_collections.aimemory.tenancy.plugins.module_utils import errors, messages, sessions, transaction

try:
    import psycopg2
except ImportError:
    psycopg2 = None

DOCUMENTATION = r"""
module: postgresql_transaction
short_description: Run the one transaction of a run, with the isolation proof in it
description:
  - Runs locks, statements and proof in one transaction, as the role of the system user that it runs as. Any error rolls
    all of it back.
  - Another session of the same role terminates it when it takes too long. A timeout would not suffice, because code of
    the database can catch or reset it.
extends_documentation_fragment: aimemory.tenancy.database
options:
  host:
    description: Directory of the server's Unix socket; if empty, libpq's default.
    type: str
    default: ""
  transaction:
    description: Result of the filter P(aimemory.tenancy.tenancy_transaction#filter).
    type: dict
    required: true
  commit:
    description: Whether the transaction is committed; otherwise it is rolled back and changes nothing.
    type: bool
    default: true
author: AI-Memory operations
"""

EXAMPLES = r"""
- name: Make the isolation proof and take it back
  aimemory.tenancy.postgresql_transaction:
    database: ai_memory
    port: 5432
    transaction: "{{ [] | aimemory.tenancy.tenancy_transaction(model, '5s', 900, proof=proof) }}"
    commit: false
"""

RETURN = r"""
result:
  description:
    - findings (of the proof), rows (of each table that was counted), durations (seconds by the id of the statement) and
      seconds (in total).
  returned: success
  type: dict
"""


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "database": {"type": "str", "required": True},
            "port": {"type": "int", "required": True},
            "host": {"type": "str", "default": ""},
            "transaction": {"type": "dict", "required": True},
            "commit": {"type": "bool", "default": True},
        },
        supports_check_mode=True,
    )
    if psycopg2 is None:
        module.fail_json(msg=missing_required_lib("psycopg2"))
    wanted = module.params
    commits = wanted["commit"] and not module.check_mode
    settings = dict(transaction.SETTINGS)
    if not wanted["commit"]:
        # Rows that other sessions store meanwhile must not count as differences.
        settings["default_transaction_isolation"] = "repeatable read"
    try:
        with contextlib.ExitStack() as stack:
            connection, guard = (
                stack.enter_context(
                    contextlib.closing(
                        sessions.connect(wanted["database"], wanted["port"], host=wanted["host"], settings=given)
                    )
                )
                for given in (settings, {})
            )
            guard.autocommit = True
            result = transaction.run(connection, guard, wanted["transaction"], commits=commits)
    except psycopg2.Error as error:
        module.fail_json(msg=messages.of_database(error, wanted["transaction"]["tables"]))
    except (errors.TenancyError, sessions.SessionError, sessions.TimeLimitError) as error:
        module.fail_json(msg=messages.visible(str(error), lines=True))
    module.exit_json(changed=commits and bool(wanted["transaction"]["statements"]), result=result)


if __name__ == "__main__":
    main()
