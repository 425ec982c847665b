#!/usr/bin/python
"""Connect to the database over a service's route, and check the route."""

from __future__ import annotations

import os
import secrets
import select
import socket
import struct
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import psycopg2
from ansible.module_utils.basic import AnsibleModule
from psycopg2.extensions import POLL_OK, POLL_READ, set_wait_callback

from ansible_collections.aimemory.tenancy.plugins.module_utils import (
    attempts,
    processes,
    service_login,
    sessions,
    systemctl,
    unit_environment,
    witnesses,
)

DOCUMENTATION = r"""
module: service_route
short_description: Connect to the database over a service's route, and check the route
description:
  - Logs in as the service's system user, with the service's environment and no settings of the run. Compares the
    server and the database with the administrator's.
  - Detects a pooler that gives one session to several clients. While one connection has an open transaction, another
    connection must keep its backend. A client sets a parameter and takes an advisory lock. Both must be gone when the
    next client gets the same session. Their values are random, and the module removes them again.
  - Changes nothing. Runs as root.
extends_documentation_fragment:
  - aimemory.tenancy.database
  - aimemory.tenancy.database.user
  - aimemory.tenancy.attempts
options:
  attempts:
    default: []
    required: false
  unit:
    description: The service's systemd unit, without C(.service).
    type: str
    required: true
  process:
    description: A process of the unit whose environment is used; 0 for the environment of the unit's next start.
    type: int
    required: true
  service_user:
    description: System user of the service, by name or number. With O(process), the user of that process is used.
    type: str
    required: true
  variable:
    description: The environment variable that contains the URL of the database.
    type: str
    default: DATABASE_URL
  setting:
    description: The setting that contains a session's tenant.
    type: str
    required: true
  parameters:
    description: Connection parameters for libpq, without the password.
    type: dict
    required: true
  password:
    description: The password; empty if the server does not ask for one.
    type: str
    required: true
author: AI-Memory operations
"""

EXAMPLES = r"""
- name: Connect over the service's own route
  become: true
  aimemory.tenancy.service_route:
    unit: ai-memory
    process: 4711
    service_user: ai-memory
    setting: app.current_tenant
    database: ai_memory
    port: 5432
    user: postgres
    parameters: {host: localhost, user: alice, dbname: ai_memory, sslmode: require}
    password: "{{ password }}"
"""

RETURN = r"""
problem:
  description: The reason if the service cannot log in, otherwise "". Most other values are returned only if the service
    can log in.
  returned: always
  type: str
service:
  description: The service's session - system_identifier, started, database, database_oid, session_user, current_user.
  returned: when it can log in
  type: dict
administrator:
  description: The same for the administrator's session.
  returned: always
  type: dict
settings:
  description: >-
    Settings at the start of the service's session - name, value, by. The value of by is PGOPTIONS, options= of
    DATABASE_URL, or the database (which includes its roles and the server's files). It is empty if none of them sets
    the value.
  returned: when it can log in
  type: list
attempts:
  description: logged_in (whether the login for the attempts succeeded), problem (the reason if the attempts were not
    made, "" if they were or if none was given), and findings, like those of M(aimemory.tenancy.postgresql_attempts).
  returned: success
  type: dict
environment:
  description: The service's variables that libpq reads. They may include a password.
  returned: success
  type: dict
address:
  description: The client address that the server sees, or "" for a Unix socket.
  returned: when it can log in
  type: str
direct:
  description: Whether the connection leads directly to the server.
  returned: when it can log in
  type: bool
moved:
  description: Whether two connections shared a backend, or a connection changed its backend.
  returned: when it can log in
  type: bool
statement_mode:
  description: Whether the pooler refuses transactions.
  returned: when it can log in
  type: bool
outlived:
  description: Whether a session remains on the server after its client has disconnected.
  returned: when it can log in
  type: bool
setting_seen:
  description: Whether the next client sees a setting of the previous client.
  returned: when it can log in
  type: bool
lock_seen:
  description: Whether the next client holds an advisory lock of the previous client.
  returned: when it can log in
  type: bool
untried:
  description: The reason if it is unknown whether sessions are shared, otherwise "".
  returned: when it can log in
  type: str
programs:
  description: Names of the programs that listen at the address of the service's connection.
  returned: when it can log in
  type: list
"""

