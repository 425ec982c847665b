#!/usr/bin/python
"""Change a database in steps while other sessions use it."""

from __future__ import annotations

import time
from typing import Any

import psycopg2
from ansible.module_utils.basic import AnsibleModule
from psycopg2 import errors

from ansible_collections.aimemory.tenancy.plugins.module_utils import messages, sessions
from ansible_collections.aimemory.tenancy.plugins.module_utils.identity import acting_as

DOCUMENTATION = r"""
module: postgresql_online
short_description: Change a database in steps while other sessions use it
description:
  - Runs each step in its own transaction, in order, and stops at the first step that fails.
  - A step waits for its lock only for O(lock_timeout), because all later sessions wait behind it. The step is retried
    after a pause, which grows to one second.
  - A C(patient) step (an index that is built or dropped CONCURRENTLY) waits without a limit, because no session waits
    behind it. With a limit, any long transaction would make the step fail and leave an invalid index. The step starts
    when no transaction in the database is older than O(long_transaction).
  - Before each step, the module waits until no C(pg_dump) is running in the database. It also waits until fewer than
    O(max_waiting) sessions wait for a lock and no standby lags behind by more than O(max_lag) bytes.
extends_documentation_fragment:
  - aimemory.tenancy.database
  - aimemory.tenancy.database.user
  - aimemory.tenancy.database.socket
options:
  steps:
    description: The steps, in order.
    type: list
    elements: dict
    required: true
    suboptions:
      id:
        description: Name of the step in messages.
        type: str
        required: true
      sql:
        description: The SQL statement.
        type: str
        required: true
      patient:
        description: Whether the step may wait for its lock without a limit.
        type: bool
        required: true
  lock_timeout:
    description: Milliseconds that a step waits for a lock.
    type: int
    required: true
  attempts:
    description: Number of attempts for a step that does not get its lock.
    type: int
    required: true
  patience:
    description: Maximum time to wait for obstacles to end before each step, in seconds.
    type: int
    required: true
  long_transaction:
    description: Age in seconds at which a transaction counts as long.
    type: int
    required: true
  max_waiting:
    description: A step starts only if fewer sessions than this number wait for a lock.
    type: int
    required: true
  max_lag:
    description: Maximum replication lag of a standby, in bytes.
    type: int
    required: true
  step_timeout:
    description: Time limit for one step, in seconds. Another session terminates a step that takes longer.
    type: int
    required: true
author: AI-Memory operations
"""

EXAMPLES = r"""
- name: Build an index while the service is running
  aimemory.tenancy.postgresql_online:
    database: ai_memory
    port: 5432
    steps:
      - {id: memories.index.user_id, sql: CREATE INDEX CONCURRENTLY i ON memories (customer_id), patient: true}
    lock_timeout: 20
    attempts: 100
    patience: 600
    long_transaction: 5
    max_waiting: 5
    max_lag: 67108864
    step_timeout: 21600
"""

RETURN = r"""
steps:
  description:
    - One entry for each step, with id, sql, attempts, waited (seconds until it could start) and seconds (of the last
      attempt).
  returned: always
  type: list
"""

LOUD = """
SELECT format('%%s sessions wait for locks', count(*)) FROM pg_stat_activity
WHERE datname = current_database() AND wait_event_type = 'Lock' HAVING count(*) >= %(max_waiting)s
UNION ALL
SELECT format('the standby %%s lags behind by %%s', application_name, pg_size_pretty(lag))
FROM (SELECT application_name, pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn) AS lag FROM pg_stat_replication) AS s
WHERE lag > %(max_lag)s
UNION ALL
SELECT format('pg_dump runs (pid %%s)', pid) FROM pg_stat_activity
WHERE datname = current_database() AND application_name = 'pg_dump'
"""
LONG = """
SELECT format('pid %%s (%%s, %%s) has had a transaction open since %%s', pid, usename,
              coalesce(nullif(application_name, ''), 'no application name'), date_trunc('second', xact_start))
FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
  AND xact_start < clock_timestamp() - make_interval(secs => %(long_transaction)s)
UNION ALL
SELECT format('the prepared transaction %%s has been open since %%s', gid, date_trunc('second', prepared))
FROM pg_prepared_xacts
WHERE database = current_database() AND prepared < clock_timestamp() - make_interval(secs => %(long_transaction)s)
"""


class ImpatienceError(Exception):
    """A step has waited too long; the message names the obstacles."""


