#!/usr/bin/python
"""Store a memory through a service's API, find its row, retrieve it, and remove its rows."""

from __future__ import annotations

from typing import Any

import psycopg2
from ansible.module_utils.basic import AnsibleModule

from ansible_collections.aimemory.tenancy.plugins.module_utils import (
    api,
    messages,
    processes,
    request_options,
    sessions,
    smoke_rows,
    smoke_run,
)
from ansible_collections.aimemory.tenancy.plugins.module_utils.errors import TenancyError
from ansible_collections.aimemory.tenancy.plugins.module_utils.identity import acting_as

DOCUMENTATION = r"""
module: service_smoke
short_description: Store a memory through a service's API, find its row, retrieve it, and remove its rows
description:
  - Reads the rows of the test's callers as the administrator. Removes the rows with the service's own login, so that
    triggers run with that login's privileges.
  - A failed test is returned and does not fail the task. Headers and password are secrets, so the task needs C(no_log).
    Runs as root.
extends_documentation_fragment:
  - aimemory.tenancy.api
  - aimemory.tenancy.database
  - aimemory.tenancy.database.user
options:
  action:
    description:
      - C(test) removes the rows of earlier tests, stores a memory, finds its row, retrieves it and removes it.
      - C(find) waits for a row that another request stored, then removes it.
      - C(clear) removes the rows, and C(look) returns them.
    type: str
    choices: [test, find, clear, look]
    required: true
  rows:
    description: The rows that the test creates.
    type: dict
    required: true
    suboptions:
      schema:
        description: The schema of the tables.
        type: str
        required: true
      tables:
        description: For each table its name (table), the column that identifies the caller (column), and whether the
          test must store a row in it (stored).
        type: list
        elements: dict
        required: true
      caller:
        description: The caller of this test.
        type: str
        required: true
      prefix:
        description: The prefix of the callers' names in earlier tests; empty for none.
        type: str
        default: ""
      tenant_column:
        description: The tenant column, which the tables may lack.
        type: str
        required: true
      tenant:
        description: The tenant that the rows must have if the column exists.
        type: str
        required: true
      tenant_required:
        description: Whether a row without a tenant fails the test if the column exists.
        type: bool
        default: true
      patience:
        description: Seconds to wait for the row.
        type: float
        default: 0
  cleanup:
    description: How the rows are removed with the service's login.
    type: dict
    required: true
    suboptions:
      user:
        description: The system user of the service, whose files libpq reads.
        type: str
        required: true
      parameters:
        description: Connection parameters of the service's URL.
        type: dict
        required: true
      password:
        description: The password of the login; empty for none.
        type: str
        default: ""
      environment:
        description: The service's variables that libpq reads.
        type: dict
        default: {}
      setting:
        description: The tenant setting.
        type: str
        required: true
      statements:
        description: The statements, with C(%(user_id\)s) for the caller.
        type: list
        elements: str
        required: true
      write_tables:
        description: Tables, with their schema. If one of them has a row, O(cleanup.write_statements) run as well.
        type: list
        elements: str
        default: []
      write_statements:
        description: The statements for these tables.
        type: list
        elements: str
        default: []
      always:
        description: Whether the statements run even if there is no row.
        type: bool
        default: false
      writes:
        description: Whether O(cleanup.write_statements) run even if there is no row in O(cleanup.write_tables).
        type: bool
        default: false
      seconds:
        description: Time limit for the statements, in seconds.
        type: int
        default: 60
  store:
    description: The request that stores the memory, as an item of O(aimemory.tenancy.service_request#module:requests).
    type: dict
  retrieve:
    description: The request that retrieves the memory, with a marker.
    type: dict
  other:
    description: The request of another tenant, which must not see the memory.
    type: dict
    default: {}
    suboptions:
      request:
        description: The request, with a marker.
        type: dict
      tenant:
        description: The other tenant.
        type: str
      only_signed:
        description: Whether the request is made only if tokens can be signed.
        type: bool
        default: false
      fails:
        description: Whether the test fails if the other tenant sees the memory.
        type: bool
        default: false
  about:
    description: Facts for the verdict on a response - service, secret, token, before, ended.
    type: dict
    default: {}
author: AI-Memory operations
"""

EXAMPLES = r"""
- name: Remove the rows of the smoke test
  become: true
  aimemory.tenancy.service_smoke:
    action: clear
    unit: ai-memory
    url: http://127.0.0.1:8100
    timeout: 60
    names: {column: customer_id, setting: app.current_tenant, tables: [memories]}
    database: ai_memory
    port: 5432
    user: postgres
    rows:
      schema: public
      tables: [{table: memories, column: user_id, stored: true}]
      caller: "+15550000000"
      tenant_column: customer_id
      tenant: "1"
    cleanup:
      user: ai-memory
      parameters: {host: localhost, user: alice, dbname: ai_memory, sslmode: require}
      password: "{{ password }}"
      setting: app.current_tenant
      statements: [DELETE FROM public.memories WHERE user_id = %(user_id)s]
  no_log: true
"""

RETURN = r"""
trouble:
  description: Why the test failed, in one sentence; empty if it succeeded.
  returned: success
  type: str
token:
  description: RV(aimemory.tenancy.service_request#module:token).
  returned: success
  type: str
stored_seconds:
  description: Seconds until the stored row was found; null if no row was found.
  returned: success
  type: float
unproven:
  description: Sentences about facts that the test does not prove.
  returned: success
  type: list
shown:
  description: Sentences about the rows that another tenant sees.
  returned: success
  type: list
found:
  description: With O(action=look), the name of each table, and its number of rows for each caller and tenant.
  returned: success
  type: list
"""

