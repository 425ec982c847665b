#!/usr/bin/python
"""Stop a service, change its database in one transaction, start the service."""

from __future__ import annotations

import signal
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPException
from typing import Any

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from ansible_collections.aimemory.tenancy.plugins.module_utils import contents, messages
from ansible_collections.aimemory.tenancy.plugins.module_utils.identity import acting_as

try:
    import psycopg2
except ImportError:
    psycopg2 = None

DOCUMENTATION = r"""
module: cutover
short_description: Stop a service, change its database in one transaction, start the service
description:
  - Does on the server, in one call, what callers of the service wait for; with a module for each, most of the time
    would go into the ways between them. A run that is lost meanwhile does not interrupt it.
  - The stages are C(stop), C(changes), C(apply) and C(start), each only where its options ask for it. Whatever fails,
    the stages after it are left out, and an open transaction is rolled back.
  - Runs as root.
extends_documentation_fragment:
  - aimemory.tenancy.database
  - aimemory.tenancy.database.user
options:
  unit:
    description: The service's systemd unit.
    type: str
    required: true
  stop:
    description:
      - Stop the unit, then require that no process called O(process) and no other client of O(database) is left.
    type: bool
    default: false
  process:
    description: Name of the service's processes; needed with O(stop).
    type: str
  terminate_clients:
    description: Whether other clients are ended instead of refused.
    type: bool
    default: false
  since:
    description:
      - The value C(snapshot_xmin) of M(aimemory.tenancy.postgresql_dump). When anything was written since, the call
        ends there, with the names in RV(written) and the unit stopped.
    type: int
  tables:
    description: The value C(tables) of M(aimemory.tenancy.postgresql_dump); needed with O(since).
    type: list
    elements: dict
  queries:
    description: SQL that is run in one transaction.
    type: list
    elements: str
    default: []
  start:
    description: How the unit is started in the end. C(stay) leaves it.
    type: str
    choices: [stay, started, restarted]
    default: stay
  health_url:
    description: URL that answers 200 when the service is healthy; needed with O(start).
    type: str
  health_timeout:
    description: Seconds to wait for that.
    type: int
    default: 60
author: AI-Memory operations
"""

EXAMPLES = r"""
- name: Change the database while the service is stopped
  become: true
  aimemory.tenancy.cutover:
    database: ai_memory
    port: 5432
    user: postgres
    unit: ai-memory
    process: gunicorn
    stop: true
    queries: [ALTER TABLE memories ADD COLUMN customer_id integer NOT NULL DEFAULT 1]
    start: started
    health_url: http://127.0.0.1:8100/health
"""

RETURN = r"""
stages:
  description:
    - One entry a stage that was begun, with name and ago, the seconds between its beginning and the end of the call.
  returned: always
  type: list
stopped_ago:
  description: Seconds between the order to stop and the end of the call.
  returned: when O(stop) was asked for and the unit ran
  type: float
ended:
  description: Roles of the clients that were ended.
  returned: always
  type: list
written:
  description: Tables that were written to since the snapshot.
  returned: always
  type: list
durations:
  description: Seconds that each of O(queries) took, as far as they were made.
  returned: always
  type: list
result:
  description: First row of the last query.
  returned: when the transaction was committed
  type: dict
inactive_since:
  description: When the unit became inactive, as systemd writes it.
  returned: when the unit was started
  type: str
"""

# The service's own sessions take a moment to go.
CLIENTS_SECONDS = 3
CLIENTS = """
SELECT pid, usename, concat_ws(' ', pid, usename, application_name, coalesce(host(client_addr), 'local'), state),
       CASE WHEN %(terminate)s THEN pg_terminate_backend(pid) END
FROM pg_stat_activity
WHERE datname = %(database)s AND backend_type = 'client backend' AND pid <> pg_backend_pid()
"""
PAUSE = 0.05
# Whatever the environment says of proxies: the service is on this host.
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class StageError(Exception):
    """A stage did not succeed; the message says why."""


