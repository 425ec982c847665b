#!/usr/bin/python
"""Change the database of a service in one transaction, while the service is stopped or renews its sessions."""

from __future__ import annotations

import functools
import signal
import time
from collections.abc import Callable, Iterator
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
    renewal,
    service_sessions,
    sessions,
    systemctl,
    transaction,
    units,
)

DOCUMENTATION = r"""
module: cutover
short_description: Change a service's database while the service is stopped, or while it renews its sessions
description:
  - Does everything that affects callers in one call on the server. If several modules did this work, most of the
    downtime would be the time between their calls. The call continues if the run loses its SSH connection.
  - The stages are C(stop), C(apply) and C(start). A stage runs only if its options request it. A failure skips the
    later stages, and rolls back an open transaction.
  - With O(renew), the service is not stopped. The stages are C(bridge), C(renew), C(apply) and C(answer), or
    C(apply), C(renew) and C(answer).
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
        remains. Idle sessions of O(pooler) that are reset for the next client are terminated, because they keep the
        role settings from their login.
    type: bool
    default: false
  failsafe_seconds:
    description:
      - Seconds after which systemd starts the unit, with O(triggers) and O(companions), if the run is lost.
      - The timer is armed before the stop and disarmed after a healthy start.
    type: int
  triggers:
    description:
      - Units that start O(unit). They are stopped and started together with O(unit). Other running units that start
        O(unit), and the units of an armed timer, are added.
    type: list
    elements: str
    default: []
  companions:
    description: Units that stop when O(unit) stops. They are started together with O(unit). Further units are added as
      for O(triggers).
    type: list
    elements: str
    default: []
  terminate_clients:
    description:
      - Whether other clients are terminated. By default, the module fails if there are other clients. With O(renew),
        the other clients are the older sessions of O(roles).
    type: bool
    default: false
  transaction:
    description: The transaction, in the form that M(aimemory.tenancy.postgresql_transaction) accepts.
    type: dict
  renew:
    description:
      - How the service renews its sessions. A renewal is needed because a session keeps the role settings from its
        login. With this option, the service is not stopped.
    type: dict
    suboptions:
      way:
        description: How the sessions are renewed, as in M(aimemory.tenancy.service_renew).
        type: str
        required: true
      command:
        description: The command that V(command) runs.
        type: list
        elements: str
        default: []
      seconds:
        description: Time limit for each step, such as the boot or the end of a worker, in seconds.
        type: int
        required: true
      order:
        description:
          - V(before) commits O(early) and renews the sessions before the transaction. The transaction is committed only
            if no session of O(roles) began before the commit of O(early); the module checks this while the tables are
            locked.
          - V(after) renews the sessions after the transaction.
        type: str
        choices: [before, after]
        required: true
      patience:
        description: Seconds to wait for all older sessions to end after the renewal.
        type: int
        required: true
      otherwise_stop:
        description: Whether the service is stopped if its sessions cannot be renewed, or the tables cannot be locked.
        type: bool
        default: false
  early:
    description: SQL statements that are committed before the sessions are renewed.
    type: list
    elements: str
    default: []
  start:
    description:
      - How the unit is started at the end. V(stay) does not start the unit. V(restarted) also restarts a running unit.
      - V(started) restarts a running unit only if a transaction was committed while the unit should have been stopped,
        or if a socket in O(triggers) is stopped.
    type: str
    choices: [stay, started, restarted]
    default: stay
  stopped_before:
    description:
      - Whether an earlier call stopped the unit and a transaction has been committed since. If the unit is running
        nevertheless, something else has started it, and the module restarts it.
    type: bool
    default: false
  roles:
    description:
      - Roles that the service logs in as. After the start, the module terminates their sessions in O(database) that are
        older than the commit of O(transaction) or, without O(transaction), older than the start.
    type: list
    elements: str
    default: []
  health_url:
    description: URL that returns status 200 when the service is healthy; required unless O(start=stay).
    type: str
  health_timeout:
    description: Seconds to wait for a healthy response. A request that starts within this time has its own timeout.
    type: int
    default: 60
  health_request_timeout:
    description: Timeout for one request, in seconds.
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
  returned: when the timer was armed
  type: str
triggers:
  description: RV(aimemory.tenancy.service_failsafe#module:triggers).
  returned: when the timer was armed
  type: list
companions:
  description: RV(aimemory.tenancy.service_failsafe#module:companions).
  returned: when the timer was armed
  type: list
instead:
  description: Why the service was stopped although O(renew) was given.
  returned: when the service was stopped
  type: str
renewed:
  description: RV(aimemory.tenancy.service_renew#module:renewed).
  returned: when the sessions were renewed
  type: dict
came_up:
  description: Whether something else started the unit after it was stopped; if so, the module restarted it.
  type: bool
ended:
  description: Roles of the clients that were terminated.
  returned: always
  type: list
committed:
  description: Whether the call committed O(transaction). Null if the session was lost during COMMIT, so that the module
    does not know.
  returned: always
  type: bool
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
journal_since:
  description: When the unit became inactive, or when the renewal began, in systemd's format.
  returned: when the call stopped or started the unit, or renewed its sessions
  type: str
"""