def obstacles(cursor: Any, wanted: dict[str, Any], patient: bool) -> list[str]:
    """Return the current obstacles to the next step, as sentences."""
    cursor.execute(f"{LOUD} UNION ALL {LONG}" if patient else LOUD, wanted)
    return [text for (text,) in cursor.fetchall()]


def wait_until_calm(cursor: Any, wanted: dict[str, Any], patient: bool) -> float:
    """Wait until there is no obstacle to the next step, and return the seconds waited. Raises ImpatienceError."""
    started = time.monotonic()
    while found := obstacles(cursor, wanted, patient):
        waited = time.monotonic() - started
        if waited > wanted["patience"]:
            raise ImpatienceError(f"after {wanted['patience']} s there is still an obstacle: {'; '.join(found[:3])}")
        time.sleep(0.2)
    return time.monotonic() - started


def carry_out(cursor: Any, step: dict[str, Any], wanted: dict[str, Any], guard: Any) -> dict[str, Any]:
    """Run one step, retry it if it does not get its lock, and return its attempts and times.

    ``guard`` is another connection, which terminates a step that takes too long. Raises ImpatienceError,
    psycopg2.Error and sessions.TimeLimitError.
    """
    patient = bool(step["patient"])
    waited = 0.0
    for attempt in range(1, wanted["attempts"] + 1):
        waited += wait_until_calm(cursor, wanted, patient)
        cursor.execute(
            "SELECT set_config('lock_timeout', %s, false)", ("0" if patient else str(wanted["lock_timeout"]),)
        )
        started = time.monotonic()
        try:
            with sessions.bounded(cursor.connection, guard, wanted["step_timeout"], "It"):
                cursor.execute(step["sql"])
        except (errors.LockNotAvailable, errors.DeadlockDetected):
            # A failed build leaves an invalid index with this name, which only a new plan can handle.
            if patient:
                raise
            time.sleep(min(1.0, 0.05 * attempt))
            continue
        return {"attempts": attempt, "waited": round(waited, 3), "seconds": round(time.monotonic() - started, 3)}
    cursor.execute(LONG, wanted | {"long_transaction": 0})
    holders = [text for (text,) in cursor.fetchall()]
    raise ImpatienceError(
        f"its lock was not free within {wanted['lock_timeout']} ms in any of {wanted['attempts']} attempts"
        + "".join(f"; {text}" for text in holders[:3])
    )


def main() -> None:
    """Run the module."""
    number: dict[str, Any] = {"type": "int", "required": True}
    module = AnsibleModule(
        argument_spec={
            "database": {"type": "str", "required": True}, "user": {"type": "str", "required": True}, "port": number,
            "host": {"type": "str", "default": ""},
            "steps": {
                "type": "list", "elements": "dict", "required": True,
                "options": {
                    "id": {"type": "str", "required": True}, "sql": {"type": "str", "required": True},
                    "patient": {"type": "bool", "required": True},
                },
            },
            "lock_timeout": number, "attempts": number, "patience": number, "long_transaction": number,
            "max_waiting": number, "max_lag": number,
            "step_timeout": number,
        },
        supports_check_mode=True,
    )  # fmt: skip
    wanted = module.params
    steps = wanted["steps"]
    if module.check_mode:
        module.exit_json(changed=len(steps) > 0, steps=[])
    done: list[dict[str, Any]] = []
    step: dict[str, Any] = {"id": "connection"}
    connections = []
    try:
        with acting_as(wanted["user"]):
            # Row security would hide rows from a statement. With row_security off, the statement fails instead.
            connections += [
                sessions.connect(wanted["database"], wanted["port"], host=wanted["host"], settings=settings)
                for settings in ({"row_security": "off"}, {})
            ]
        connection, guard = connections
        connection.autocommit = guard.autocommit = True
        with connection.cursor() as cursor:
            for step in steps:
                done.append({"id": step["id"], "sql": step["sql"]} | carry_out(cursor, step, wanted, guard))
    except (ImpatienceError, psycopg2.Error, sessions.SessionError, sessions.TimeLimitError) as error:
        module.fail_json(
            msg=f"{step['id']}: {error if isinstance(error, ImpatienceError) else messages.of_database(error)}."
            f" {len(done)} of {len(steps)} steps are done.",
            steps=done, changed=len(done) > 0,
        )  # fmt: skip
    finally:
        for connection in connections:
            connection.close()
    module.exit_json(changed=len(done) > 0, steps=done)


if __name__ == "__main__":
    main()
