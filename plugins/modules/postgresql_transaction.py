#!/usr/bin/python
"""Run the single transaction of a run, including the isolation proof."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import psycopg2
from ansible.module_utils.basic import AnsibleModule

from ansible_collections.aimemory.tenancy.plugins.module_utils import (
    contents,
    errors,
    inspection,
    messages,
    outcomes,
    sessions,
    transaction,
)

DOCUMENTATION = r"""
module: postgresql_transaction
short_description: Run the single transaction of a run, including the isolation proof
description:
  - Takes the locks, and runs the statements and the proof, in one transaction of the administrator. Any error rolls
    back everything.
  - Another session of the same role terminates the transaction if it takes too long. A timeout is not enough,
    because code in the database can catch or reset it.
  - After the transaction, the same call reads the catalogs and counts the rows of all tables, if requested.
extends_documentation_fragment:
  - aimemory.tenancy.database
  - aimemory.tenancy.database.socket
  - aimemory.tenancy.database.user
  - aimemory.tenancy.database.queries
options:
  transaction:
    description: Result of the P(aimemory.tenancy.plan_transaction#filter) filter.
    type: dict
    required: true
  commit:
    description: Whether the transaction is committed; otherwise it is rolled back and changes nothing.
    type: bool
    default: true
  hash_max_bytes:
    description: If given, count the rows of every table afterwards, and hash the rows of tables up to this size.
    type: int
author: AI-Memory operations
"""

EXAMPLES = r"""
- name: Run the isolation proof and roll it back
  become: true
  aimemory.tenancy.postgresql_transaction:
    database: ai_memory
    port: 5432
    user: postgres
    transaction: "{{ [] | aimemory.tenancy.plan_transaction(state, model, wanted) }}"
    commit: false
"""

RETURN = r"""
result:
  description:
    - findings (of the proof), rows (the row count of each counted table), durations (seconds, by the statement's id)
      and seconds (in total).
  returned: success
  type: dict
proof_failed:
  description: Whether the proof ran and found a leak, or an attempt with another outcome than required.
  returned: if the transaction failed
  type: bool
rows:
  description: The rows of each query by its name, as dicts of columns.
  returned: success
  type: dict
tables:
  description: RV(aimemory.tenancy.postgresql_contents#module:tables).
  returned: if O(hash_max_bytes) is given
  type: list
"""


def main() -> None:
    """Run the module."""
    text = {"type": "str", "required": True}
    module = AnsibleModule(
        argument_spec={
            "database": text, "port": {"type": "int", "required": True}, "host": {"type": "str", "default": ""},
            "user": text, "transaction": {"type": "dict", "required": True},
            "commit": {"type": "bool", "default": True}, "hash_max_bytes": {"type": "int"}, **inspection.OPTIONS,
        },
        supports_check_mode=True,
    )  # fmt: skip
    wanted = module.params
    commits = wanted["commit"] and not module.check_mode
    try:
        result = transact(wanted, commits=commits)
    except (psycopg2.Error, errors.TenancyError) as error:
        module.fail_json(**failure(error, wanted["transaction"]["tables"]))
    is_changed = commits and bool(wanted["transaction"]["statements"])
    try:
        after = read(wanted)
    except (psycopg2.Error, sessions.SessionError) as error:
        module.fail_json(
            msg=f"{wanted['database']} cannot be read after the transaction: {messages.of_connection(error)}",
            changed=is_changed, result=result,
        )  # fmt: skip
    module.exit_json(changed=is_changed, result=result, **after)


def failure(error: Exception, tables: Collection[str]) -> dict[str, Any]:
    """Return the values of a failed result. Only a proof that ran can show a leak; any other error shows nothing."""
    is_of_postgresql = isinstance(error, psycopg2.Error)
    return {
        "msg": messages.of_database(error, tables) if is_of_postgresql else messages.visible(str(error), lines=True),
        "proof_failed": isinstance(error, outcomes.AttemptError),
    }


def transact(wanted: Mapping[str, Any], *, commits: bool) -> dict[str, Any]:
    """Run the transaction and return its result. Raises the errors of ``transaction.run``, and SessionError."""
    settings = dict(transaction.SETTINGS)
    if not wanted["commit"]:
        # At this isolation level, rows that other sessions store at the same time do not affect the result.
        settings["default_transaction_isolation"] = "repeatable read"
    where = (wanted["user"], wanted["database"], wanted["port"])
    with (
        sessions.opened(*where, host=wanted["host"], settings=settings) as connection,
        sessions.opened(*where, host=wanted["host"], autocommit=True) as guard,
    ):
        return transaction.run(connection, guard, wanted["transaction"], commits=commits)


def read(wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Return the ``rows`` of the queries, and ``tables`` if rows are counted.

    Raises psycopg2.Error and SessionError.
    """
    where = (wanted["database"], wanted["port"])
    found: dict[str, Any] = {}
    if wanted["queries"]:
        asked = inspection.database(*where, wanted["user"], wanted["queries"], wanted["values"], host=wanted["host"])
        if asked["problem"]:
            raise sessions.SessionError(asked["problem"])
        found["rows"] = asked["rows"]
    if wanted["hash_max_bytes"] is not None:
        opened = sessions.opened(wanted["user"], *where, host=wanted["host"], kind="reading")
        with opened as connection, connection.cursor() as cursor:
            found["tables"] = contents.read(cursor, wanted["hash_max_bytes"])
    return found


if __name__ == "__main__":
    main()