# The processes and sessions of a stopped service may take a few seconds to end.
CLIENTS_SECONDS = 3
PAUSE = 0.05


class StageError(Exception):
    """A stage failed; the message gives the reason."""


class UnhealthyError(StageError):
    """The service is not healthy. After this error, a live change does not fall back to stopping the service."""


class Cutover:
    """The stages of one call; ``outcome`` contains their results."""

    def __init__(self, module: AnsibleModule) -> None:
        """Initialize with the options of the module."""
        self.module = module
        self.wanted: dict[str, Any] = module.params
        self.began: list[tuple[str, float]] = []
        self.stopped: float | None = None
        # The roles of the terminated sessions, by process.
        self.ended: dict[int, str] = {}
        # When the transaction was committed.
        self.committed: service_sessions.Moment | None = None
        self.systemd = systemctl.Systemctl(module.run_command)
        self.failsafe = failsafe.Failsafe(module.run_command, self.wanted["unit"])
        self.outcome: dict[str, Any] = {"changed": False, "came_up": False, "ended": [], "committed": False}

    def run(self) -> None:
        """Run the stages. Raises StageError, SystemctlError, psycopg2.Error and the errors that ``transaction.run``
        and the renewal raise."""
        renew = self.wanted["renew"]
        if renew is None:
            self._change_stopped()
            return
        try:
            self._change_live()
        except (StageError, renewal.RenewalError, transaction.BusyError) as error:
            if isinstance(error, UnhealthyError) or not renew["otherwise_stop"]:
                raise
            self.outcome["instead"] = str(error)
            self._change_stopped()

    def _change_stopped(self) -> None:
        """Change the database while the service is stopped."""
        wanted = self.wanted
        if wanted["stop"]:
            self._stage("stop")
            if wanted["failsafe_seconds"]:
                self._arm()
            self._stop()
        if wanted["transaction"] and self.committed is None:
            self._stage("apply")
            self._apply()
        if wanted["start"] != "stay":
            self._stage("start")
            self._start()

    def _change_live(self) -> None:
        """Change the database while the service runs and renews its sessions."""
        is_first = self.wanted["renew"]["order"] == "before"
        self.outcome |= {"journal_since": systemctl.now(), "started": False}
        check = None
        if is_first:
            self._stage("bridge")
            moment = self._commit_early()
            self._stage("renew")
            self._renew(moment)
            # The new processes may run a different release, which must work before anything is changed.
            self._wait_until_healthy("has renewed its sessions")
            check = functools.partial(self._require_new_sessions, moment)
        self._stage("apply")
        committed = self._apply(check)
        if not is_first:
            self._stage("renew")
            self._renew(committed)
        self._stage("answer")
        self._wait_until_healthy("runs")

    def _commit_early(self) -> service_sessions.Moment:
        """Commit the early statements in one transaction, and return the moment after the commit."""
        database, seconds = self.wanted["database"], self.wanted["transaction"]["seconds"]
        with self._connection(database) as guard, self._connection(database) as connection:
            guard.autocommit = True
            # The time is limited, because the new objects may fire an event trigger, which runs code in the database.
            with (
                sessions.bounded(connection, guard, seconds, "The transaction of the bridge"),
                connection.cursor() as cursor,
            ):
                for query in self.wanted["early"]:
                    cursor.execute(query)
        self.outcome["changed"] = self.outcome["changed"] or bool(self.wanted["early"])
        return self._moment()

    def _moment(self) -> service_sessions.Moment:
        """Return the current moment on the database server."""
        with self._connection("postgres") as connection, connection.cursor() as cursor:
            return service_sessions.now(cursor, self.wanted["database"], self.wanted["roles"])

    def _renew(self, moment: service_sessions.Moment) -> None:
        """Renew the sessions of the service, and wait until none is older than ``moment``."""
        wanted, renew = self.wanted, self.wanted["renew"]
        made = renewal.Renewal(
            self.module.run_command, wanted["unit"], renew["way"], renew["command"], renew["seconds"]
        )  # fmt: skip
        self.outcome |= {"changed": True, "renewed": made.run()}
        deadline = time.monotonic() + renew["patience"]
        with self._connection("postgres") as connection, connection.cursor() as cursor:
            while older := self._older(cursor, moment):
                # The service's own processes have been replaced, so these sessions belong to other programs.
                if wanted["terminate_clients"]:
                    self._end(cursor, older)
                if time.monotonic() > deadline:
                    raise StageError(_described_older(older))
                time.sleep(PAUSE)

    def _older(self, cursor: Any, moment: service_sessions.Moment) -> list[service_sessions.Session]:
        """Return the sessions of the service's roles that may have started before ``moment``."""
        return moment.older(service_sessions.read(cursor, self.wanted["database"], self.wanted["roles"]))

    def _require_new_sessions(self, moment: service_sessions.Moment, cursor: Any) -> None:
        """Raise BusyError if a session is older than ``moment``, because it would see no rows after the change."""
        if older := self._older(cursor, moment):
            raise transaction.BusyError(_described_older(older))

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
        # One command stops the triggers and the unit, because a socket that is stopping does not start its service.
        self.systemd.order("stop", [*triggers, unit])
        if not self.systemd.is_down(unit):
            raise StageError(
                f"{unit} was stopped, but something started it again: journalctl --unit={unit} shows when. Prevent "
                "such a start for the duration of the run."
            )
        self.outcome["journal_since"] = self._inactive_since()
        self._require_no_process(units.control_group(block, slices))
        self._require_no_client()

    def _inactive_since(self) -> str:
        """Return when the unit, which is stopped, became inactive.

        systemd forgets the time of a stopped unit to which no other unit refers, such as one that is not enabled.
        """
        return self.systemd.property("InactiveEnterTimestamp", self.wanted["unit"]) or systemctl.now()

    def _require_no_process(self, control_group: str) -> None:
        """Wait briefly until no process of the stopped unit remains, or raise StageError."""
        deadline = time.monotonic() + CLIENTS_SECONDS
        while left := cgroups.processes(control_group):
            if time.monotonic() > deadline:
                raise StageError(
                    f"{self.wanted['unit']} was stopped, but some of its processes still run: {self._described(left)}"
                )
            time.sleep(PAUSE)

    def _described(self, pids: list[int]) -> str:
        """Return the command lines of processes."""
        _, output, _ = self.module.run_command(["ps", "-o", "pid=,args=", "-p", ",".join(map(str, pids))])
        lines = [" ".join(line.split()) for line in output.splitlines()]
        return "; ".join(lines) or ", ".join(map(str, pids))

    def _require_no_client(self) -> None:
        """Terminate other clients if the options say so. Raises StageError if clients or sessions with locks remain."""
        database, terminate = self.wanted["database"], self.wanted["terminate_clients"]
        pooler = clients.Pooler(**(self.wanted["pooler"] or {}))
        deadline = time.monotonic() + CLIENTS_SECONDS
        with self._connection(database) as connection, connection.cursor() as cursor:
            while True:
                left = clients.end(cursor, database, pooler, everybody=terminate)
                holding = clients.holders(cursor, self.wanted["tables"])
                if terminate:
                    self.ended |= {client.pid: client.role for client in left}
                    self.outcome["ended"] = list(self.ended.values())
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

    def _apply(self, check: Callable[[Any], None] | None = None) -> service_sessions.Moment:
        """Run the transaction, with a check while the tables are locked, and return the moment after its commit."""
        database = self.wanted["database"]
        with (
            self._connection(database) as guard,
            self._connection(database, settings=transaction.SETTINGS) as connection,
        ):
            guard.autocommit = True
            try:
                result = transaction.run(connection, guard, self.wanted["transaction"], check=check)
            except transaction.CommitError:
                self.outcome |= {"changed": True, "committed": None}
                raise
            # The outcome is set before anything else that may fail, because the change is in the database now.
            self.outcome |= {"changed": True, "committed": True, "result": result}
        self.committed = moment = self._moment()
        return moment

    def _start(self) -> None:
        """Start the unit and its related units, wait until it is healthy, and terminate the older sessions of its
        roles."""
        wanted, armed = self.wanted, self.failsafe.armed()
        unit, triggers = wanted["unit"], list(dict.fromkeys([*wanted["triggers"], *armed.triggers]))
        companions = list(dict.fromkeys([*wanted["companions"], *armed.companions]))
        running = not self.systemd.is_down(unit)
        # A unit that is running although it was stopped may have sessions from before the commit.
        self.outcome["came_up"] = running and (
            wanted["stopped_before"] or (wanted["stop"] and self.committed is not None)
        )
        moment = self.committed or (self._moment() if wanted["roles"] else None)
        # systemd cannot start a socket whose service is already running.
        shut = any(name.endswith(".socket") and self.systemd.is_down(name) for name in triggers)
        restarts = running and (self.outcome["came_up"] or wanted["start"] == "restarted" or shut)
        if restarts:
            self.systemd.order("stop", [unit])
        self.outcome["started"] = restarts or not running
        if restarts or not (running or "journal_since" in self.outcome):
            self.outcome["journal_since"] = self._inactive_since()
        # systemd limits how often a unit starts, so its counter is reset. The command fails for an unreferenced unit,
        # which is not loaded and has no counter.
        self.module.run_command(["systemctl", "reset-failed", "--", unit])
        self.systemd.order("start", [*triggers, unit, *companions])
        self.outcome["changed"] = True
        self._wait_until_healthy()
        if moment is not None and wanted["roles"]:
            self._end_older_sessions(moment)
        self.failsafe.disarm()

    def _wait_until_healthy(self, what: str = "was started") -> None:
        """Repeat the health request until the response is healthy; ``what`` is the predicate in the error message."""
        wanted = self.wanted
        deadline = time.monotonic() + wanted["health_timeout"]
        while True:
            # The timeout is as long as before the stop, because an abandoned request may block the only worker.
            answer = health.ask(wanted["health_url"], wanted["health_request_timeout"])
            if answer.healthy:
                self.outcome["health_said"] = answer.said
                return
            if time.monotonic() > deadline:
                break
            time.sleep(PAUSE)
        raise UnhealthyError(
            f"{wanted['unit']} {what}, but {wanted['health_url']} was not healthy within"
            f" {wanted['health_timeout']} s: it {answer.sentence}"
        )

    def _end(self, cursor: Any, found: list[service_sessions.Session]) -> None:
        """Terminate sessions, and record the role of each once."""
        service_sessions.end(cursor, found)
        self.ended |= {session.pid: session.role for session in found}
        self.outcome["ended"] = list(self.ended.values())

    def _end_older_sessions(self, moment: service_sessions.Moment) -> None:
        """Terminate sessions of the service's roles from before ``moment``, because they keep the settings from their
        login."""
        deadline = time.monotonic() + CLIENTS_SECONDS
        with self._connection("postgres") as connection, connection.cursor() as cursor:
            while older := self._older(cursor, moment):
                self._end(cursor, older)
                if time.monotonic() > deadline:
                    break
                time.sleep(PAUSE)
        if older:
            names = "; ".join(session.name for session in older)
            raise StageError(
                f"Sessions of the service's login are older than the change and do not end: {names}. End their "
                "processes on the server."
            )


def _described_older(older: list[service_sessions.Session]) -> str:
    return (
        "Sessions of the service's login do not end after the renewal, and keep the settings from their login: "
        f"{'; '.join(session.name for session in older)}. Stop the programs that use them, or stop the service for the "
        "change with -e tenancy_strategy=atomic."
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
            "renew": {
                "type": "dict",
                "options": {
                    "way": {"type": "str", "required": True}, "command": names,
                    "seconds": {"type": "int", "required": True}, "patience": {"type": "int", "required": True},
                    "order": {"type": "str", "choices": ["before", "after"], "required": True},
                    "otherwise_stop": {"type": "bool", "default": False},
                },
            },
            "early": names,
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
    if module.params["renew"] and not module.params["roles"]:
        module.fail_json(msg="renew requires roles: without roles, the module finds no older sessions.")
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
