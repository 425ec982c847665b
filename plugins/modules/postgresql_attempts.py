#!/usr/bin/python
"""Log in as the service does and make attempts, each with what may come of it."""

from __future__ import annotations

import contextlib
import io
from typing import Any

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ansible_collections.aimemory.tenancy.plugins.module_utils import messages, service_login, sessions

try:
    import psycopg2
except ImportError:
    psycopg2 = None

DOCUMENTATION = r"""
module: postgresql_attempts
short_description: Log in as the service does and make attempts, each with what may come of it
description:
  - Logs in with the given parameters and password, makes every attempt in a subtransaction of its own, and takes
    everything back at the end. They see one state of the database.
  - Another session of the same login ends them when they take too long.
  - What a role may become by C(SET ROLE) or C(SET SESSION AUTHORIZATION), and what C(COPY) brings to a client, can be
    tried over a login of its own only.
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
  attempts:
    description: The attempts, in the order in which they are made.
    type: list
    elements: dict
    required: true
    suboptions:
      id:
        description: Name of the attempt.
        type: str
        required: true
      table:
        description: The table that it is about, or empty.
        type: str
        required: true
      sentence:
        description: What is tried.
        type: str
        required: true
      tenant:
        description: The tenant that the session names; none where it keeps what it was given at login.
        type: str
      sql:
        description: The statement.
        type: str
        required: true
      data:
        description: What C(COPY FROM STDIN) reads.
        type: str
      visible:
        description:
          - What the first column of the statement counts. The second counts those of them that were stored since,
            which may be more. The third counts those that the session must not see, of which none is allowed,
            whenever they were stored.
        type: int
      writes:
        description: Whether the statement may write; all others run read-only.
        type: bool
        default: false
      expected:
        description: The allowed outcomes, such as C(0 rows), C(error 42501) (an SQLSTATE) or C(done).
        type: list
        elements: str
        required: true
  timeout:
    description: Seconds that all attempts together may take.
    type: int
    default: 60
author: AI-Memory operations
"""

EXAMPLES = r"""
- name: Try to become another role
  aimemory.tenancy.postgresql_attempts:
    parameters: {host: localhost, user: alice, dbname: ai_memory, sslmode: require}
    password: "{{ password }}"
    setting: app.current_tenant
    attempts:
      - {id: become, table: "", sentence: The service becomes postgres, sql: SET ROLE postgres, expected: [error 42501]}
"""

RETURN = r"""
findings:
  description: One dict an attempt - check, table, sentence, expected, actual, ok.
  returned: success
  type: list
"""


class Lines:
    """What COPY TO STDOUT writes, counted and forgotten: one line is one row."""

    def __init__(self) -> None:
        """Begin with no line."""
        self.count = 0

    def write(self, data: Any) -> int:
        """Count the line ends of ``data``; a line end within a value is escaped."""
        self.count += data.count(b"\n" if isinstance(data, bytes) else "\n")
        return len(data)


def outcome(cursor: Any, attempt: dict[str, Any]) -> str:
    """Run one attempt and say what came of it."""
    if attempt.get("visible") is not None:
        cursor.execute(attempt["sql"])
        total, young, forbidden = cursor.fetchone()
        if forbidden:
            return f"{total} rows, {forbidden} of which it must not see"
        return f"{attempt['visible'] if total - young <= attempt['visible'] <= total else total} rows"
    copies = attempt["sql"].startswith("COPY ")
    if copies and attempt["data"] is None:
        lines = Lines()
        cursor.copy_expert(attempt["sql"], lines)
        return f"{lines.count} rows"
    if copies:
        cursor.copy_expert(attempt["sql"], io.StringIO(attempt["data"]))
    else:
        cursor.execute(attempt["sql"])
    return f"{cursor.rowcount} rows" if cursor.rowcount >= 0 else "done"


def make(connection: Any, setting: str, attempts: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Make the attempts in one transaction that is never committed."""
    findings = []
    with connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        cursor.execute("SET LOCAL lock_timeout = '5s'")
        for attempt in attempts:
            cursor.execute("SAVEPOINT attempt")
            try:
                if not attempt["writes"]:
                    cursor.execute("SET LOCAL transaction_read_only = on")
                if attempt["tenant"] is not None:
                    cursor.execute("SELECT pg_catalog.set_config(%s, %s, true)", (setting, attempt["tenant"]))
                actual = outcome(cursor, attempt)
            except psycopg2.Error as error:
                if connection.closed:
                    raise
                actual = f"error {error.pgcode}"
            cursor.execute("ROLLBACK TO SAVEPOINT attempt")
            findings.append(
                {
                    "check": attempt["id"], "table": attempt["table"], "sentence": attempt["sentence"],
                    "expected": attempt["expected"], "actual": actual, "ok": actual in attempt["expected"],
                }
            )  # fmt: skip
    return findings


def main() -> None:
    """Run the module."""
    text = {"type": "str", "required": True}
    module = AnsibleModule(
        argument_spec={
            "parameters": {"type": "dict", "required": True},
            "password": {"type": "str", "required": True, "no_log": True},
            # The task is not logged: a value here may be as ordinary as a port, and would be struck from every result.
            "environment": {"type": "dict", "default": {}, "no_log": False},
            "setting": text,
            "attempts": {
                "type": "list",
                "elements": "dict",
                "required": True,
                "options": {
                    "id": text, "table": text, "sentence": text, "tenant": {"type": "str"}, "sql": text,
                    "data": {"type": "str"}, "visible": {"type": "int"}, "writes": {"type": "bool", "default": False},
                    "expected": {"type": "list", "elements": "str", "required": True},
                },
            },
            "timeout": {"type": "int", "default": 60},
        },
        supports_check_mode=True,
    )  # fmt: skip
    if psycopg2 is None:
        module.fail_json(msg=missing_required_lib("psycopg2"))
    wanted = module.params
    if not wanted["attempts"]:
        module.fail_json(msg="No attempt was given: nothing would be tried.")
    try:
        with contextlib.ExitStack() as stack:
            connection, guard = (
                stack.enter_context(
                    contextlib.closing(
                        service_login.connect(wanted["parameters"], wanted["password"], wanted["environment"])
                    )
                )
                for _ in range(2)
            )
            guard.autocommit = True
            with sessions.bounded(connection, guard, wanted["timeout"], "The attempts of the service's login"):
                findings = make(connection, wanted["setting"], wanted["attempts"])
    except psycopg2.Error as error:
        module.fail_json(msg=messages.of_database(error))
    except sessions.TimeLimitError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, findings=findings)


if __name__ == "__main__":
    main()
