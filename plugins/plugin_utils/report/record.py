"""Build the record of a run, run.json, whose format docs/run.schema.json describes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...module_utils import messages
from . import aftermath, commands

Facts = Mapping[str, Any]
# The version of the format of run.json. Records of earlier releases contain no version.
VERSION = 1


def build(facts: Facts) -> dict[str, Any]:
    """Return the record of a run, with hidden characters as escapes.

    ``facts`` is the result of ``facts.pick``, in which unknown facts are None or empty. For a refused run, only the
    name may be known. A run is finished if its result has an outcome. Raises KeyError if a fact is missing.
    """
    result, found = facts["result"], facts["preflight"]
    record = {
        "version": VERSION,
        "run": result["run"],
        **{name: facts[name] for name in ("kind", "host", "database", "service", "tenant", "tenant_column")},
        "operator": found.get("operator") or facts["operator"],
        "application_role": found.get("application_role"),
        "versions": _versions(facts),
        "options": options(facts),
        "outcome": result["outcome"] or "FAILED",
        "finished": result["outcome"] is not None,
        "completed": result["completed"],
        "failure": result["failure"],
        "aftermath": aftermath.sentences(facts) if result["failure"] is not None else [],
        "database_state": aftermath.database_state(facts),
        "service_state": aftermath.service_state(facts),
        "bridge": aftermath.is_bridged(facts),
        "phases": result["phases"],
        "stopped_at": facts["stopped_at"],
        "healthy_at": facts["healthy_at"] if aftermath.is_answered(facts) else None,
        **{name: facts[name] for name in ("backup", "copy", "rehearsal")},
        "service_login": _service_login(facts),
        **{name: facts[name] for name in ("evidence", "strategy", "locked_seconds", "renewed")},
        "online_steps": aftermath.online_steps(facts),
        "plan": facts["plan"] or [],
        "durations": {step["id"]: step["seconds"] for step in aftermath.timed_steps(facts)} | facts["durations"],
        **{name: facts[name] for name in ("proof", "login", "audit", "findings", "journal", "api", "watched")},
        "callers": facts["callers"],
        **{name: facts[name] for name in ("written", "replaced_database", "tables")},
        "commands": [item["command"] for item in next_commands(facts)],
    }
    shown: dict[str, Any] = messages.visible_document(record)
    return shown


def _versions(facts: Facts) -> dict[str, str | None]:
    here = facts["versions"]
    return {
        "PostgreSQL": facts["preflight"].get("server_version"),
        "ansible-core": here["ansible-core"],
        "Python": here["python"],
        "aimemory.tenancy": here["aimemory.tenancy"],
    }


def options(facts: Facts) -> dict[str, str]:
    """Return the options of the run that are not empty, as text."""
    texts = {name: str(value) for name, value in facts["asked"].items()}
    texts |= {
        "limit": facts["limit"] or "",
        "inventory": ", ".join(commands.near(source, facts["root"]) for source in facts["inventories"]),
    }
    words = {"True": "true", "False": "false"}
    given = {name: words.get(text, text) for name, text in texts.items() if text}
    return {**given, "check mode": str(facts["check_mode"]).lower()}


def _service_login(facts: Facts) -> dict[str, str | None] | None:
    login = facts["service_login"]
    if not login["switched"] and login["put_back"] is None:
        return None
    replaced = facts["preflight"].get("replaced_role") if login["put_back"] is None else None
    return {"role": login["role"], "replaced": replaced}


def next_commands(facts: Facts) -> list[dict[str, str]]:
    """Return the commands that the operator may run next, each with label and command.

    A committed migration has next commands, such as its rollback. Any other run has them only if it changed the
    database and then failed.
    """
    is_changed = aftermath.is_changed(facts)
    is_migrated = facts["kind"] == "migrate" and (is_changed or aftermath.is_finishing(facts))
    if not is_migrated and not (is_changed and facts["result"]["failure"] is not None):
        return []
    return commands.following(commands.playbook(facts), facts["kind"], facts["asked"]["rollback_mode"])
