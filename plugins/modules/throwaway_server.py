#!/usr/bin/python
"""Make a throwaway PostgreSQL server with a restored copy of a database, or remove it."""

from __future__ import annotations

import contextlib
import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ansible_collections.aimemory.tenancy.plugins.module_utils import (
    backfill_login,
    contents,
    messages,
    rehearsal,
    restoring,
    sessions,
    throwaway,
    toc,
)
from ansible_collections.aimemory.tenancy.plugins.module_utils.errors import TenancyError
from ansible_collections.aimemory.tenancy.plugins.module_utils.identity import acting_as

try:
    import psycopg2
    from psycopg2 import sql
except ImportError:
    psycopg2 = None

DOCUMENTATION = r"""
module: throwaway_server
short_description: Make a throwaway PostgreSQL server with a restored copy of a database, or remove it
description:
  - With the programs of the server that runs, it makes another one with a directory, a socket and a system user of its
    own, which listens on no network, writes no log of replication and runs no autovacuum; it gives it the roles of the
    server that runs, without their passwords, and restores a dump into it. Code of the database's roles runs there
    with no more rights than its owner has.
  - Nothing is written to the server that runs. The throwaway server ends by itself after O(seconds), with all that
    belongs to it; whatever a lost run left is removed first.
  - Subscriptions and mappings of users to other servers are left out; publications and event triggers are kept.
  - Runs as root.
extends_documentation_fragment:
  - aimemory.tenancy.database
  - aimemory.tenancy.database.user
options:
  state:
    description: Whether it is made or removed.
    type: str
    choices: [present, absent]
    required: true
  directory:
    description: Directory in which that of the server is made.
    type: path
    required: true
  system_user:
    description: System user of the server, without rights. It is created if there is none, and stays.
    type: str
    required: true
  files:
    description: Directory of the dump, which holds C(database).
    type: path
  mode:
    description: Whether all rows are restored, or the definitions with samples of rows.
    type: str
    choices: [full, schema]
    default: full
  create:
    description: SQL that creates the database.
    type: str
  replay:
    description: SQL that brings back what a dump does not carry.
    type: list
    elements: str
    default: []
  roles:
    description: Roles without rights that are created unless the server that runs has them.
    type: list
    elements: str
    default: []
  logins:
    description: Roles as which the administrator's system user may log in there, beside those of the restore.
    type: list
    elements: str
    default: []
  tables:
    description: The value C(tables) of M(aimemory.tenancy.postgresql_dump), to compare the restored rows with.
    type: list
    elements: dict
    default: []
  hash_max_bytes:
    description: Larger tables are counted only.
    type: int
    default: 0
  jobs:
    description: Connections that restore at once.
    type: int
    default: 1
  seconds:
    description: Seconds after which the server ends by itself.
    type: int
    default: 1800
  bytes:
    description: Size of the database that was dumped, for which there must be room.
    type: int
    default: 0
  secrets:
    description: Files and directories that the server's user must not read.
    type: list
    elements: path
    default: []
author: AI-Memory operations
"""

EXAMPLES = r"""
- name: Restore a backup into a throwaway server
  become: true
  aimemory.tenancy.throwaway_server:
    state: present
    database: ai_memory
    port: 5432
    user: postgres
    system_user: tenancy-throwaway
    directory: /var/backups
    files: /var/backups/ai-memory/ai_memory-20261124T181104Z
    create: CREATE DATABASE ai_memory TEMPLATE template0 OWNER alice
"""

RETURN = r"""
host:
  description: Directory of the server's socket, for C(host).
  returned: with O(state=present)
  type: str
walls:
  description: What a probe has shown that the server cannot do, each with whether it holds.
  returned: with O(state=present)
  type: dict
left:
  description: What of the dump and of the server that runs was left out, as sentences.
  returned: with O(state=present)
  type: list
differences:
  description: How the restored rows differ from O(tables), as sentences; with O(mode=full).
  returned: with O(state=present)
  type: list
seconds:
  description: How long it took to start, to restore and to compare.
  returned: with O(state=present)
  type: dict
"""


