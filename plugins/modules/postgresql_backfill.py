#!/usr/bin/python
"""Assign the default tenant to rows without a tenant, with a login that may do nothing else."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import psycopg2
from ansible.module_utils.basic import AnsibleModule
from psycopg2 import errors

from ansible_collections.aimemory.tenancy.plugins.module_utils import backfill_login, messages, scram, sessions
from ansible_collections.aimemory.tenancy.plugins.module_utils.identity import acting_as
from ansible_collections.aimemory.tenancy.plugins.module_utils.quoting import identifier

DOCUMENTATION = r"""
module: postgresql_backfill
short_description: Assign the default tenant to rows without a tenant, with a login that may do nothing else
description:
  - An UPDATE runs triggers and CHECKs that the table's owner has created. Here, they run as a login that this module
    creates, never as the administrator. The login may only read and change the tenant column of the tables.
  - Changes the rows in batches, each in its own transaction. A batch that does not end within O(batch_timeout) seconds
    is terminated from another session, because code in the database can catch a timeout.
  - Removes the login with its privileges and policies at the end, even after a failure. At the start, it
    removes the leftovers of an interrupted run.
extends_documentation_fragment:
  - aimemory.tenancy.database
  - aimemory.tenancy.database.user
options:
  schema:
    description: Schema of the tables.
    type: str
    required: true
  hosts:
    description: Hosts through which the login tries to connect, in this order; an empty string means the Unix socket.
    type: list
    elements: str
    required: true
  socket:
    description: Socket directory of another server on the host; if set, all connections use it.
    type: str
    default: ""
  items:
    description: The tables, as the C(tenancy_backfills) filter returns them.
    type: list
    elements: dict
    required: true
  lock_timeout:
    description: Milliseconds that a statement of the administrator waits for a lock. Other sessions queue behind a
      waiting statement.
    type: int
    required: true
  attempts:
    description: Number of attempts for a statement that does not get its lock.
    type: int
    required: true
  batch_timeout:
    description: Time limit for a batch, in seconds.
    type: int
    required: true
author: AI-Memory operations
"""

EXAMPLES = r"""
- name: Assign the default tenant to rows without a tenant
  aimemory.tenancy.postgresql_backfill:
    database: ai_memory
    port: 5432
    schema: public
    hosts: [localhost]
    items: "{{ tenancy_state | aimemory.tenancy.tenancy_backfills(model) }}"
    lock_timeout: 20
    attempts: 100
    batch_timeout: 60
"""

RETURN = r"""
steps:
  description: One entry for each table, with id, rows (changed) and seconds.
  returned: always
  type: list
