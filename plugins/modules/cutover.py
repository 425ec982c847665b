#!/usr/bin/python
"""Stop a service, change its database in one transaction, and start the service."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg2
from ansible.module_utils.basic import AnsibleModule

from ansible_collections.aimemory.tenancy.plugins.module_utils import (
    cgroups,
    clients,
    errors,
    failsafe,
    health,
    messages,
    sessions,
    systemctl,
    transaction,
    units,
)

DOCUMENTATION = r"""
module: cutover
short_description: Stop a service, change its database in one transaction, and start the service
description:
  - Does all the work for which the service is stopped in one call on the server. With several modules, the time between
    the calls would be most of the downtime. The loss of the run's connection does not interrupt the call.
  - The stages are C(stop), C(apply) and C(start), each only if its options request it. A failure skips the later
    stages, and rolls back an open transaction.
  - Runs as root.
extends_documentation_fragment:
  - aimemory.tenancy.database
  - aimemory.tenancy.database.user
  - aimemory.tenancy.database.pooler
  - aimemory.tenancy.database.tables
options:
  unit:
    description: The service's systemd unit, with C(.service).
    type: str
    required: true
  stop:
    description:
      - Stops O(triggers) and the unit, then checks that no process of the unit and no other client of O(database)
        remains. Idle sessions of O(pooler) have been reset for the next client. They are terminated, because they keep
        the role settings from their login.
    type: bool
    default: false
  failsafe_seconds:
    description:
      - Seconds after which systemd starts the unit, with O(triggers) and O(companions), if the run is lost.
      - The timer is armed before the stop and disarmed after a healthy start.
    type: int
  triggers:
    description:
      - Units that start the unit; they are stopped before it and started with it. Other running units that start it,
        and those of an armed timer, are added.
    type: list
    elements: str
    default: []
  companions:
    description: Units that stop with the unit; they are started with it, and further units are added in the same way.
    type: list
    elements: str
    default: []
  terminate_clients:
    description: Whether other clients are terminated. By default, the module fails if there are any.
    type: bool
    default: false
  transaction:
    description: The transaction, in the form that M(aimemory.tenancy.postgresql_transaction) accepts.
    type: dict
  start:
    description:
      - How the unit is started at the end. C(stay) does not start it. C(started) does not restart a running unit,
        unless a transaction was committed while it should have been stopped.
    type: str
    choices: [stay, started, restarted]
    default: stay
  stopped_before:
    description:
      - Whether an earlier call stopped the unit and a transaction has been committed since. If the unit is running
        nevertheless, something else has started it, and it is restarted.
    type: bool
    default: false
  roles:
    description:
      - Roles that the service logs in as. After the start, their sessions in O(database) from before the commit of
        O(transaction) are terminated. Without O(transaction), these are the sessions from before the start.
    type: list
    elements: str
    default: []
  health_url:
    description: URL that returns status 200 when the service is healthy; required with O(start).
    type: str
  health_timeout:
    description: Seconds to wait for a healthy response; a request that started within this time has its own timeout.
    type: int
    default: 60
  health_request_timeout:
    description: Timeout of one request in seconds.
    type: int
    default: 30
author: AI-Memory operations
"""

EXAMPLES = r"""
- name: Change the database while the service is stopped
  become: true
  aimemory.tenancy.cutover:
    database: ai_memory
    port: 5432
    user: postgres
    unit: ai-memory.service
    stop: true
    failsafe_seconds: 900
    transaction: "{{ plan | aimemory.tenancy.tenancy_transaction(model, '5s', 900, proof=proof) }}"
    start: started
    health_url: http://127.0.0.1:8100/health
"""

RETURN = r"""
stages:
  description:
    - One entry for each stage that started, with name and ago (the seconds between its start and the end of the call).
  returned: always
  type: list
stopped_ago:
  description: Seconds from the stop command to the end of the call.
  returned: when O(stop) was set and the unit was running
  type: float
timer:
  description: Name of the timer's unit.
  returned: when it was armed
  type: str
