"""Update the result of the report role, ``report_result``: the progress of a run, and how the run ended."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ...module_utils import messages
from . import aftermath, clock

Result = Mapping[str, Any]

# The name of the phase for a failure before the first phase.
BEFORE = "start"
# The phases after the change. In these, the service is started, or is checked while it is running.
AFTER = ("start", "answer")


def new(run: str, log: str | None) -> dict[str, Any]:
    """Return the result of a run that has just started.

    ``run`` is the name of the run, and ``log`` the path of the log (None in a dry run). Each of the ``phases`` has name
    and started. ``confirmed`` is true if the run has changes to make and may make them. ``failure`` has phase, task and
    message. ``recovery_failure`` and ``service_failure`` are messages. ``outcome``, ``completed`` and ``downtime``
    (seconds from stop to healthy) are None until the end. ``expected`` contains the seconds of each phase in the last
    run, by name.
    """
    nothing = dict.fromkeys(("failure", "recovery_failure", "service_failure", "outcome", "completed", "downtime"))
    return {"run": run, "log": log, "phases": [], "confirmed": False, "cancelled": False, "expected": {}, **nothing}


def begin_phase(result: Result, name: str) -> dict[str, Any]:
    """Return the result with the additional phase ``name``, which starts now."""
    return {**result, "phases": [*result["phases"], {"name": name, "started": clock.ago(0)}]}


def add_stages(result: Result, stages: Iterable[Mapping[str, Any]], ended: str | None = None) -> dict[str, Any]:
    """Return the result with the stages of a call (name, ago) as phases. ``ended`` is the call's end (default: now)."""
    found = clock.phases(stages, last_phase(result), ended)
    return {**result, "phases": [*result["phases"], *found]}


def last_phase(result: Result) -> str:
    """Return the name of the last phase that the run reached."""
    return str(result["phases"][-1]["name"]) if result["phases"] else BEFORE


def fail(result: Result, task: str, failed: Mapping[str, Any]) -> dict[str, Any]:
    """Return the result with the failure of a task, and with the stages that the task reached.

    ``failed`` is Ansible's result of the task. For a loop, the message joins the messages of the failed items.
    """
    items = [item for item in failed.get("results") or () if item.get("failed")]
    if items:
        message = " ".join(str(item.get("msg", "no message")) for item in items)
    else:
        message = str(failed.get("msg", failed.get("exception", "no message")))
    come = add_stages(result, failed["stages"]) if "stages" in failed else dict(result)
    return {**come, "failure": {"phase": last_phase(come), "task": task, "message": messages.sentence(message)}}


def failed_after_change(result: Result) -> bool:
    """Return whether the run failed because the service does not work with the change."""
    return bool(result["failure"] and result["failure"]["phase"] in AFTER)


def fail_recovery(result: Result, failed: Mapping[str, Any]) -> dict[str, Any]:
    """Return the result of a run whose recovery also failed; ``failed`` is the result of the failed task."""
    return {**result, "recovery_failure": failed.get("msg", "no message")}


def fail_service(result: Result, failed: Mapping[str, Any]) -> dict[str, Any]:
    """Return the result of a run after which the service does not start; ``failed`` is the result of the task."""
    return {**result, "service_failure": failed.get("msg", "no message")}


def end(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return the final result of a run that ends now. ``facts`` are those for ``record.build``."""
    result = facts["result"]
    if result["failure"] is None:
        outcome = "SUCCESS"
    elif result["cancelled"]:
        outcome = "CANCELLED"
    else:
        outcome = "PARTIAL" if aftermath.is_changed(facts) else "FAILED"
    is_served = facts["stopped_at"] is not None and aftermath.is_answered(facts)
    downtime = clock.seconds(facts["stopped_at"], facts["healthy_at"]) if is_served else None
    return {**result, "outcome": outcome, "completed": clock.ago(0), "downtime": downtime}
