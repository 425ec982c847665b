#!/usr/bin/python
"""Look for the rows that the smoke test's request left."""

from __future__ import annotations

import time

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ansible_collections.aimemory.tenancy.plugins.module_utils import messages, sessions, smoke
from ansible_collections.aimemory.tenancy.plugins.module_utils.errors import TenancyError

try:
    import psycopg2
except ImportError:
    psycopg2 = None

DOCUMENTATION = r"""
module: smoke_rows
short_description: Look for the rows that the smoke test's request left
description:
  - Reads as the administrator what the tables hold of the test's callers, until it is what is expected or time is up.
extends_documentation_fragment:
  - aimemory.tenancy.database
options:
  schema:
    description: The schema of the tables.
    type: str
    required: true
  rows:
    description: The tables, the column of each that names the caller, and whether the request must leave a row there.
    type: list
    elements: dict
    required: true
    suboptions:
      table:
        description: The table.
        type: str
        required: true
      column:
        description: Its column that names the caller.
        type: str
        required: true
      stored:
        description: Whether the request must leave a row there.
        type: bool
        default: false
  caller:
    description: The caller of this run, of whom rows must be C(stored).
    type: str
    required: true
  prefix:
    description: The begin of the callers of earlier runs, which are looked for as well; empty for none.
    type: str
    default: ""
  tenant_column:
    description: The tenant column, which the tables may lack.
    type: str
    required: true
  tenant:
    description: The tenant that the rows must have where there is the column.
    type: str
    required: true
  tenant_required:
    description: Whether a row without a tenant is refused where there is the column.
    type: bool
    default: true
  expect:
    description: Whether rows must be C(stored), C(none) may be left, or C(any) are named.
    type: str
    choices: [stored, none, any]
    required: true
  timeout:
    description: Seconds to wait for rows that must be stored.
    type: float
    default: 0
author: AI-Memory operations
"""

EXAMPLES = r"""
- name: Require that the stored memory is in the table
  become: true
  become_user: postgres
  aimemory.tenancy.smoke_rows:
    database: ai_memory
    port: 5432
    schema: public
    rows: [{table: memories, column: user_id, stored: true}]
    caller: "+15550000000"
    tenant_column: customer_id
    tenant: "1"
    expect: stored
    timeout: 30
"""

RETURN = r"""
count:
  description: Rows that were found.
  returned: success
  type: int
callers:
  description: Whose rows were found, and O(caller).
  returned: success
  type: list
tables:
  description: The names of the tables in which rows were found.
  returned: success
  type: list
found:
  description: Of each table its name, and of each caller and tenant the number of rows.
  returned: success
  type: list
tenants:
  description: The tenants that rows were found under, and O(tenant).
  returned: success
  type: list
seconds:
  description: Seconds until the rows were as expected.
  returned: success
  type: float
"""

PAUSE = 0.1


def main() -> None:
    """Run the module."""
    text = {"type": "str", "required": True}
    entry = {"table": text, "column": text, "stored": {"type": "bool", "default": False}}
    module = AnsibleModule(
        argument_spec={
            "database": text, "port": {"type": "int", "required": True}, "schema": text,
            "rows": {"type": "list", "elements": "dict", "required": True, "options": entry},
            "caller": text, "prefix": {"type": "str", "default": ""}, "tenant_column": text, "tenant": text,
            "tenant_required": {"type": "bool", "default": True},
            "expect": {"type": "str", "choices": ["stored", "none", "any"], "required": True},
            "timeout": {"type": "float", "default": 0},
        },
        supports_check_mode=True,
    )  # fmt: skip
    if psycopg2 is None:
        module.fail_json(msg=missing_required_lib("psycopg2"))
    wanted, began = module.params, time.monotonic()
    read_only = {"default_transaction_read_only": "on", "row_security": "off", "lock_timeout": "10s"}
    connection, trouble = None, ""
    try:
        connection = sessions.connect(wanted["database"], wanted["port"], settings=read_only)
        while True:
            # A transaction of its own each time, so that it sees what was committed meanwhile.
            with connection, connection.cursor() as cursor:
                callers = (wanted["caller"], wanted["prefix"])
                found = smoke.read(cursor, wanted["schema"], wanted["rows"], *callers, wanted["tenant_column"])
            if wanted["expect"] == "stored":
                trouble = smoke.misplaced(
                    smoke.of_caller(found, wanted["caller"]),
                    wanted["tenant"],
                    wanted["tenant_column"],
                    required=wanted["tenant_required"],
                )
            elif wanted["expect"] == "none":
                trouble = smoke.left(found)
            seconds = time.monotonic() - began
            if not trouble or seconds > wanted["timeout"]:
                break
            time.sleep(PAUSE)
    except (psycopg2.Error, TenancyError) as error:
        module.fail_json(msg=messages.of_database(error))
    finally:
        if connection is not None:
            connection.close()
    if trouble:
        module.fail_json(msg=trouble)
    module.exit_json(
        changed=False,
        count=sum(item["count"] for table in found for item in table["tenants"]),
        tenants=smoke.tenants(found, wanted["tenant"]),
        callers=smoke.callers(found, wanted["caller"]),
        tables=[entry["table"] for entry, table in zip(wanted["rows"], found, strict=True) if table["tenants"]],
        found=found,
        seconds=round(seconds, 3),
    )


if __name__ == "__main__":
    main()