triggers:
  description: RV(aimemory.tenancy.service_failsafe#module:triggers).
  returned: when the timer was armed
  type: list
companions:
  description: RV(aimemory.tenancy.service_failsafe#module:companions).
  returned: when the timer was armed
  type: list
came_up:
  description: Whether something else started the unit after it was stopped; in this case it was restarted.
  type: bool
ended:
  description: Roles of the clients that were terminated.
  returned: always
  type: list
result:
  description: RV(aimemory.tenancy.postgresql_transaction#module:result).
  returned: when the transaction was committed
  type: dict
health_said:
  description: RV(aimemory.tenancy.service_health#module:said).
  returned: when the unit was started
  type: str
started:
  description: Whether the call started the unit, because it was stopped or had to be restarted.
  returned: when O(start) is not V(stay)
  type: bool
inactive_since:
  description: When the unit became inactive, in systemd's format.
  returned: when the call stopped or started the unit
  type: str
"""

# The service's own sessions may end with a short delay.
CLIENTS_SECONDS = 3
OLDER = """
SELECT pid, usename, concat_ws(' ', pid, usename, application_name, coalesce(host(client_addr), 'local'), state),
       pg_terminate_backend(pid)
FROM pg_catalog.pg_stat_activity
WHERE datname = %(database)s AND usename = ANY (%(roles)s) AND backend_type = 'client backend'
  AND backend_start <= %(moment)s AND pid <> pg_backend_pid()
"""
PAUSE = 0.05


class StageError(Exception):
    """A stage failed; the message gives the reason."""


class Cutover:
    """The stages of one call; ``outcome`` contains their results."""

    def __init__(self, module: AnsibleModule) -> None:
        """Initialize with the options of the module."""
        self.module = module
        self.wanted: dict[str, Any] = module.params
        self.began: list[tuple[str, float]] = []
        self.stopped: float | None = None
        # The time of the commit on the database server's clock.
        self.committed_at: Any = None
        self.systemd = systemctl.Systemctl(module.run_command)
        self.failsafe = failsafe.Failsafe(module.run_command, self.wanted["unit"])
        self.outcome: dict[str, Any] = {"changed": False, "came_up": False, "ended": []}

    def run(self) -> None:
        """Run the stages; raises StageError, SystemctlError, psycopg2.Error and the errors that ``transaction.run``
        raises."""
        wanted = self.wanted
        if wanted["stop"]:
            self._stage("stop")
            if wanted["failsafe_seconds"]:
                self._arm()
            self._stop()
        if wanted["transaction"]:
            self._stage("apply")
            self._apply()
        if wanted["start"] != "stay":
            self._stage("start")
            self._start()

    def times(self) -> dict[str, Any]:
        """Return the seconds since each stage started, and since the service was stopped."""
        now = time.monotonic()
        times: dict[str, Any] = {"stages": [{"name": name, "ago": round(now - at, 6)} for name, at in self.began]}
        if self.stopped is not None:
            times["stopped_ago"] = round(now - self.stopped, 6)
        return times

    def _stage(self, name: str) -> None:
        self.began.append((name, time.monotonic()))

    @contextmanager
    def _connection(self, database: str, **more: Any) -> Iterator[Any]:
        """Yield a connection whose transaction is committed at the end."""
        # psycopg2's own context manager would hide the error of a terminated session and report only that the session
        # is closed.
        with sessions.opened(self.wanted["user"], database, self.wanted["port"], **more) as connection:
            yield connection
            connection.commit()

    def _arm(self) -> None:
        """Arm the timer, and record the units that it starts."""
        wanted = self.wanted
        try:
            around = self.failsafe.arm(wanted["failsafe_seconds"], wanted["triggers"], wanted["companions"])
        except systemctl.SystemctlError as error:
            raise StageError(f"systemd did not set up the timer {self.failsafe.name}: {error}") from error
        wanted |= {"triggers": around.triggers, "companions": around.companions}
        self.outcome |= {
            "timer": f"{self.failsafe.name}.timer", "triggers": around.triggers, "companions": around.companions,
        }  # fmt: skip

    def _stop(self) -> None:
        """Stop the unit and its triggers, and check that none of its processes and no other client remains."""
        unit, triggers = self.wanted["unit"], self.wanted["triggers"]
        properties = self.systemd.show([unit, *triggers])
        block = properties[unit]
        slices = self.systemd.show([block["Slice"]]) if block.get("Slice") else {}
        if not all(units.is_down(item) for item in properties.values()):
            self.stopped = time.monotonic()
            self.outcome["changed"] = True
        # One command stops all of them, because a socket that is stopping does not start its service.
        self.systemd.order("stop", [*triggers, unit])
        if not self.systemd.is_down(unit):
            raise StageError(
                f"{unit} was stopped, but something started it again: journalctl --unit={unit} shows when. Prevent "
                "such a start for the duration of the run."
            )
        self.outcome["inactive_since"] = self._inactive_since()
        self._require_no_process(units.control_group(block, slices))
        self._require_no_client()

    def _inactive_since(self) -> str:
        """Return when the unit, which is stopped, became inactive.

        systemd forgets the time of a stopped unit to which no other unit refers, such as one that is not enabled.
        """
        known = self.systemd.property("InactiveEnterTimestamp", self.wanted["unit"])
        return known or time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime())

    def _require_no_process(self, control_group: str) -> None:
        """Wait briefly for the processes that remain after the unit's stop."""
        deadline = time.monotonic() + CLIENTS_SECONDS
        while left := cgroups.processes(control_group):
            if time.monotonic() > deadline:
                raise StageError(
                    f"{self.wanted['unit']} was stopped, but processes of it still run: {self._described(left)}"
                )
            time.sleep(PAUSE)

    def _described(self, pids: list[int]) -> str:
        """Return the command lines of processes."""
        _, output, _ = self.module.run_command(["ps", "-o", "pid=,args=", "-p", ",".join(map(str, pids))])
        lines = [" ".join(line.split()) for line in output.splitlines()]
        return "; ".join(lines) or ", ".join(map(str, pids))

    def _require_no_client(self) -> None:
        """Terminate the other clients, or fail after some time if clients or other sessions with locks remain."""
        database, terminate = self.wanted["database"], self.wanted["terminate_clients"]
        pooler = clients.Pooler(**(self.wanted["pooler"] or {}))
        deadline = time.monotonic() + CLIENTS_SECONDS
        ended: dict[int, str] = {}
        with self._connection(database) as connection, connection.cursor() as cursor:
            while True:
                left = clients.end(cursor, database, pooler, everybody=terminate)
                holding = clients.holders(cursor, self.wanted["tables"])
                if terminate:
                    ended |= {client.pid: client.role for client in left}
                    self.outcome["ended"] = list(ended.values())
                if not (left or holding) or time.monotonic() > deadline:
                    break
                time.sleep(PAUSE)
        if left:
            raise StageError(
                f"Other clients are connected to {database}: {'; '.join(client.name for client in left)}. Close them,"
                " or let the run terminate them with -e service_terminate_clients=true."
            )
        if holding:
            raise StageError(
                f"Sessions that the run does not terminate hold locks on tables of {database}:"
                f" {'; '.join(client.name for client in holding)}. Wait until they have ended; pg_stat_activity shows "
                "their activity."
            )

    def _apply(self) -> None:
        """Run the transaction."""
        database = self.wanted["database"]
        with (
            self._connection(database) as guard,
            self._connection(database, settings=transaction.SETTINGS) as connection,
        ):
            guard.autocommit = True
            result = transaction.run(connection, guard, self.wanted["transaction"])
        self.committed_at = self._now()
        self.outcome |= {"changed": True, "result": result}

    def _now(self) -> Any:
        """Return the current time of the database server."""
        with self._connection("postgres") as connection, connection.cursor() as cursor:
            cursor.execute("SELECT pg_catalog.clock_timestamp()")
            return cursor.fetchone()[0]

    def _start(self) -> None:
        """Start the unit with its related units, and wait until it is healthy and has no session from before the
        start."""
        wanted, armed = self.wanted, self.failsafe.armed()
        unit, triggers = wanted["unit"], list(dict.fromkeys([*wanted["triggers"], *armed.triggers]))
        companions = list(dict.fromkeys([*wanted["companions"], *armed.companions]))
        running = not self.systemd.is_down(unit)
        # A unit that is running although it was stopped may have sessions from before the commit.
        self.outcome["came_up"] = running and (
            wanted["stopped_before"] or (wanted["stop"] and self.committed_at is not None)
        )
        moment = self.committed_at or (self._now() if wanted["roles"] else None)
        # systemd cannot start a socket whose service is already running.
        shut = any(name.endswith(".socket") and self.systemd.is_down(name) for name in triggers)
        restarts = running and (self.outcome["came_up"] or wanted["start"] == "restarted" or shut)
        if restarts:
            self.systemd.order("stop", [unit])
        self.outcome["started"] = restarts or not running
        if restarts or not (running or "inactive_since" in self.outcome):
            self.outcome["inactive_since"] = self._inactive_since()
        # systemd limits the number of starts. A unit without references is not loaded, and its starts are not counted.
        self.module.run_command(["systemctl", "reset-failed", "--", unit])
        self.systemd.order("start", [*triggers, unit, *companions])
        self.outcome["changed"] = True
        self._wait_until_healthy()
        if moment is not None and wanted["roles"]:
            self._end_older_sessions(moment)
        self.failsafe.disarm()

    def _wait_until_healthy(self) -> None:
        """Repeat the health request until the response is healthy."""
        wanted = self.wanted
        deadline = time.monotonic() + wanted["health_timeout"]
        while True:
            # The timeout is the same as before the stop: an abandoned request may block the only worker.
            answer = health.ask(wanted["health_url"], wanted["health_request_timeout"])
            if answer.healthy:
                self.outcome["health_said"] = answer.said
                return
            if time.monotonic() > deadline:
                break
            time.sleep(PAUSE)
        raise StageError(
            f"{wanted['unit']} was started, but {wanted['health_url']} was not healthy within"
            f" {wanted['health_timeout']} s: it {answer.sentence}"
        )

    def _end_older_sessions(self, moment: Any) -> None:
        """Terminate sessions of the service's roles from before ``moment``, because they keep the settings from their
        login."""
        values = {"database": self.wanted["database"], "roles": self.wanted["roles"], "moment": moment}
        deadline = time.monotonic() + CLIENTS_SECONDS
        ended: dict[int, str] = {}
        with self._connection("postgres") as connection, connection.cursor() as cursor:
            while True:
                # PostgreSQL caches the activity statistics for the duration of a transaction.
                cursor.execute("SELECT pg_stat_clear_snapshot()")
                cursor.execute(OLDER, values)
                older = cursor.fetchall()
                ended |= {pid: role for pid, role, _, _ in older}
                if not older or time.monotonic() > deadline:
                    break
                time.sleep(PAUSE)
        self.outcome["ended"] += list(ended.values())
        if older:
            raise StageError(
                f"Sessions of the service's login are older than the change and do not end:"
                f" {'; '.join(name for _, _, name, _ in older)}. End their processes on the server."
            )


def main() -> None:
    """Run the module."""
    names = {"type": "list", "elements": "str", "default": []}
    module = AnsibleModule(
        argument_spec={
            "database": {"type": "str", "required": True},
            "port": {"type": "int", "required": True},
            "user": {"type": "str", "required": True},
            "unit": {"type": "str", "required": True},
            "stop": {"type": "bool", "default": False},
            "failsafe_seconds": {"type": "int"},
            "triggers": names,
            "companions": names,
            "terminate_clients": {"type": "bool", "default": False},
            "pooler": clients.POOLER,
            "tables": clients.TABLES,
            "transaction": {"type": "dict"},
            "start": {"type": "str", "choices": ["stay", "started", "restarted"], "default": "stay"},
            "stopped_before": {"type": "bool", "default": False},
            "roles": names,
            "health_url": {"type": "str"},
            "health_timeout": {"type": "int", "default": 60},
            "health_request_timeout": {"type": "int", "default": 30},
        },
        required_if=[("start", "started", ["health_url"]), ("start", "restarted", ["health_url"])],
    )  # fmt: skip
    # The call continues if the SSH connection is lost, because callers of the service are waiting.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    cutover = Cutover(module)
    try:
        cutover.run()
    except psycopg2.Error as error:
        tables = (module.params["transaction"] or {}).get("tables", ())
        module.fail_json(msg=messages.of_database(error, tables), **cutover.outcome, **cutover.times())
    except (
        StageError, systemctl.SystemctlError, errors.TenancyError, sessions.SessionError, sessions.TimeLimitError,
    ) as error:  # fmt: skip
        module.fail_json(msg=messages.visible(str(error), lines=True), **cutover.outcome, **cutover.times())
    module.exit_json(**cutover.outcome, **cutover.times())


if __name__ == "__main__":
    main()