READ_ONLY = {"default_transaction_read_only": "on", "row_security": "off", "lock_timeout": "10s"}
TABLE = {
    "table": {"type": "str", "required": True}, "column": {"type": "str", "required": True},
    "stored": {"type": "bool", "default": False},
}  # fmt: skip
ROWS = {
    "schema": {"type": "str", "required": True},
    "tables": {"type": "list", "elements": "dict", "required": True, "options": TABLE},
    "caller": {"type": "str", "required": True}, "prefix": {"type": "str", "default": ""},
    "tenant_column": {"type": "str", "required": True}, "tenant": {"type": "str", "required": True},
    "tenant_required": {"type": "bool", "default": True}, "patience": {"type": "float", "default": 0},
}  # fmt: skip
# The task is not logged. With no_log, Ansible would mask the value in every result, even if it is an ordinary word.
CLEANUP = {
    "user": {"type": "str", "required": True}, "parameters": {"type": "dict", "required": True},
    "password": {"type": "str", "default": "", "no_log": False},
    "environment": {"type": "dict", "default": {}, "no_log": False}, "setting": {"type": "str", "required": True},
    "statements": {"type": "list", "elements": "str", "required": True},
    "write_tables": {"type": "list", "elements": "str", "default": []},
    "write_statements": {"type": "list", "elements": "str", "default": []},
    "always": {"type": "bool", "default": False}, "writes": {"type": "bool", "default": False},
    "seconds": {"type": "int", "default": 60},
}  # fmt: skip
OTHER = {
    "request": {"type": "dict", "options": request_options.REQUEST}, "tenant": {"type": "str"},
    "only_signed": {"type": "bool", "default": False}, "fails": {"type": "bool", "default": False},
}  # fmt: skip


class Tables:
    """The rows of the test, which the administrator reads and the service's login removes."""

    def __init__(self, wanted: dict[str, Any]) -> None:
        """Initialize with the options of the module."""
        self.wanted = wanted
        self.connection: Any = None

    def look(self) -> list[smoke_rows.Found]:
        """Return the rows of the test's callers. Raises SmokeError."""
        rows = self.wanted["rows"]
        try:
            if self.connection is None:
                with acting_as(self.wanted["user"]):
                    self.connection = sessions.connect(self.wanted["database"], self.wanted["port"], settings=READ_ONLY)
            # Each reading is a new transaction, so it sees the rows that were committed in the meantime.
            with self.connection, self.connection.cursor() as cursor:
                return smoke_rows.read(
                    cursor, rows["schema"], rows["tables"], rows["caller"], rows["prefix"], rows["tenant_column"]
                )
        except (psycopg2.Error, TenancyError) as error:
            raise smoke_run.SmokeError(messages.of_database(error)) from error

    def remove(self, tenants: Any, callers: Any, statements: Any) -> int:
        """Run statements with the service's login and the privileges of its system user. Raises SmokeError."""
        cleanup = self.wanted["cleanup"]

        def work() -> dict[str, Any]:
            try:
                return {"rows": smoke_rows.remove(cleanup, tenants, callers, statements)}
            except smoke_rows.StatementError as error:
                return {"trouble": str(error)}
            except (psycopg2.Error, sessions.TimeLimitError) as error:
                return {"trouble": _unremoved(messages.of_database(error))}

        try:
            found = processes.as_user(*processes.user(cleanup["user"]), work, patience=2 * cleanup["seconds"])
        except (OSError, KeyError) as error:
            found = {"trouble": _unremoved(str(error))}
        if "trouble" in found:
            raise smoke_run.SmokeError(found["trouble"])
        return int(found["rows"])

    def close(self) -> None:
        """Close the administrator's connection."""
        if self.connection is not None:
            self.connection.close()


def _unremoved(error: str) -> str:
    """Return a sentence about an error that prevents the removal of the rows."""
    said = (error.splitlines() or ["no message"])[0]
    return (
        f"The service's login cannot remove the rows of the smoke test: {said}. Correct service_smoke_cleanup and "
        "service_write_cleanup, or grant that login DELETE on the tables."
    )


def main() -> None:
    """Run the module."""
    request = {"type": "dict", "options": request_options.REQUEST}
    module = AnsibleModule(
        argument_spec={
            **request_options.OPTIONS,
            "action": {"type": "str", "choices": ["test", "find", "clear", "look"], "required": True},
            "database": {"type": "str", "required": True}, "port": {"type": "int", "required": True},
            "user": {"type": "str", "required": True},
            "rows": {"type": "dict", "required": True, "options": ROWS},
            "cleanup": {"type": "dict", "required": True, "options": CLEANUP},
            "store": request, "retrieve": request,
            "other": {"type": "dict", "default": {}, "options": OTHER, "apply_defaults": True},
            "about": {"type": "dict", "default": {}},
        },
        required_if=[("action", "test", ["store", "retrieve"])],
    )  # fmt: skip
    wanted = module.params
    token, caller = api.caller(module)
    names = api.names(wanted["names"])
    conversation, tables = api.Conversation(wanted["url"], wanted["timeout"]), Tables(wanted)
    run = smoke_run.SmokeRun(
        wanted, token, lambda asked: api.answered(conversation, caller, names, asked), tables.look, tables.remove
    )
    trouble = ""
    try:
        {"test": run.test, "find": run.find, "clear": run.clear, "look": run.see}[wanted["action"]]()
    except smoke_run.SmokeError as error:
        trouble = str(error)
    finally:
        conversation.close()
        tables.close()
    module.exit_json(changed=False, trouble=trouble, token=token, **run.outcome)


if __name__ == "__main__":
    main()