class Cutover:
    """The stages of one call; what they leave is in ``outcome``."""

    def __init__(self, module: AnsibleModule) -> None:
        """Take the options of the module."""
        self.module = module
        self.wanted: dict[str, Any] = module.params
        self.began: list[tuple[str, float]] = []
        self.stopped: float | None = None
        self.outcome: dict[str, Any] = {"changed": False, "ended": [], "written": [], "durations": []}

    def run(self) -> None:
        """Run the stages; raises StageError and psycopg2.Error."""
        wanted = self.wanted
        if wanted["stop"]:
            self._stage("stop")
            self._stop()
        if wanted["since"] is not None:
            self._stage("changes")
            self._look_for_changes()
            if self.outcome["written"]:
                return
        if wanted["queries"]:
            self._stage("apply")
            self._apply()
        if wanted["start"] != "stay":
            self._stage("start")
            self._start()

    def times(self) -> dict[str, Any]:
        """Return how long ago each stage began, and the service was stopped."""
        now = time.monotonic()
        times: dict[str, Any] = {"stages": [{"name": name, "ago": round(now - at, 6)} for name, at in self.began]}
        if self.stopped is not None:
            times["stopped_ago"] = round(now - self.stopped, 6)
        return times

    def _stage(self, name: str) -> None:
        self.began.append((name, time.monotonic()))

    @contextmanager
    def _cursor(self, connect: Callable[..., Any], database: str) -> Iterator[Any]:
        """Yield a cursor whose transaction is committed in the end."""
        with acting_as(self.wanted["user"]):
            connection = connect(database, self.wanted["port"])
        try:
            with connection, connection.cursor() as cursor:
                yield cursor
        finally:
            connection.close()

    def _systemctl(self, *arguments: str) -> str:
        """Return what systemctl says; raises StageError."""
        code, output, error = self.module.run_command(["systemctl", *arguments, self.wanted["unit"]])
        if code != 0:
            raise StageError((error or output).strip())
        return str(output).strip()

    def _stop(self) -> None:
        """Stop the unit and require that nothing of it, and nobody else, is left."""
        unit, process = self.wanted["unit"], self.wanted["process"]
        if self._systemctl("show", "--property=ActiveState", "--value") not in ("inactive", "failed"):
            self.stopped = time.monotonic()
            self.outcome["changed"] = True
            self._systemctl("stop")
        code, output, error = self.module.run_command(["pgrep", "--list-full", "--exact", process])
        if code not in (0, 1):
            raise StageError(error.strip())
        if code == 0:
            raise StageError(f"{unit} was stopped, but {process} still runs: {output.strip()}")
        self._require_no_client()

    def _require_no_client(self) -> None:
        """End the other clients, or name them after a while."""
        database, terminate = self.wanted["database"], self.wanted["terminate_clients"]
        deadline = time.monotonic() + CLIENTS_SECONDS
        ended: dict[int, str] = {}
        with self._cursor(connect, "postgres") as cursor:
            while True:
                # One transaction would see the same clients for ever.
                cursor.execute("SELECT pg_stat_clear_snapshot()")
                cursor.execute(CLIENTS, {"database": database, "terminate": terminate})
                clients = cursor.fetchall()
                if terminate:
                    ended |= {pid: role for pid, role, _, _ in clients}
                    self.outcome["ended"] = list(ended.values())
                if not clients:
                    return
                if time.monotonic() > deadline:
                    break
                time.sleep(PAUSE)
        raise StageError(
            f"Other clients are connected to {database}: {'; '.join(name for _, _, name, _ in clients)}. Close them,"
            " or let the run end them with -e service_terminate_clients=true."
        )

    def _look_for_changes(self) -> None:
        """Find the tables that were written to since the snapshot."""
        with self._cursor(contents.connect, self.wanted["database"]) as cursor:
            found = contents.read(cursor, 0, self.wanted["since"])
        self.outcome["written"] = contents.written(found, self.wanted["tables"])

    def _apply(self) -> None:
        """Run the queries in one transaction."""
        with self._cursor(connect, self.wanted["database"]) as cursor:
            for query in self.wanted["queries"]:
                began = time.monotonic()
                cursor.execute(query)
                self.outcome["durations"].append(round(time.monotonic() - began, 6))
            row = cursor.fetchone() if cursor.description else ()
            result = {column.name: row[number] for number, column in enumerate(cursor.description or ())}
        self.outcome |= {"changed": True, "result": result}

    def _start(self) -> None:
        """Start the unit and wait until it is healthy."""
        wanted = self.wanted
        self.outcome["inactive_since"] = self._systemctl("show", "--property=InactiveEnterTimestamp", "--value")
        self._systemctl({"started": "start", "restarted": "restart"}[wanted["start"]])
        self.outcome["changed"] = True
        deadline = time.monotonic() + wanted["health_timeout"]
        while True:
            try:
                with DIRECT.open(wanted["health_url"], timeout=5) as response:
                    if response.status == 200:
                        return
                    answer = f"HTTP status {response.status}"
            except (OSError, HTTPException) as error:
                answer = str(error)
            if time.monotonic() > deadline:
                break
            time.sleep(PAUSE)
        raise StageError(
            f"{wanted['unit']} was started, but {wanted['health_url']} was not healthy within"
            f" {wanted['health_timeout']} s: {answer}"
        )


def connect(database: str, port: int) -> Any:
    """Return a connection whose transaction is written in. Raises psycopg2.Error."""
    return psycopg2.connect(dbname=database, port=port, application_name=contents.APPLICATION)


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "database": {"type": "str", "required": True},
            "port": {"type": "int", "required": True},
            "user": {"type": "str", "required": True},
            "unit": {"type": "str", "required": True},
            "stop": {"type": "bool", "default": False},
            "process": {"type": "str"},
            "terminate_clients": {"type": "bool", "default": False},
            "since": {"type": "int"},
            "tables": {"type": "list", "elements": "dict"},
            "queries": {"type": "list", "elements": "str", "default": []},
            "start": {"type": "str", "choices": ["stay", "started", "restarted"], "default": "stay"},
            "health_url": {"type": "str"},
            "health_timeout": {"type": "int", "default": 60},
        },
        required_if=[
            ("stop", True, ["process"]), ("start", "started", ["health_url"]), ("start", "restarted", ["health_url"]),
        ],
        required_by={"since": ["tables"]},
    )  # fmt: skip
    if psycopg2 is None:
        module.fail_json(msg=missing_required_lib("psycopg2"))
    # The connection to the laptop may go; callers of the service still wait.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    cutover = Cutover(module)
    try:
        cutover.run()
    except (StageError, psycopg2.Error) as error:
        module.fail_json(msg=messages.without_values(str(error).strip()), **cutover.outcome, **cutover.times())
    module.exit_json(**cutover.outcome, **cutover.times())


if __name__ == "__main__":
    main()