class Copy:
    """The restored copy of one database in a server of its own."""

    def __init__(self, module: AnsibleModule) -> None:
        """Take the options of the module."""
        self.module = module
        self.wanted: dict[str, Any] = module.params
        wanted = self.wanted
        self.server = throwaway.Server(
            module.run_command,
            wanted["directory"],
            wanted["database"],
            wanted["system_user"],
            wanted["user"],
            wanted["port"],
        )

    def make(self) -> dict[str, Any]:
        """Make it; raises ThrowawayError, RestoreError, TenancyError and psycopg2.Error."""
        wanted, server = self.wanted, self.server
        began = time.monotonic()
        server.end()
        server.require_room(rehearsal.room(wanted["bytes"], wanted["mode"]))
        server.make_user()
        source = self._read()
        programs = throwaway.postmaster_directory(wanted["user"], source["data_directory"])
        pg_restore = restoring.pg_restore_that_reads(
            self.module.run_command, wanted["user"], programs, f"{wanted['files']}/database"
        )
        logins = restoring.login_names(restoring.LOGIN_NAME, sorted(source["ordinary"])).values()
        hidden = source["socket"] or "/run/postgresql"
        walls = server.start(
            programs, throwaway.settings(source["settings"], source["libraries"], server.place, wanted["port"]),
            source["encoding"], [*logins, backfill_login.role(wanted["database"]), *wanted["logins"]],
            wanted["seconds"], [source["data_directory"], *wanted["secrets"]], hidden,
        )  # fmt: skip
        started = time.monotonic()
        with self._there("postgres") as cursor:
            for statement in source["roles"]:
                cursor.execute(statement)
            self._provide(cursor)
            cursor.execute(wanted["create"])
        target = restoring.Target(
            user=wanted["user"], database=wanted["database"], port=wanted["port"], host=server.place,
            files=f"{wanted['files']}/database", pg_restore=pg_restore, jobs=wanted["jobs"],
            lists=f"{server.place}/lists", logins={"host": server.place, "port": str(wanted["port"])},
            excluded=toc.ELSEWHERE, privileged=source["privileged"], risky_keys=source["risky_keys"],
            samples=wanted["mode"] == "schema", may_stay_empty=True, gently=restoring.gently(),
        )  # fmt: skip
        left = [
            *restoring.Restoring(target, self.module.run_command).run(),
            *(
                f"the preloaded library {name} was not loaded: no extension of the database needs it"
                for name in source["unloaded"]
            ),
        ]
        with self._there(wanted["database"]) as cursor:
            for statement in [*wanted["replay"], "ANALYZE"]:
                cursor.execute(statement)
        restored = time.monotonic()
        differences = self._compare() if wanted["mode"] == "full" else []
        return {
            "host": server.place, "walls": walls, "left": left, "differences": differences,
            "seconds": {
                "start": round(started - began, 2), "restore": round(restored - started, 2),
                "compare": round(time.monotonic() - restored, 2),
            },
        }  # fmt: skip

    def _read(self) -> dict[str, Any]:
        """Return what the copy needs to know of the server that runs."""
        wanted = self.wanted
        found: dict[str, Any] = {}
        with acting_as(wanted["user"]):
            connection = sessions.connect(
                wanted["database"], wanted["port"], settings={"default_transaction_read_only": "on"}
            )
        try:
            with connection.cursor() as cursor:
                # Roles and the settings of a role may be named as patterns of nothing: values go by name.
                values = {"administrator": wanted["user"]}

                def ask(query: str) -> list[Any]:
                    cursor.execute(query, values)
                    rows: list[Any] = cursor.fetchall()
                    return rows

                found["settings"] = ask(throwaway.SERVER_SETTINGS)
                preloaded, found["data_directory"], sockets, found["encoding"] = ask(
                    "SELECT pg_catalog.current_setting('shared_preload_libraries'),"
                    " pg_catalog.current_setting('data_directory'),"
                    " pg_catalog.current_setting('unix_socket_directories'),"
                    " pg_catalog.pg_encoding_to_char(encoding) FROM pg_catalog.pg_database"
                    " WHERE datname = pg_catalog.current_database()"
                )[0]
                found["socket"] = sockets.split(",")[0].strip().strip('"')
                libraries = [library.strip() for library in preloaded.split(",") if library.strip()]
                found["libraries"] = throwaway.needed_libraries(libraries, ask(throwaway.LIBRARIES))
                found["unloaded"] = [name for name in libraries if name not in found["libraries"]]
                found["ordinary"] = [name for name, superuser in ask(restoring.ROLES) if not superuser]
                found["privileged"] = ask(restoring.PRIVILEGED)
                found["risky_keys"] = ask(restoring.RISKY_KEYS)
                made = ask(throwaway.ROLES)
                number = connection.server_version // 10000
                found["roles"] = [
                    *(create for create, _, administrator in made if not administrator),
                    *(alter for _, alter, _ in made),
                    *(
                        membership(row, number).as_string(cursor)
                        for row in ask(throwaway.MEMBERSHIPS)
                    ),
                    *(statement for (statement,) in ask(throwaway.ROLE_SETTINGS)),
                ]  # fmt: skip
                if connection.server_version >= throwaway.PARAMETER_RIGHTS_VERSION:
                    found["roles"] += [statement for (statement,) in ask(throwaway.PARAMETER_RIGHTS)]
        finally:
            connection.close()
        return found

    def _provide(self, cursor: Any) -> None:
        """Create the roles that the run is to provide."""
        for name in self.wanted["roles"]:
            cursor.execute("SELECT FROM pg_catalog.pg_roles WHERE rolname = %s", (name,))
            if not cursor.fetchall():
                cursor.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(name)))

    @contextlib.contextmanager
    def _there(self, database: str) -> Any:
        """Yield a cursor of the throwaway server, without transactions."""
        with acting_as(self.wanted["user"]):
            connection = sessions.connect(database, self.wanted["port"], host=self.server.place)
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                yield cursor
        finally:
            connection.close()

    def _compare(self) -> list[str]:
        """Return how the rows differ from those that were dumped."""
        wanted = self.wanted
        with acting_as(wanted["user"]):
            connection = contents.connect(wanted["database"], wanted["port"], host=self.server.place)
        try:
            with connection.cursor() as cursor:
                return contents.differences(contents.read(cursor, wanted["hash_max_bytes"]), wanted["tables"])
        finally:
            connection.close()


