"""Derive the state of the service and the database after a run from the facts for ``record.build``."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from .. import installed

Facts = Mapping[str, Any]


def is_changed(facts: Facts) -> bool:
    """Return whether the run has left a change in the database."""
    return bool(facts["committed"] or facts["swapped"])


def is_finishing(facts: Facts) -> bool:
    """Return whether the run continues a migration that an earlier, lost run committed."""
    return bool(facts["result"]["confirmed"] and facts["kind"] == "migrate" and facts["unfinished_before"])


def is_answered(facts: Facts) -> bool:
    """Return whether the service became healthy again and has not failed since."""
    return facts["healthy_at"] is not None and facts["result"]["service_failure"] is None


def timed_steps(facts: Facts) -> list[dict[str, Any]]:
    """Return the steps that ran while the service was running, each with id and seconds.

    Steps of the plan also have ``sql``; the backfill does not.
    """
    expanded = facts["expanded"]
    return list((facts["job"] if "ansible_job_id" in expanded else expanded).get("steps", ()))


def online_steps(facts: Facts) -> list[dict[str, Any]]:
    """Return the steps of the plan, without the backfill, that ran while the service was running."""
    return [step for step in timed_steps(facts) if "sql" in step]


def sentences(facts: Facts) -> list[str]:
    """Return sentences about the state of the database and the service after a failure."""
    result = facts["result"]
    moments = (facts["stopped_at"], facts["renewed_at"], result["recovery_failure"])
    has_started = any(moment is not None for moment in moments) or online_steps(facts)
    if not has_started and not is_finishing(facts):
        return ["Nothing was changed: the service and the database are as they were."]
    said = [database(facts), service(facts)]
    if result["recovery_failure"] is not None and not _is_unknown(facts):
        said.append(f"The recovery failed: {result['recovery_failure']}")
    if result["service_failure"] is not None:
        said.append(f"The service did not start: {result['service_failure']}")
        timer = facts["failsafe_timer"] or "no timer is armed"
        said.append(f"The server tries again in {facts['failsafe_seconds']} s ({timer}).")
    return said


def _is_unknown(facts: Facts) -> bool:
    """Return whether the state of the database could not be read."""
    has_no_answer = facts["plan"] is not None and facts["committed"] is None
    return facts["result"]["recovery_failure"] is not None and has_no_answer


def database_state(facts: Facts) -> str:
    """Return the state of the database: unknown, changed, reverted, expanded (some online steps only) or unchanged."""
    if _is_unknown(facts):
        return "unknown"
    if is_changed(facts) or is_finishing(facts):
        return "changed"
    if facts["undone"]:
        return "reverted"
    return "expanded" if online_steps(facts) or _has_bridge_only(facts) else "unchanged"


def _has_bridge_only(facts: Facts) -> bool:
    """Return whether a live migration committed the bridge, but not the change."""
    return facts["kind"] == "migrate" and facts["renewed_at"] is not None and is_bridged(facts)


def is_bridged(facts: Facts) -> bool:
    """Return whether the bridge of the service's role is on, according to the facts of the run."""
    return bool(facts["bridges"].get(facts["preflight"].get("application_role")))


def service_state(facts: Facts) -> str:
    """Return the state of the service: kept (it was not stopped), restarted (it responds again) or stopped."""
    if facts["result"]["service_failure"] is not None:
        return "stopped"
    if facts["stopped_at"] is None and (facts["renewed_at"] is not None or not is_finishing(facts)):
        return "kept"
    return "restarted" if is_answered(facts) else "stopped"


def database(facts: Facts) -> str:
    """Return the state of the database as a sentence."""
    state = database_state(facts)
    if state == "unknown":
        failure = facts["result"]["recovery_failure"]
        return f"Database: its state is unknown ({failure}): run {installed.playbook('verify')}."
    if state == "changed" and is_changed(facts):
        return "Database: the change is committed; see the commands below."
    if state == "changed":
        return "Database: an earlier run migrated it; see the commands below."
    if state == "reverted":
        return "Database: the change was committed and then rolled back."
    if state == "expanded" and _has_bridge_only(facts):
        return (
            f"Database: {'the online steps and the bridge are' if online_steps(facts) else 'the bridge is'} committed,"
            " but the change is not. Both releases of the service work with this state. "
            f"{installed.playbook('migrate')} continues from there; {installed.playbook('rollback')} -e "
            "rollback_mode=schema restores the original schema."
        )
    if state == "expanded":
        migrate, back = installed.playbook("migrate"), f"{installed.playbook('rollback')} -e rollback_mode=schema"
        onwards, reverting = (back, migrate) if facts["kind"] == "rollback" else (migrate, back)
        return (
            f"Database: {len(online_steps(facts))} of the online steps are done; the others are not. Callers are not"
            f" affected. {onwards} continues with the remaining steps; {reverting} rolls back the steps."
        )
    return "Database: unchanged, nothing was committed."


def service(facts: Facts) -> str:
    """Return the state of the service as a sentence."""
    name, state = facts["service"], service_state(facts)
    if state == "kept":
        return f"Service: {name} was not stopped."
    if state == "restarted":
        return f"Service: {name} responds again."
    unit = shlex.quote(name)
    return f"Service: {name} DOES NOT RESPOND. On the server: systemctl status {unit}; journalctl -u {unit} -n 50"
