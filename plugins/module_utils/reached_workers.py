"""Send requests to a service until each worker has run a statement in its own database session for one of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import api, cgroups, gunicorn, processes, sockets, systemctl, witnesses
from .errors import TenancyError

# The sessions in which a statement has started since a given time, in the form that witnesses.split() uses.
SESSIONS = """
SELECT pid, coalesce(host(client_addr), ''), coalesce(client_port, -1), datname, usename
FROM pg_catalog.pg_stat_activity
WHERE backend_type = 'client backend' AND query_start > %(since)s::pg_catalog.timestamptz
  AND pid <> pg_catalog.pg_backend_pid() AND datname = %(database)s
"""
NOW = "SELECT pg_catalog.clock_timestamp()::pg_catalog.text"
PAUSE = 0.02
# The verdict on a response that does not contain the request's marker.
UNMARKED = "unmarked"


class ReadError(TenancyError):
    """A worker did not respond, or responded with an error; the message names the worker."""


@dataclass(frozen=True)
class Exchange:
    """A response, as api.answered returns it, and the local port of the connection (0 if the connection is closed)."""

    answer: Mapping[str, Any]
    port: int
    close: Callable[[], None] = lambda: None


@dataclass(frozen=True)
class Limits:
    """The maximum number of rounds, each with one request for each worker, and the time limit in seconds."""

    rounds: int = 50
    seconds: float = 60


class Host:
    """The workers and the sessions of a service."""

    def __init__(self, run_command: Any, unit: str, database: str, cursor: Any) -> None:
        """Initialize with the unit (with its suffix), and a cursor of the administrator in autocommit mode."""
        self.unit = unit
        self._systemd = systemctl.Systemctl(run_command)
        self._database, self._cursor = database, cursor

    def workers(self) -> list[int]:
        """Return the ids of gunicorn's workers, or else of the main process's children, or else of the main process."""
        pids = cgroups.processes(self._systemd.property("ControlGroup", self.unit))
        masters = gunicorn.masters(pids)
        if masters:
            return sorted(worker.pid for master in masters for worker in master.workers)
        main = int(self._systemd.property("MainPID", self.unit))
        return [pid for pid in pids if gunicorn.parent(pid) == main] or [pid for pid in pids if pid == main]

    def now(self) -> str:
        """Return the database server's current time, as text."""
        self._cursor.execute(NOW)
        return str(self._cursor.fetchone()[0])

    def readers(self, pids: Iterable[int], since: str) -> set[int]:
        """Return the processes whose sessions have started a statement since a given time."""
        self._cursor.execute(SESSIONS, {"since": since, "database": self._database})
        found = [
            {"pid": pid, "address": sockets.address(host) if host else "", "port": port, "database": name, "role": role}
            for pid, host, port, name, role in self._cursor.fetchall()
        ]
        backends = witnesses.backend_sockets(item["pid"] for item in found if not item["address"])
        own, _ = witnesses.split(processes.read(pids), found, backends)
        return {session["process"] for session in own}

    def owners(self, pids: Iterable[int], ports: Iterable[int], proc: Path = Path("/proc")) -> set[int]:
        """Return the processes that accepted the open connections from these ports."""
        wanted = set(ports) - {0}
        found = {
            inode
            for inode, item in sockets.tcp_connections(proc / "self" / "net").items()
            if item["remote"][1] in wanted
        }
        return {process["pid"] for process in processes.read(pids) if found & set(process["sockets"])}


def read_through_each(host: Host, ask: Callable[[], Exchange], limits: Limits) -> dict[str, Any]:
    """Return ``{workers, requests, unproven}``: the processes, the number of requests, and a sentence about the
    processes that are not proven, or "". Raises ReadError for a response with an error.

    ``ask`` makes one request over a new connection. A worker is proven if, in the same round, it accepted a request and
    a statement started in its own session. No request of the round may fail. If the service closes its connections
    immediately, the statement may come from another caller's request.
    """
    proven: set[int] = set()
    made, deadline = 0, time.monotonic() + limits.seconds
    for _ in range(limits.rounds):
        workers = host.workers()
        if not workers:
            raise ReadError(f"{host.unit} has no worker that can respond: see journalctl -u {host.unit}.")
        since = host.now()
        with ThreadPoolExecutor(max_workers=len(workers)) as pool:
            exchanges = [future.result() for future in [pool.submit(ask) for _ in workers]]
        made += len(exchanges)
        owners = host.owners(workers, (item.port for item in exchanges))
        readers = host.readers(workers, since)
        for item in exchanges:
            item.close()
        _require_ok(host.unit, exchanges, owners)
        proven |= readers & (owners or set(workers))
        left = sorted(set(workers) - proven)
        if not left:
            return {"workers": workers, "requests": made, "unproven": ""}
        if time.monotonic() > deadline:
            break
        time.sleep(PAUSE)
    named = ", ".join(f"process {pid}" for pid in left)
    # A service that opens a session for each request, or connects through a pooler, has no session to observe.
    unproven = f"{made} requests do not prove that {named} of {host.unit} reads with its new session."
    return {"workers": workers, "requests": made, "unproven": unproven}


def _require_ok(unit: str, exchanges: Iterable[Exchange], owners: Collection[int]) -> None:
    for item in exchanges:
        if item.answer["verdict"] != api.OK:
            among = f" (one of the processes {', '.join(map(str, sorted(owners)))})" if owners else ""
            how = "without the expected text" if item.answer["verdict"] == UNMARKED else "with an error"
            raise ReadError(
                f"A worker of {unit}{among} answered {item.answer['name']} {how}: {item.answer['said']}. See journalctl"
                f" -u {unit}."
            )


def asker(url: str, timeout: float, caller: api.Caller, names: api.Names, request: Any) -> Callable[[], Exchange]:
    """Return a function that makes ``request`` over a new connection and checks the response."""

    def ask() -> Exchange:
        conversation = api.Conversation(url, timeout)
        answer = api.answered(conversation, caller, names, request)
        if answer["verdict"] == api.OK and request["marker"] and not answer["marked"]:
            answer["verdict"] = UNMARKED
        return Exchange(answer, conversation.port, conversation.close)

    return ask