def membership(row: tuple[str, str, bool, bool, bool], version: int) -> Any:
    """Return the statement that makes a role a member of another; before 16 a membership has but one option."""
    granted, member, admin, inherit, assume = row
    options = f"ADMIN {admin}, INHERIT {inherit}, SET {assume}" if version >= 16 else "ADMIN OPTION" if admin else ""
    return sql.SQL("GRANT {} TO {}" + (f" WITH {options}" if options else "")).format(
        sql.Identifier(granted), sql.Identifier(member)
    )


def main() -> None:
    """Run the module."""
    text: dict[str, Any] = {"type": "str", "required": True}
    names: dict[str, Any] = {"type": "list", "elements": "str", "default": []}
    module = AnsibleModule(
        argument_spec={
            "state": text | {"choices": ["present", "absent"]}, "database": text, "user": text,
            "port": {"type": "int", "required": True}, "directory": {"type": "path", "required": True},
            "system_user": text, "files": {"type": "path"},
            "mode": {"type": "str", "choices": ["full", "schema"], "default": "full"}, "create": {"type": "str"},
            "replay": names, "roles": names, "logins": names,
            "tables": {"type": "list", "elements": "dict", "default": []},
            "hash_max_bytes": {"type": "int", "default": 0}, "jobs": {"type": "int", "default": 1},
            "seconds": {"type": "int", "default": 1800}, "bytes": {"type": "int", "default": 0},
            "secrets": {"type": "list", "elements": "path", "default": []},
        },
        required_if=[("state", "present", ["files", "create"])],
        supports_check_mode=True,
    )  # fmt: skip
    if psycopg2 is None:
        module.fail_json(msg=missing_required_lib("psycopg2"))
    if module.check_mode:
        module.exit_json(changed=True)
    copy = None
    began = time.monotonic()
    try:
        copy = Copy(module)
        if module.params["state"] == "absent":
            module.exit_json(changed=copy.server.end())
        result = copy.make()
    except (
        throwaway.ThrowawayError, restoring.RestoreError, TenancyError, psycopg2.Error, OSError,
    ) as error:  # fmt: skip
        if copy is not None:
            copy.server.end()
        if time.monotonic() - began >= module.params["seconds"]:
            module.fail_json(
                msg=f"The throwaway server was ended after {module.params['seconds']} s: allow it longer with"
                " -e rehearse_max_duration=..., or rehearse the definitions alone with -e migrate_rehearse=schema."
            )
        module.fail_json(msg=messages.of_database(error))
    module.exit_json(changed=True, **result)


if __name__ == "__main__":
    main()