IDENTITY = """
SELECT (SELECT system_identifier::pg_catalog.text FROM pg_catalog.pg_control_system()),
       pg_catalog.to_char(pg_catalog.timezone('UTC', pg_catalog.pg_postmaster_start_time()),
                          'YYYY-MM-DD HH24:MI:SS.US'),
       pg_catalog.current_database()::pg_catalog.text,
       (SELECT oid::pg_catalog.int8 FROM pg_catalog.pg_database WHERE datname OPERATOR(pg_catalog.=) {database}),
       session_user::pg_catalog.text, current_user::pg_catalog.text
"""
NAMES = ("system_identifier", "started", "database", "database_oid", "session_user", "current_user")
BACKEND = "SELECT pg_catalog.pg_backend_pid()"
ADDRESS = "SELECT pg_catalog.host(pg_catalog.inet_client_addr()), pg_catalog.inet_client_port()"
ALIVE = "SELECT pg_catalog.count(*) FROM pg_catalog.pg_stat_activity WHERE pid OPERATOR(pg_catalog.=) %s"
# The value of a setting, and whether it comes from the database or its roles.
CURRENT = """
SELECT pg_catalog.current_setting(%s, true), EXISTS (
  SELECT FROM pg_catalog.pg_db_role_setting s
  CROSS JOIN LATERAL pg_catalog.unnest(s.setconfig) AS x (entry)
  WHERE s.setrole IN (0, (SELECT oid FROM pg_catalog.pg_roles WHERE rolname OPERATOR(pg_catalog.=) session_user))
    AND s.setdatabase IN (
      0, (SELECT oid FROM pg_catalog.pg_database WHERE datname OPERATOR(pg_catalog.=) pg_catalog.current_database()))
    AND pg_catalog.lower(pg_catalog.split_part(x.entry, '=', 1)) OPERATOR(pg_catalog.=) pg_catalog.lower(%s))
"""
FILED = """
SELECT coalesce(pg_catalog.json_agg(pg_catalog.lower(name)), '[]') FROM pg_catalog.pg_file_settings WHERE applied
"""
SETTING = "tenancy_runbook.probe"
# RESET ALL keeps the lock for the next client. DISCARD ALL and the end of a session release it.
LOCK = "SELECT pg_catalog.pg_advisory_lock(%s)"
HOLDS = """
SELECT pg_catalog.count(*) FROM pg_catalog.pg_locks
WHERE locktype OPERATOR(pg_catalog.=) 'advisory' AND pid OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid()
  AND objsubid OPERATOR(pg_catalog.=) 1::pg_catalog.int2
  AND ((classid::pg_catalog.int8 OPERATOR(pg_catalog.<<) 32) OPERATOR(pg_catalog.|) objid::pg_catalog.int8)
    OPERATOR(pg_catalog.=) %s
"""
UNLOCK = "SELECT pg_catalog.pg_advisory_unlock(%s)"
SET = "SELECT pg_catalog.set_config(%s, %s, false)"
SHOW = "SELECT pg_catalog.current_setting(%s, true)"

# The number of connections with an open transaction, small enough for a small pool. For each of them, the backend of
# the first connection is read ROUNDS times.
HOLDING = 2
ROUNDS = 4
# A pooler may reuse the session that was idle for the shortest or the longest time, so many connections are tried.
OPENED = 60
# Time limits in seconds, for: the end of a session after its client has disconnected, one response, the whole check.
ENDING = 3.0
ANSWER = 15.0
PATIENCE = 120
# Two sessions with the same values are on the same server and in the same database.
PLACE = ("system_identifier", "started", "database_oid")
SERVERS = ("postgres", "postmaster")