"""


# The search_path is the database's own, so triggers find the same objects as in a session of the service.
OPTIONS = "-c row_security=on -c default_transaction_read_only=off -c lock_timeout=0 -c statement_timeout=0"


class BackfillError(Exception):
    """Rows without a tenant cannot get a tenant; the message gives the remedy."""


def retried(cursor: Any, statements: list[str], wanted: Mapping[str, Any]) -> None:
    """Run statements in one transaction, and retry while a statement does not get its lock. Raises psycopg2.Error."""
    for attempt in range(1, wanted["attempts"] + 1):
        try:
            # PostgreSQL runs several statements in one query message as one transaction.
            cursor.execute("; ".join(statements))
            return
        except (errors.LockNotAvailable, errors.DeadlockDetected):
            if attempt == wanted["attempts"]:
                raise
            time.sleep(min(1.0, 0.05 * attempt))


def remove(cursor: Any, name: str, wanted: Mapping[str, Any]) -> None:
    """Remove the login, if it exists. Raises BackfillError if the role was not created by a run."""
    cursor.execute("SELECT shobj_description(oid, 'pg_authid') FROM pg_roles WHERE rolname = %s", (name,))
    found = cursor.fetchone()
    if found is None:
        return
    if found[0] != backfill_login.MARK:
        raise BackfillError(
            f"The role {name} already exists and was not created by this runbook: drop or rename it first."
        )
    cursor.execute(f"ALTER ROLE {identifier(name)} NOLOGIN")
    cursor.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s", (name,))
    retried(cursor, backfill_login.removal(name), wanted)


def connected(wanted: Mapping[str, Any], name: str, password: str) -> Any:
    """Return a connection for the login. Raises BackfillError if it cannot log in."""
    refused = []
    for host in [wanted["socket"]] if wanted["socket"] else dict.fromkeys(wanted["hosts"]):
        try:
            with acting_as(wanted["user"]):
                connection = psycopg2.connect(
                    dbname=wanted["database"], port=wanted["port"], host=host, user=name, password=password,
                    application_name=sessions.APPLICATION, connect_timeout=10, options=OPTIONS,
                )  # fmt: skip
        except psycopg2.OperationalError as error:
            refused.append(f"{host or 'the Unix socket'}: {str(error).strip().splitlines()[0]}")
        else:
            connection.autocommit = True
            return connection
    raise BackfillError(
        f"The login {name}, which changes rows without a tenant, cannot log in ({'; '.join(refused)}): allow it in "
        f"pg_hba.conf (host {wanted['database']} {name} 127.0.0.1/32 scram-sha-256), or set the tenant of those rows "
        "by hand"
    )


def terminate_after(administrator: Any, pid: int, seconds: int, expired: threading.Event) -> threading.Timer:
    """Start and return a timer that terminates the session ``pid`` after ``seconds``.

    The timer sets ``expired`` when it expires.
    """

    def end() -> None:
        expired.set()
        with administrator.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s)", (pid,))

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    return timer


def change(cursor: Any, item: Mapping[str, Any], pages: Callable[[str], int], watch: Callable[[], Any]) -> int:
    """Change the rows of one table with the login's cursor, and return their number. Raises psycopg2.Error.

    ``pages`` returns the number of pages of a relation. ``watch`` starts the timer that limits a batch.
    """
    changed = 0
    for update in item["updates"]:
        last = pages(update["relation"]) if update["paged"] else 0
        for first in range(0, last + 1, backfill_login.BATCH_PAGES):
            watchdog = watch()
            try:
                cursor.execute(
                    update["sql"], {"first": f"({first},0)", "end": f"({first + backfill_login.BATCH_PAGES},0)"}
                )
            finally:
                watchdog.cancel()
            changed += cursor.rowcount
    return changed


def carry_out(administrator: Any, wanted: Mapping[str, Any], name: str, done: list[dict[str, Any]]) -> None:
    """Create the login, change the rows of every table with it, and record each table in ``done``.

    Raises BackfillError and psycopg2.Error.
    """
    password = secrets.token_urlsafe(30)
    given = {
        "name": name, "verifier": scram.verifier(password), "database": wanted["database"], "schema": wanted["schema"],
    }  # fmt: skip
    with administrator.cursor() as cursor:
        for text in backfill_login.login(given):
            cursor.execute(text)
        login, expired = connected(wanted, name, password), threading.Event()
        try:
            for item in wanted["items"]:
                started = time.monotonic()
                for text in [*item["prepare"], *([item["default"]] if item["default"] else [])]:
                    retried(cursor, [text], wanted)

                def pages(relation: str) -> int:
                    cursor.execute(
                        "SELECT pg_relation_size(%s::regclass) / current_setting('block_size')::int", (relation,)
                    )
                    return int(cursor.fetchone()[0])

                def watch() -> threading.Timer:
                    return terminate_after(administrator, login.info.backend_pid, wanted["batch_timeout"], expired)

                try:
                    with login.cursor() as changing:
                        changed = change(changing, item, pages, watch)
                except psycopg2.Error:
                    if not expired.is_set():
                        raise
                    raise BackfillError(
                        f"{item['id']}: a batch did not end within {wanted['batch_timeout']} s and was terminated: a "
                        "trigger or a CHECK takes too long, or never returns"
                    ) from None
                cursor.execute(item["count"])
                left = cursor.fetchone()[0]
                if not changed or left:
                    raise BackfillError(
                        f"{item['id']}: {changed} of {item['nulls']} rows without a tenant were assigned a tenant, and "
                        f"{left} remain: a policy or a trigger prevents the change, or another session stores more of "
                        "these rows"
                    )
                done.append({"id": item["id"], "rows": changed, "seconds": round(time.monotonic() - started, 3)})
        finally:
            login.close()


def main() -> None:
    """Run the module."""
    number: dict[str, Any] = {"type": "int", "required": True}
    text: dict[str, Any] = {"type": "str", "required": True}
    module = AnsibleModule(
        argument_spec={
            "database": text, "user": text, "port": number, "schema": text,
            "hosts": {"type": "list", "elements": "str", "required": True}, "socket": {"type": "str", "default": ""},
            "items": {"type": "list", "elements": "dict", "required": True},
            "lock_timeout": number, "attempts": number, "batch_timeout": number,
        },
        supports_check_mode=True,
    )  # fmt: skip
    wanted = module.params
    if module.check_mode:
        module.exit_json(changed=len(wanted["items"]) > 0, steps=[])
    name = backfill_login.role(wanted["database"])
    done: list[dict[str, Any]] = []
    administrator = None
    failure = None
    try:
        with acting_as(wanted["user"]):
            administrator = sessions.connect(
                wanted["database"],
                wanted["port"],
                host=wanted["socket"],
                settings={"lock_timeout": str(wanted["lock_timeout"])},
            )
        administrator.autocommit = True
        with administrator.cursor() as cursor:
            remove(cursor, name, wanted)
            try:
                if wanted["items"]:
                    carry_out(administrator, wanted, name, done)
            finally:
                remove(cursor, name, wanted)
    except (BackfillError, psycopg2.Error) as error:
        failure = messages.of_database(error, {item["table"] for item in wanted["items"]}).splitlines()
    finally:
        if administrator is not None:
            administrator.close()
    if failure is not None:
        module.fail_json(
            msg=f"{failure[0]}. Before the service is stopped, rows without a tenant get the default tenant. The login "
            "for this change can only read and change the tenant column, so triggers and CHECKs have no other "
            "privileges. If a missing privilege is the cause, set the tenant of those rows by hand. "
            f"{' '.join(failure[1:])}".strip(),
            steps=done, changed=len(done) > 0,
        )  # fmt: skip
    module.exit_json(changed=len(done) > 0, steps=done)


if __name__ == "__main__":
    main()
