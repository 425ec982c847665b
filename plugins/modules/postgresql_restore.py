#!/usr/bin/python
"""Restore a dump into a new database of the server."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import tempfile
from typing import Any

import psycopg2
from ansible.module_utils.basic import AnsibleModule
from psycopg2 import sql

from ansible_collections.aimemory.tenancy.plugins.module_utils import (
    database_settings,
    messages,
    restoring,
    scram,
    sessions,
    throwaway,
)
from ansible_collections.aimemory.tenancy.plugins.module_utils.errors import TenancyError
from ansible_collections.aimemory.tenancy.plugins.module_utils.identity import acting_as

DOCUMENTATION = r"""
module: postgresql_restore
short_description: Restore a dump into a new database of the server
description:
  - Creates the database and restores the dump. Code that an ordinary role owns never gets more privileges than this
    role has. A login that is a member of only one role creates and fills that role's objects. These logins have random
    passwords and exist only while the module runs.
  - Subscriptions are omitted, because a database with a subscription cannot be dropped.
  - Runs as root. After a failure, the caller must drop the database.
extends_documentation_fragment:
  - aimemory.tenancy.database
  - aimemory.tenancy.database.user
options:
  source:
    description: The database to be replaced. Its catalogs show which objects an ordinary role cannot create.
    type: str
    required: true
  setting:
    description: The setting whose values are returned as RV(bridge).
    type: str
    required: true
  files:
    description: Directory of the dump, which contains C(database).
    type: path
    required: true
  jobs:
    description: Number of parallel connections for the restore.
    type: int
    required: true
  hosts:
    description: Hosts through which a login with a password tries to connect, in this order.
    type: list
    elements: str
    default: [localhost, ""]
author: AI-Memory operations
"""

EXAMPLES = r"""
- name: Restore the dump into a new database
  become: true
  aimemory.tenancy.postgresql_restore:
    database: ai_memory_restore_20261124_181104
    source: ai_memory
    port: 5432
    user: postgres
    setting: app.current_tenant
    files: /var/backups/ai-memory/ai_memory-20261124T181104Z
    jobs: 2
"""

RETURN = r"""
left:
  description: Sentences about the dump's objects that were omitted.
  returned: success
  type: list
replay:
  description: SQL statements that restore the privileges, settings and comment of O(source), which a dump lacks.
  returned: success
  type: list
bridge:
  description: The statements of RV(replay) that set O(setting).
  returned: success
  type: list
"""

PREFIX = f"{restoring.LOGIN_NAME}p"
LEFT = """
SELECT rolname::text FROM pg_catalog.pg_roles
WHERE pg_catalog.starts_with(rolname, %s) AND pg_catalog.shobj_description(oid, 'pg_authid') = %s
"""


def socket_directory(wanted: dict[str, Any]) -> str:
    """Return the directory of the server's socket. Raises psycopg2.Error."""
    with sessions.opened(wanted["user"], "postgres", wanted["port"]) as connection:
        return str(connection.info.host)


def execute(wanted: dict[str, Any], database: str, query: Any, values: Any = None) -> list[Any]:
    """Run one statement outside of a transaction and return its rows. Raises psycopg2.Error."""
    opened = sessions.opened(wanted["user"], database, wanted["port"], autocommit=True)
    with opened as connection, connection.cursor() as cursor:
        cursor.execute(query, values)
        return list(cursor.fetchall()) if cursor.description else []


