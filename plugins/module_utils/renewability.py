"""Determine whether and how the sessions of a running service can be renewed. Nothing is changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from . import cgroups, gunicorn, processes, systemctl, trial, units

WAYS = ("auto", "gunicorn", "reload", "restart", "command")
# The options of a module that inspects or renews the sessions of a service.
OPTIONS: dict[str, dict[str, Any]] = {
    "renew": {"type": "str", "choices": list(WAYS), "default": "auto"},
    "renew_command": {"type": "list", "elements": "str", "default": []},
}


@dataclass
class Seen:
    """The observed facts about a unit.

    ``holders`` maps the ids of processes with a session to their names. ``unread`` maps the ids of processes whose
    sessions neither root nor their user can read. ``poolers`` lists the programs that hold the service's sessions, and
    ``companions`` the units that stop with the unit. ``reloads`` is true if the unit has ExecReload. ``problem`` is the
    reason why gunicorn was not observed, or why none of its workers can be tried.
    """

    unit: str
    active: bool = True
    main: int = 0
    pids: list[int] = field(default_factory=list)
    masters: list[gunicorn.Master] = field(default_factory=list)
    holders: dict[int, str] = field(default_factory=dict)
    unread: dict[int, str] = field(default_factory=dict)
    poolers: list[str] = field(default_factory=list)
    companions: list[str] = field(default_factory=list)
    reloads: bool = False
    problem: str = ""


def observe(run_command: Any, unit: str, sessions: Mapping[str, Any] | None = None) -> Seen:
    """Return the observed facts about a unit, named with its suffix. Raises SystemctlError.

    ``sessions`` is the result of ``witness.Witness.sessions``; its field ``seen`` contains the processes and their
    connections.
    """
    systemd = systemctl.Systemctl(run_command)
    properties = systemd.show([unit])[unit]
    seen = Seen(unit, properties["ActiveState"] in ("active", "reloading"))
    seen.pids = cgroups.processes(properties.get("ControlGroup", ""))
    seen.companions = units.surroundings(unit, systemd.show).companions
    seen.main = int(systemd.property("MainPID", unit) or 0)
    seen.reloads = bool(systemd.property("ExecReload", unit))
    try:
        seen.masters = gunicorn.masters(seen.pids)
        for master in seen.masters:
            trial.words(unit, processes.read([master.process.pid]))
    except (OSError, trial.TrialError) as error:
        seen.problem = str(error)
    if sessions is not None:
        seen.holders = holders(sessions["seen"], sessions["sessions"])
        seen.unread = {item["pid"]: item["name"] for item in sessions["seen"] if not item["readable"]}
        seen.poolers = sorted({item["program"] for item in sessions["strangers"] if item["local"] and item["program"]})
    return seen


def holders(seen: Iterable[processes.Process], sessions: Sequence[Mapping[str, Any]]) -> dict[int, str]:
    """Return the names, by id, of the processes with a session, including every process that shares a session."""
    ends = {(item["address"], item["port"]) for item in sessions if item["address"]}
    named = {item["process"] for item in sessions}
    return {
        process["pid"]: process["name"]
        for process in seen
        if process["pid"] in named
        or any(item["kind"] == "tcp" and tuple(item["local"]) in ends for item in process["connections"])
    }


def judge(seen: Seen, way: str, command: Sequence[str] = ()) -> dict[str, Any]:
    """Return ``{way, workers, obstacle, invalid}``.

    ``way`` is how the sessions can be renewed, and ``workers`` is the number of workers. ``obstacle`` is a sentence if
    the sessions cannot be renewed, else "". ``invalid`` is a sentence if the unit contradicts ``service_renew``, else
    "". Raises ValueError for an unknown way.
    """
    if way not in WAYS:
        raise ValueError(f"Unknown way to renew sessions {way!r}: use {', '.join(WAYS)}.")
    chosen = way if way != "auto" else "gunicorn" if seen.masters else "restart"
    invalid = _invalid(seen, way, command) if seen.active else ""
    workers = len(seen.masters[0].workers) if seen.masters else 0
    return {"way": chosen, "workers": workers, "obstacle": invalid or _obstacle(seen, chosen, way), "invalid": invalid}


def _invalid(seen: Seen, way: str, command: Sequence[str]) -> str:
    if way == "gunicorn" and not seen.masters and not seen.problem:
        return (
            f"{seen.unit} does not run gunicorn with workers, but service_renew is gunicorn: set service_renew to auto,"
            " reload, command or restart."
        )
    if way == "reload" and not seen.reloads:
        return (
            f"{seen.unit} has no ExecReload=, but service_renew is reload: add it and run systemctl daemon-reload, or"
            " set service_renew to auto."
        )
    if way == "command" and not command:
        return (
            f"service_renew is command, but service_renew_command is empty: set the command that renews the sessions"
            f" of {seen.unit}, or set service_renew to auto."
        )
    return ""


def _obstacle(seen: Seen, chosen: str, way: str) -> str:
    if not seen.active:
        return f"{seen.unit} is not running."
    if seen.poolers:
        poolers = " and ".join(seen.poolers)
        return f"The sessions of {seen.unit} belong to {poolers}, and no renewal of {seen.unit} replaces them."
    if seen.companions and chosen != "command":
        companions = " and ".join(seen.companions)
        return (
            f"Stopping {seen.unit} also stops {companions}, but a renewal of {seen.unit} does not renew the sessions"
            f" of {companions}: let service_renew_command renew all of these sessions."
        )
    if chosen == "restart":
        if way == "restart":
            return "service_renew is restart."
        return seen.problem or f"{seen.unit} does not run gunicorn, whose workers can be replaced one by one."
    return _of_gunicorn(seen) if chosen == "gunicorn" else _of_order(seen)


def _of_gunicorn(seen: Seen) -> str:
    if seen.problem:
        return seen.problem
    if len(seen.masters) > 1:
        return f"{seen.unit} runs {len(seen.masters)} gunicorn servers."
    (master,) = seen.masters
    if not master.workers:
        return f"The gunicorn of {seen.unit} has no workers."
    if master.process.pid in seen.holders:
        return (
            f"The main process of gunicorn in {seen.unit} ({master.process.pid}) has a database session. Its workers"
            " share this session, and no renewal replaces it: connect in the workers, not while the application is"
            " loaded."
        )
    workers = {worker.pid for worker in master.workers}
    if others := _named(seen.holders, workers):
        return f"A process of {seen.unit} that is not a gunicorn worker also has a database session ({others})."
    if unread := _named(seen.unread, workers):
        return f"{seen.unit} runs a process whose sessions neither root nor its user can read ({unread})."
    return ""


def _named(processes_by_id: Mapping[int, str], omitted: Iterable[int]) -> str:
    return ", ".join(f"{name} {pid}" for pid, name in sorted(processes_by_id.items()) if pid not in set(omitted))


def _of_order(seen: Seen) -> str:
    if seen.main in seen.holders:
        return f"The main process of {seen.unit} ({seen.main}) has a database session, which only a restart replaces."
    if seen.pids == [seen.main]:
        return f"{seen.unit} has only its main process, which only a restart replaces."
    return ""


def inspect(
    run_command: Any, unit: str, way: str, command: Sequence[str], sessions: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the result of ``judge``. If the processes cannot be inspected, ``obstacle`` is the reason."""
    try:
        return judge(observe(run_command, unit, sessions), way, command)
    except (systemctl.SystemctlError, KeyError) as error:
        return {
            "way": "restart",
            "workers": 0,
            "obstacle": f"The processes of {unit} cannot be inspected ({error}).",
            "invalid": "",
        }
