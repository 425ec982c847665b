"""Inspect a service: its unit, processes and sessions, and the sources that contain its database URL."""

from __future__ import annotations

import base64
import contextlib
import os
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from . import cgroups, health, messages, processes, sessions, sockets, systemctl, unit_environment, witnesses
from .identity import acting_as

try:
    import psycopg2
except ImportError:
    psycopg2 = None

# Errors while reading processes and querying PostgreSQL; a system user that does not exist causes a KeyError.
DOES_NOT_ANSWER: tuple[type[Exception], ...] = (OSError, KeyError, sessions.SessionError)
if psycopg2 is not None:
    DOES_NOT_ANSWER = (*DOES_NOT_ANSWER, psycopg2.Error)

_TEXT = {"type": "str", "required": True}
# The options of the modules that inspect a service (plugins/doc_fragments/witness.py describes them).
OPTIONS: dict[str, dict[str, Any]] = {
    "database": _TEXT,
    "port": {"type": "int", "required": True},
    "user": _TEXT,
    "unit": _TEXT,
    "variable": {"type": "str", "default": "DATABASE_URL"},
    "schema": _TEXT,
    "tables": {"type": "list", "elements": "str", "required": True},
    "files": {"type": "list", "elements": "str", "default": []},
    "health_url": _TEXT,
    "health_timeout": {"type": "int", "default": 60},
    "health_request_timeout": {"type": "int", "default": 30},
}

SESSIONS = """
SELECT pid, coalesce(host(client_addr), ''), coalesce(client_port, -1), datname, usename
FROM pg_stat_activity
WHERE backend_type IN ('client backend', 'walsender') AND datname IS NOT NULL AND pid <> pg_backend_pid()
"""
DATABASES = "SELECT datname FROM pg_database WHERE datname = %(database)s"
# Each role, and whether this role, or a role to which it can switch, can access one of the tables.
REACHES = """
SELECT r.rolname, r.rolsuper OR r.rolbypassrls OR EXISTS (
  SELECT FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_roles m ON pg_has_role(r.oid, m.oid, 'MEMBER')
  WHERE n.nspname = %(schema)s AND c.relname = ANY(%(tables)s)
    AND (m.rolsuper OR m.rolbypassrls OR c.relowner = m.oid
         OR has_table_privilege(m.oid, c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, TRIGGER')
         OR has_any_column_privilege(m.oid, c.oid, 'SELECT, INSERT, UPDATE')))
FROM pg_roles r WHERE r.rolname = ANY(%(roles)s)
"""
PAUSE = 0.1
# The maximum number of readings. A new connection may not have a session yet, and a session may remain briefly after
# its connection has closed.
LOOKS = 4
HEALTH_ATTEMPTS = 5
# The number of healthy responses to wait for. A session that is opened for a single request exists only for
# milliseconds. If the first such session is missed, a second request may reveal one.
ANSWERS = 2
# The seconds to wait after the response, because a service may open its session only then.
AFTER_ANSWER = 2.0
SERVERS = {"postgres", "postmaster"}
SOCKETS = ("/run/postgresql", "/var/run/postgresql", "/tmp")