def route(wanted: dict[str, Any], password: str, verifier: str) -> dict[str, str]:
    """Return the host and port through which a login with a password can connect. Raises RestoreError."""
    name = f"{PREFIX}_trial"
    execute(wanted, "postgres", restoring.make_login(name, verifier))
    refusals = []
    try:
        for host in wanted["hosts"]:
            where = {"port": str(wanted["port"])} | ({"host": host} if host else {})
            try:
                with acting_as(wanted["user"]):
                    login = psycopg2.connect(dbname=wanted["database"], user=name, password=password, **where)
            except psycopg2.OperationalError as error:
                refusals.append(str(error).strip().split("\n")[-1])
                continue
            with contextlib.closing(login):
                # The default socket directory of pg_restore may differ from this session's.
                return where | {"host": login.info.host}
    finally:
        execute(wanted, "postgres", sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))
    raise restoring.RestoreError(
        f"No login with a password can connect to {wanted['database']} ({'; '.join(refusals)}), and the superuser does"
        " not restore the rows of an ordinary role, whose code would get the superuser's privileges. Allow such a "
        "login in pg_hba.conf, before the other lines: host all all 127.0.0.1/32 scram-sha-256"
    )


def read_definition(wanted: dict[str, Any]) -> dict[str, Any]:
    """Return the statements that give the new database the properties of the source. Raises psycopg2.Error."""
    opened = sessions.opened(wanted["user"], "postgres", wanted["port"], kind="reading")
    with opened as connection, connection.cursor() as cursor:
        return database_settings.read(cursor, wanted["source"], wanted["database"], wanted["setting"])


def restore(module: AnsibleModule, lists: str) -> dict[str, Any]:
    """Restore the dump, and return the module's result. Raises TenancyError, psycopg2.Error and OSError."""
    wanted = module.params
    (data_directory,) = execute(wanted, "postgres", "SELECT pg_catalog.current_setting('data_directory')")[0]
    programs = throwaway.postmaster_directory(wanted["user"], data_directory)
    files = f"{wanted['files']}/database"
    pg_restore = restoring.pg_restore_that_reads(module.run_command, wanted["user"], programs, files)
    # Remove the logins of a lost run.
    for (name,) in execute(wanted, "postgres", LEFT, (PREFIX, restoring.MARK)):
        execute(wanted, "postgres", sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))
    definition = read_definition(wanted)
    execute(wanted, "postgres", definition["create"])
    password = secrets.token_urlsafe(32)
    verifier = scram.verifier(password)
    target = restoring.Target(
        user=wanted["user"], database=wanted["database"], port=wanted["port"], host=socket_directory(wanted),
        files=files, pg_restore=pg_restore, jobs=wanted["jobs"], lists=lists, logins=route(wanted, password, verifier),
        password=password, verifier=verifier,
        tablespaces=True, excluded=("SUBSCRIPTION", "SUBSCRIPTION TABLE"), prefix=PREFIX,
        privileged=execute(wanted, wanted["source"], restoring.PRIVILEGED.replace("%%", "%")),
        risky_keys=execute(wanted, wanted["source"], restoring.RISKY_KEYS),
    )  # fmt: skip
    left = restoring.Restoring(target, module.run_command).run()
    return {"left": left, "replay": definition["replay"], "bridge": definition["bridge"]}


def main() -> None:
    """Run the module."""
    text: dict[str, Any] = {"type": "str", "required": True}
    number: dict[str, Any] = {"type": "int", "required": True}
    module = AnsibleModule(
        argument_spec={
            "database": text, "source": text, "user": text, "port": number, "setting": text,
            "files": {"type": "path", "required": True}, "jobs": number,
            "hosts": {"type": "list", "elements": "str", "default": ["localhost", ""]},
        },
        supports_check_mode=True,
    )  # fmt: skip
    if module.check_mode:
        module.exit_json(changed=True, left=[], replay=[], bridge=[])
    with acting_as(module.params["user"]):
        lists = tempfile.mkdtemp(prefix="tenancy-restore-")
    try:
        result = restore(module, lists)
    except (TenancyError, psycopg2.Error, OSError) as error:
        module.fail_json(msg=messages.of_database(error))
    finally:
        if os.path.isdir(lists):
            shutil.rmtree(lists)
    module.exit_json(changed=True, **result)


if __name__ == "__main__":
    main()
