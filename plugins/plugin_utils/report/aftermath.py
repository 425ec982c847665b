"""The state of the service and the database after a run, derived from the facts for ``record.build``."""

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
    """Return whether the service responds. It may have responded once and failed later."""
    return facts["healthy_at"] is not None and facts["result"]["service_failure"] is None


def timed_steps(facts: Facts) -> list[dict[str, Any]]:
    """Return the work done while the service worked, with id and seconds. Only steps of the plan have ``sql``."""
    expanded = facts["expanded"]
    return list((facts["job"] if "ansible_job_id" in expanded else expanded).get("steps", ()))


def online_steps(facts: Facts) -> list[dict[str, Any]]:
    """Return the steps of the plan that ran while the service worked, without the backfill."""
    return [step for step in timed_steps(facts) if "sql" in step]


def sentences(facts: Facts) -> list[str]:
    """Return sentences about the state of the database and the service after a failure."""
    result = facts["result"]
    has_started = facts["stopped_at"] is not None or result["recovery_failure"] is not None or online_steps(facts)
    if not has_started and not is_finishing(facts):
        return ["Nothing was changed: the service and the database are as they were."]
    said = [database(facts), service(facts)]
    if result["recovery_failure"] is not None and not _is_unknown(facts):
        said.append(f"The recovery failed: {result['recovery_failure']}")
    if result["service_failure"] is not None:
        said.append(f"It did not start: {result['service_failure']}")
        timer = facts["failsafe_timer"] or "no timer is armed"
        said.append(f"The server tries again in {facts['failsafe_seconds']} s ({timer}).")
    return said


def _is_unknown(facts: Facts) -> bool:
    """Return whether the state of the database could not be read."""
    has_no_answer = facts["plan"] is not None and facts["committed"] is None
    return facts["result"]["recovery_failure"] is not None and has_no_answer


def database(facts: Facts) -> str:
    """Return the state of the database."""
    done = len(online_steps(facts))
    if _is_unknown(facts):
        failure = facts["result"]["recovery_failure"]
        return f"Database: its state is unknown ({failure}): run {installed.playbook('verify')}."
    if is_changed(facts):
        return "Database: the change is committed; see the commands below."
    if is_finishing(facts):
        return "Database: an earlier run migrated it; see the commands below."
    if facts["undone"]:
        return "Database: the change was committed and then rolled back."
    if done:
        return (
            f"Database: {done} of the online steps are done, the others are not. Callers are not affected. "
            f"{installed.playbook('migrate')} continues with the remaining steps, {installed.playbook('rollback')} "
            "-e rollback_mode=schema rolls back the steps."
        )
    return "Database: unchanged, nothing was committed."


def service(facts: Facts) -> str:
    """Return the state of the service."""
    name = facts["service"]
    if facts["stopped_at"] is None and not is_finishing(facts):
        return f"Service: {name} was not stopped."
    if is_answered(facts):
        return f"Service: {name} responds again."
    unit = shlex.quote(name)
    return f"Service: {name} DOES NOT RESPOND. On the server: systemctl status {unit}; journalctl -u {unit} -n 50"
