"""The documentation of the action plugin of the same name, which runs on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: run_transaction
short_description: Run a transaction, and inspect the database afterwards
description:
  - >-
    Runs the M(aimemory.tenancy.postgresql_transaction) module, which has the same options, and converts
    the rows of the inspection on this machine.
options:
  inspect:
    description: >-
      What to inspect, as in M(aimemory.tenancy.inspect_database); without it, the task does not inspect
      the database.
    type: dict
author: AI-Memory operations
"""

EXAMPLES = r"""
- name: Run the plan
  become: true
  become_user: postgres
  aimemory.tenancy.run_transaction:
    database: ai_memory
    port: 5432
    user: postgres
    transaction: "{{ plan_result.statements | aimemory.tenancy.plan_transaction(state, model, wanted) }}"
"""

RETURN = r"""
state:
  description: The state document, if O(inspect) is given.
  returned: success
  type: dict
audit:
  description: The findings of the audit, if O(inspect) is given.
  returned: success
  type: list
  elements: dict
"""