class Route:
    """The service's connections; ``outcome`` contains the results."""

    def __init__(self, parameters: Mapping[str, Any], setting: str) -> None:
        """Initialize with the connection parameters, including the password, and the setting that contains the
        tenant."""
        self.setting = setting
        self.parameters = {"connect_timeout": 10, **parameters}
        self.open: list[Any] = []
        self.outcome: dict[str, Any] = {
            "problem": "", "address": "", "direct": False, "moved": False, "statement_mode": False, "outlived": False,
            "setting_seen": False, "lock_seen": False, "untried": "", "settings": [],
        }  # fmt: skip

    def take(self) -> dict[str, Any]:
        """Run all checks and return their results."""
        try:
            first = self._connect()
            self.outcome["service"] = identity(first, "pg_catalog.current_database()")
            self.outcome["settings"] = self._settings(first)
        except psycopg2.Error as error:
            return {**self.outcome, "problem": str(error).strip().split("\n")[0]}
        try:
            self.outcome["direct"] = self._is_direct(first)
            self._test_transactions(first)
            if not (self.outcome["moved"] or self.outcome["statement_mode"]):
                self._test_next_client(first)
        except psycopg2.Error as error:
            self.outcome["untried"] = str(error).strip().split("\n")[0]
        finally:
            for connection in self.open:
                connection.close()
        return self.outcome

    def _connect(self) -> Any:
        connection = psycopg2.connect(**self.parameters)
        connection.autocommit = True
        self.open.append(connection)
        return connection

    def _settings(self, connection: Any) -> list[dict[str, Any]]:
        """Return the settings at the start of a session of the service, and the source of each."""
        given = {
            "options= of DATABASE_URL": self.parameters.get("options"), "PGOPTIONS": os.environ.get("PGOPTIONS")
        }  # fmt: skip
        # libpq uses the first variable that is set.
        place, options = next(((name, text) for name, text in given.items() if text is not None), ("", ""))
        over = sessions.parse_options(options)
        found = []
        for name in (self.setting, "row_security", "default_transaction_read_only"):
            (value, stored) = _row(connection, CURRENT, (name, name))
            by = place if name.lower() in over else "the database" if stored else ""
            found.append({"name": name, "value": value or "", "by": by})
        return found

    def _is_direct(self, connection: Any) -> bool:
        """Return whether the connection leads directly to the server, and record the client address.

        A TCP connection is direct if the server sees this end's port. A connection through a Unix socket is direct if a
        PostgreSQL process listens on the socket.
        """
        host, port = _row(connection, ADDRESS)
        self.outcome["address"] = host or ""
        with socket.socket(fileno=os.dup(connection.fileno())) as own:
            if own.family != socket.AF_UNIX:
                return bool(own.getsockname()[1] == port)
            # The listening process: its pid, user and group.
            pid, _, _ = struct.unpack("3i", own.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        return _name(pid) in SERVERS

    def _test_transactions(self, first: Any) -> None:
        """Keep transactions open, and check whether the first connection keeps its backend in the meantime."""
        backends = {_row(first, BACKEND)[0]}
        holders: set[int] = set()
        for _ in range(HOLDING):
            other = self._connect()
            before = _row(other, BACKEND)[0]
            try:
                _run(other, "BEGIN")
                held = {before, _row(other, BACKEND)[0]}
            except psycopg2.Error as error:
                if error.pgcode is not None and not other.closed and error.pgcode != "08P01":
                    raise
                self.outcome["statement_mode"] = True
                return
            # Two simultaneous connections have two backends. If a pool has only one, the next connection waits.
            if len(held) > 1 or held & (backends | holders):
                self.outcome["moved"] = True
                return
            holders |= held
            backends |= {_row(first, BACKEND)[0] for _ in range(ROUNDS)}
        self.outcome["moved"] = len(backends) > 1 or bool(backends & holders)

    def _test_next_client(self, first: Any) -> None:
        """Leave a setting and a lock in a session, and check whether the session's next client has them."""
        witness = self.open[1]
        _run(witness, "ROLLBACK")
        mark, backend = secrets.token_hex(8), _row(first, BACKEND)[0]
        key = secrets.randbits(62)
        _row(first, SET, (SETTING, mark))
        _row(first, LOCK, (key,))
        self.open.remove(first)
        first.close()
        deadline = time.monotonic() + ENDING
        while _row(witness, ALIVE, (backend,))[0]:
            if time.monotonic() > deadline:
                self.outcome["outlived"] = True
                break
            time.sleep(0.05)
        else:
            return
        for _ in range(OPENED):
            other = self._connect()
            if _row(other, BACKEND)[0] == backend:
                self.outcome["setting_seen"] = _row(other, SHOW, (SETTING,))[0] == mark
                _row(other, SET, (SETTING, ""))
                self.outcome["lock_seen"] = bool(_row(other, HOLDS, (key,))[0])
                if self.outcome["lock_seen"]:
                    _row(other, UNLOCK, (key,))
                return
        self.outcome["untried"] = f"none of {OPENED} further clients got the first client's session"


def _run(connection: Any, sql: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql)


def _row(connection: Any, sql: str, values: tuple[Any, ...] = ()) -> tuple[Any, ...]:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return tuple(cursor.fetchone())


def _name(pid: int) -> str:
    """Return the name of a process, or "" if it is not on this host."""
    try:
        return Path(f"/proc/{pid}/comm").read_text(errors="replace").strip()
    except OSError:
        return ""


def wait(connection: Any) -> None:
    """Wait for the server with a time limit (psycopg2's hook), because a pool without a free session makes clients
    wait."""
    while True:
        state = connection.poll()
        if state == POLL_OK:
            return
        descriptors = [connection.fileno()]
        reads, writes = (descriptors, []) if state == POLL_READ else ([], descriptors)
        if not any(select.select(reads, writes, [], ANSWER)):
            late = psycopg2.OperationalError(f"no response within {ANSWER:.0f} s")
            raise late


def identity(connection: Any, database: str, values: tuple[Any, ...] = ()) -> dict[str, Any]:
    """Return the values of NAMES for a session; ``database`` is an SQL expression for the database's name."""
    return dict(zip(NAMES, _row(connection, IDENTITY.replace("{database}", database), values), strict=True))


def as_service(
    owner: tuple[int, int, Iterable[int]], environment: Mapping[str, str], parameters: Mapping[str, Any], setting: str
) -> dict[str, Any]:
    """Check the route as a system user, with the service's environment, and return the result. Raises OSError.

    ``owner`` contains the user, the group and the supplementary groups, as numbers.
    """

    def work() -> dict[str, Any]:
        set_wait_callback(wait)
        with service_login.environment_of(environment):
            return Route(parameters, setting).take()

    found: dict[str, Any] = processes.as_user(*owner, work, patience=PATIENCE)
    return found


def make_attempts(
    wanted: Mapping[str, Any], found: Mapping[str, Any], administrator: Mapping[str, Any], given: Mapping[str, str]
) -> dict[str, Any]:
    """Make the attempts if the route leads to the administrator's database, and return the result. Raises OSError.

    ``found`` is the result of the route check and ``given`` is the service's environment.
    """
    if not wanted["attempts"]:
        return {"logged_in": False, "problem": "", "findings": []}
    if found["problem"] or any(found["service"][name] != administrator[name] for name in PLACE):
        return {"logged_in": False, "problem": "its route does not lead to the database", "findings": []}

    def work() -> dict[str, Any]:
        return attempts.log_in_and_make(
            wanted["parameters"], wanted["password"], service_login.of_libpq(given), wanted["setting"],
            wanted["attempts"], wanted["timeout"],
        )  # fmt: skip

    made: dict[str, Any] = processes.as_user(
        *owner_of(wanted["process"], wanted["service_user"]), work, patience=PATIENCE + wanted["timeout"]
    )
    return made


def owner_of(process: int, user: str) -> tuple[int, int, Iterable[int]]:
    """Return the user, group and supplementary groups of a process or of a system user. Raises OSError and KeyError."""
    if process:
        return processes.credentials(process)
    return processes.user(user)


def environment(module: AnsibleModule) -> dict[str, str]:
    """Return the environment of the service's process or of the unit's next start. Raises OSError.

    If the process's environment lacks the database URL, the environment of the next start fills the gaps. A program
    that writes its state into its process title overwrites the environment that the kernel shows.
    """
    wanted = module.params
    found: dict[str, str] = {}
    for process in processes.read([wanted["process"]] if wanted["process"] else []):
        found = dict(process["environment"])
    if wanted["variable"] in found:
        return found
    run = systemctl.Systemctl(module.run_command).run
    sources = unit_environment.next_environment(run, f"{wanted['unit']}.service")
    return {name: value for _, pairs in reversed(sources) for name, value in pairs.items()} | found


def main() -> None:
    """Run the module."""
    text = {"type": "str", "required": True}
    module = AnsibleModule(
        argument_spec={
            "database": text, "port": {"type": "int", "required": True}, "user": text, "unit": text,
            "process": {"type": "int", "required": True}, "service_user": text, "setting": text,
            "variable": {"type": "str", "default": "DATABASE_URL"},
            "parameters": {"type": "dict", "required": True},
            "password": {"type": "str", "required": True, "no_log": True},
            "attempts": {"type": "list", "elements": "dict", "default": [], "options": attempts.OPTIONS},
            "timeout": attempts.TIMEOUT,
        },
        supports_check_mode=True,
    )  # fmt: skip
    wanted = module.params
    parameters = {**wanted["parameters"], **({"password": wanted["password"]} if wanted["password"] else {})}
    try:
        with sessions.opened(wanted["user"], "postgres", wanted["port"]) as connection:
            administrator = identity(connection, "%s", (wanted["database"],))
            filed = _row(connection, FILED)[0]
        given = environment(module)
        owner = owner_of(wanted["process"], wanted["service_user"])
        found = as_service(owner, given, parameters, wanted["setting"])
        for item in found["settings"]:
            item["by"] = item["by"] or ("the database" if item["name"].lower() in filed else "")
        made = make_attempts(wanted, found, administrator, given)
        programs = witnesses.listeners(int(wanted["parameters"].get("port", 5432)))
    except (OSError, KeyError, psycopg2.Error) as error:
        module.fail_json(msg=f"The check of the service's route failed: {str(error).strip()}")
    module.exit_json(
        changed=False, **found, administrator=administrator, programs=programs,
        environment=service_login.of_libpq(given), attempts=made,
    )  # fmt: skip


if __name__ == "__main__":
    main()