class Witness:
    """One call of a module; ``outcome`` is its result."""

    def __init__(self, wanted: Mapping[str, Any], run_command: Callable[..., tuple[int, str, str]]) -> None:
        """Initialize with the options of the module, and its function that runs commands."""
        self.wanted = {"requests": [], **wanted}
        self._run = systemctl.Systemctl(run_command).run
        self.unit = f"{wanted['unit']}.service"
        self.addresses: set[str] = set()
        self.own: list[dict[str, Any]] = []
        self.others: list[dict[str, Any]] = []
        self.seen: list[processes.Process] = []
        server = {"answered": False, "problem": "no request was sent to it"}
        self.outcome: dict[str, Any] = {"server": server, "answers": []}

    def run(self) -> None:
        """Inspect the service; raises OSError and psycopg2.Error."""
        shown = unit_environment.show(self._run, self.unit)
        tasks = shown.get("TasksCurrent", "")
        self.outcome["unit"] = {
            "load_state": shown["LoadState"], "active_state": shown["ActiveState"], "main_pid": int(shown["MainPID"]),
            "user": shown.get("User") or "root", "tasks": int(tasks) if tasks.isdigit() else -1, "as_started": False,
        }  # fmt: skip
        if shown["LoadState"] == "loaded":
            self._look_until_seen(shown.get("ControlGroup", ""))
        self._environments(loaded=shown["LoadState"] == "loaded")
        self.outcome["unit"]["as_started"] = self._as_started(unit_environment.program(shown.get("ExecStart", "")))
        self.outcome["processes"] = [{name: item[name] for name in ("pid", "name", "readable")} for item in self.seen]
        self.outcome["sessions"] = self.own
        groups = {process["user"]: process["group"] for process in self.seen}
        programs = (
            witnesses.listeners(self.wanted["port"]) if self.others or not self.outcome["server"]["answered"] else []
        )
        others = [
            {**item, "user": self._user(item["process"])}
            for item in self.others
            if not self._is_of_this_server(item, programs)
        ]
        strange = witnesses.strangers(others, groups)
        self.outcome["strangers"] = [{**item, "sessions_here": item["host"] in self.addresses} for item in strange]
        self.outcome["listeners"] = [] if self.outcome["server"]["answered"] else programs
        self.outcome["tells_sockets"] = sockets.tells_peers()
        self.outcome["real_files"] = [os.path.realpath(path) if path else "" for path in self.wanted["files"]]
        self.outcome["files"] = [_content(path) for path in self.wanted["files"]]

    def sessions(self) -> dict[str, Any]:
        """Return the processes with their connections (``seen``), the sessions and the connections to other servers."""
        return {"seen": self.seen, "sessions": self.own, "strangers": self.outcome.get("strangers", [])}

    def _user(self, pid: int) -> int:
        return next(int(process["user"]) for process in self.seen if process["pid"] == pid)

    def _look_until_seen(self, control_group: str) -> None:
        """Look for sessions. If none are found, or there are ``requests``, send requests and look again meanwhile."""
        connection = self._connected()
        if connection is None:
            self.seen = processes.read(cgroups.processes(control_group))
            return
        connection.autocommit = True
        try:
            with connection.cursor() as cursor:
                cursor.execute(DATABASES, {"database": self.wanted["database"]})
                self.outcome["server"] = {"answered": True, "problem": "", "database": cursor.fetchone() is not None}
                self._look_calmly(cursor, control_group)
                if self.outcome["unit"]["active_state"] == "active" and (self.wanted["requests"] or not self.own):
                    self._look_while_asking(cursor, control_group)
        finally:
            connection.close()
        self._add_reaches()

    def _connected(self) -> Any:
        """Return a connection of the administrator, or None if PostgreSQL does not respond."""
        try:
            with acting_as(self.wanted["user"]):
                return sessions.connect("postgres", self.wanted["port"])
        except DOES_NOT_ANSWER as error:
            self.outcome["server"]["problem"] = messages.of_database(error)
            return None

    def _sessions(self, cursor: Any) -> list[witnesses.Session]:
        cursor.execute(SESSIONS)
        return [
            {"pid": pid, "address": sockets.address(host) if host else "", "port": port, "database": name, "role": role}
            for pid, host, port, name, role in cursor.fetchall()
        ]

    def _look(self, cursor: Any, control_group: str) -> None:
        self.seen = processes.read(cgroups.processes(control_group))
        found = self._sessions(cursor)
        self.addresses = {item["address"] for item in found if item["address"]}
        local = [item["pid"] for item in found if not item["address"]]
        self.own, self.others = witnesses.split(self.seen, found, witnesses.backend_sockets(local))

    def _look_calmly(self, cursor: Any, control_group: str) -> None:
        """Read until every connection has a session, at most LOOKS times; connections to other servers remain."""
        for look in range(LOOKS):
            if look:
                time.sleep(PAUSE)
            self._look(cursor, control_group)
            if not self.others:
                return

    def _look_while_asking(self, cursor: Any, control_group: str) -> None:
        """Send a request to the service, and meanwhile read both ends of its connections continuously."""
        watch = processes.Watch(partial(cgroups.processes, control_group))
        try:
            found, backends = self._sessions_while_asking(cursor)
        finally:
            seen = watch.end()
        own, others = witnesses.split(seen, found, backends)
        # This reading also finds the other end of the connections that are still open.
        self._look_calmly(cursor, control_group)
        self.addresses |= {item["address"] for item in found if item["address"]}
        self.seen += [item for item in seen if item["pid"] not in {known["pid"] for known in self.seen}]
        self.own += [item for item in own if item["pid"] not in {known["pid"] for known in self.own}]
        self.others += [item for item in others if item["inode"] not in {known["inode"] for known in self.others}]

    def _sessions_while_asking(self, cursor: Any) -> tuple[list[witnesses.Session], dict[int, set[str]]]:
        """Return all sessions seen until shortly after the response, and the server's sockets for local sessions."""
        wanted = self.wanted
        requests = [self._request(item) for item in wanted["requests"]]
        # Each request has its own time limit.
        seconds = sum(item["timeout"] for item in wanted["requests"]) or wanted["health_timeout"]
        asking = ask(wanted["health_url"], wanted["health_request_timeout"], requests)
        deadline, after = time.monotonic() + seconds + AFTER_ANSWER, None
        found: dict[tuple[Any, ...], witnesses.Session] = {}
        backends: dict[int, set[str]] = {}
        try:
            while time.monotonic() < (after or deadline):
                for item in self._sessions(cursor):
                    if tuple(item.values()) in found:
                        continue
                    found[tuple(item.values())] = item
                    if not item["address"]:
                        backends.setdefault(item["pid"], set()).update(self._backend(item["pid"]))
                if after is None and asking.has_answered():
                    after = time.monotonic() + AFTER_ANSWER
                    self.outcome["answers"] = asking.result(processes.PATIENCE)
        finally:
            if after is None:
                asking.end()
        if after is None and requests:
            raise OSError(f"the requests to the service did not end within {seconds} s")
        return list(found.values()), backends

    def _request(self, wanted: Mapping[str, Any]) -> Callable[[], dict[str, Any]]:
        """Return a function that makes the request ``wanted`` and returns its response, as api.answered() does."""
        # api.py imports psycopg2. A host without psycopg2 must still be inspected, so that the run reports the missing
        # package.
        from . import api

        sources = api.environments(self._run, self.unit, wanted["file"]) if wanted["secret"] else []
        caller = api.Caller(wanted["headers"], api.secret_in(wanted["secret"], sources), wanted["seconds"])
        names = api.names(wanted["names"])

        def answered() -> dict[str, Any]:
            try:
                return api.answered(api.Conversation(wanted["url"], wanted["timeout"]), caller, names, wanted)
            except ValueError:
                # The message of the error may contain a header.
                raise OSError(f"{wanted['name']} cannot be sent with the headers in service_smoke_headers") from None

        return answered

    def _backend(self, pid: int) -> list[str]:
        """Return the sockets of a server process. They are read immediately, because the process may end within
        a millisecond."""
        for user in (contextlib.nullcontext(), acting_as(self.wanted["user"])):
            with contextlib.suppress(OSError), user:
                return sockets.inodes(Path(f"/proc/{pid}"))
        return []

    def _is_of_this_server(self, connection: sockets.Connection, programs: list[str]) -> bool:
        """Return whether a connection without a session leads to this server: its session has not started yet, or has
        ended."""
        if not programs or not set(programs) <= SERVERS:
            return False
        port = self.wanted["port"]
        if connection["kind"] == "unix":
            return connection["path"] in {f"{directory}/.s.PGSQL.{port}" for directory in SOCKETS}
        return bool(connection["remote"] == [connection["local"][0], port])

    def _add_reaches(self) -> None:
        """Add to each session whether its role has privileges on the tables."""
        wanted, roles = self.wanted, sorted({item["role"] for item in self.own})
        reaches: dict[str, bool] = {}
        if roles and self.outcome["server"]["database"]:
            opened = sessions.opened(wanted["user"], wanted["database"], wanted["port"])
            with opened as connection, connection.cursor() as cursor:
                cursor.execute(REACHES, {**wanted, "roles": roles})
                reaches = dict(cursor.fetchall())
        self.own = [{**item, "reaches": reaches.get(item["role"], True)} for item in self.own]

    def _as_started(self, program: str) -> bool:
        """Return whether the main process runs the unit's own program, and has the URL in its environment."""
        main, variable = self.outcome["unit"]["main_pid"], self.wanted["variable"]
        return any(
            process["pid"] == main and program in process["arguments"] and variable in process["environment"]
            for process in self.seen
        )

    def _environments(self, *, loaded: bool) -> None:
        """Find the URLs in the environments of the processes and of the next start."""
        variable = self.wanted["variable"]
        having = {item["process"] for item in self.own}
        found: dict[str, dict[str, Any]] = {}
        for process in self.seen:
            url = process["environment"].get(variable)
            if url is not None:
                # A module can return only valid UTF-8, so invalid bytes in a URL are replaced.
                url = url.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
                entry = found.setdefault(url, {"url": url, "processes": [], "sessions": False})
                entry["processes"].append({"pid": process["pid"], "name": process["name"]})
                entry["sessions"] |= process["pid"] in having
        self.outcome["environment"] = list(found.values())
        self.outcome["next_environment"] = {"url": "", "set_by": "", "problem": ""}
        self.outcome["rewritable"] = False
        if loaded:
            try:
                source, url = witnesses.set_by(unit_environment.next_environment(self._run, self.unit), variable)
                self.outcome["next_environment"] = {"url": url, "set_by": source, "problem": ""}
                own = os.path.realpath(self.wanted["files"][0]) if self.wanted["files"] else ""
                self.outcome["rewritable"] = source in ("", own)
            except OSError as error:
                self.outcome["next_environment"]["problem"] = f"{error.filename or ''}: {error.strerror or error}"


def ask(url: str, timeout: float, requests: Sequence[Callable[[], dict[str, Any]]] = ()) -> processes.Child:
    """Send health requests to a service, or ``requests``, from a child process, whose result is their responses.

    A bad response, or none, is no error. The responses to health requests are not returned.
    """

    def work() -> list[dict[str, Any]]:
        if not requests:
            _ask_for_health(url, timeout)
        return [request() for request in requests]

    return processes.start(*processes.own(), work)


def _ask_for_health(url: str, timeout: float) -> None:
    """Send health requests until ANSWERS of the responses are healthy, but at most HEALTH_ATTEMPTS requests.

    The first response may be an error, because the service only then detects that its session was terminated.
    """
    answers = 0
    for _ in range(HEALTH_ATTEMPTS):
        if health.ask(url, timeout).healthy:
            answers += 1
        else:
            time.sleep(PAUSE)
        if answers == ANSWERS:
            return


def _content(path: str) -> str | None:
    """Return the contents of a file in Base64, or None if it cannot be read."""
    try:
        return base64.b64encode(Path(path).read_bytes()).decode() if path else None
    except OSError:
        return None
