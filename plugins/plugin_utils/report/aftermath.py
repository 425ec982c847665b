"""What state everything is in after a run, as far as it is known: from the facts that ``record.build`` takes."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

Facts = Mapping[str, Any]


def is_changed(facts: Facts) -> bool:
    """Say whether the run leaves a change in the database."""
    return bool(facts["committed"] or facts["swapped"])


def is_finishing(facts: Facts) -> bool:
    """Say whether the run goes on with a migration that an earlier one committed before it was lost."""
    return bool(facts["result"]["confirmed"] and facts["kind"] == "migrate" and facts["unfinished_before"])


def is_answered(facts: Facts) -> bool:
    """Say whether the service answers. It may have answered, and have failed later."""
    return facts["healthy_at"] is not None and facts["result"]["service_failure"] is None


def timed_steps(facts: Facts) -> list[dict[str, Any]]:
    """Return what was done while the service worked, with id and seconds: steps (sql), and what is none of them."""
    expanded = facts["expanded"]
    return list((facts["job"] if "ansible_job_id" in expanded else expanded).get("steps", ()))


def online_steps(facts: Facts) -> list[dict[str, Any]]:
    """Return the steps of the plan that were done while the service worked; a backfill is none of them."""
    return [step for step in timed_steps(facts) if "sql" in step]


def sentences(facts: Facts) -> list[str]:
    """Return the state of database and service after a failure."""
    result = facts["result"]
    is_begun = facts["stopped_at"] is not None or result["recovery_failure"] is not None or online_steps(facts)
    if not is_begun and not is_finishing(facts):
        return ["Nothing was changed: the service and the database are as they were."]
    said = [database(facts), service(facts)]
    if result["recovery_failure"] is not None and not _is_untold(facts):
        said.append(f"The recovery failed: {result['recovery_failure']}")
    if result["service_failure"] is not None:
        said.append(f"It did not start: {result['service_failure']}")
        timer = facts["failsafe_timer"] or "no timer is armed"
        said.append(f"The server tries again in {facts['failsafe_seconds']} s ({timer}).")
    return said


def _is_untold(facts: Facts) -> bool:
    """Say whether the database could not be asked what became of it."""
    is_unknown = facts["plan"] is not None and facts["committed"] is None
    return facts["result"]["recovery_failure"] is not None and is_unknown


def database(facts: Facts) -> str:
    """Return the state of the database."""
    done = len(online_steps(facts))
    if _is_untold(facts):
        failure = facts["result"]["recovery_failure"]
        return f"Database: what was done cannot be told ({failure}): run playbooks/verify.yml."
    if is_changed(facts):
        return "Database: the change is committed; see the commands below."
    if is_finishing(facts):
        return "Database: an earlier run migrated it; see the commands below."
    if facts["undone"]:
        return "Database: what was committed was taken back again."
    if done:
        return (
            f"Database: {done} of the steps that the service works through are done, the rest is not: callers notice "
            "nothing. migrate.yml goes on from there, rollback.yml -e rollback_mode=schema takes them back."
        )
    return "Database: unchanged, nothing was committed."


def service(facts: Facts) -> str:
    """Return the state of the service."""
    name = facts["service"]
    if facts["stopped_at"] is None and not is_finishing(facts):
        return f"Service: {name} was not stopped."
    if is_answered(facts):
        return f"Service: {name} answers again."
    unit = shlex.quote(name)
    return f"Service: {name} DOES NOT ANSWER. On the server: systemctl status {unit}; journalctl -u {unit} -n 50"
