"""The times, units and notes of a call to the cutover module."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..report import clock

Document = Mapping[str, Any]


def after(result: Document, call: Document) -> dict[str, Any]:
    """Return the service role's result after a call to the cutover module that has just returned.

    ``call["stopped_ago"]`` is the number of seconds from the moment when callers began to wait to the end of the call.
    The end of the call, ``call_ended``, is now. ``journal_since`` is a time on the server's clock, for queries of the
    server's journal.
    """
    ended = clock.ago(0)
    found: dict[str, Any] = {"call_ended": ended}
    if "timer" in call:
        found |= {name: call[name] for name in ("triggers", "companions")} | {"failsafe_timer": call["timer"]}
    if "stopped_ago" in call:
        found["stopped_at"] = clock.ago(call["stopped_ago"], ended)
    if "journal_since" in call:
        found["journal_since"] = call["journal_since"]
    if "renewed" in call:
        found["renewed"] = renewed(call["renewed"])
    # If the service was already healthy before the call, callers did not wait for the end of the call. The earlier time
    # then remains.
    if "health_said" in call and (call["started"] or "healthy_at" not in result):
        found["healthy_at"] = ended
    return {**result, **found}


def renewed(made: Document) -> dict[str, Any]:
    """Return a renewal's result for the service role. Its ``processes`` is the number of replaced processes."""
    return {**{name: made[name] for name in ("way", "workers", "seconds")}, "processes": made["renewed"]}


def notes(call: Document, service: str, health_before: str | None) -> list[str]:
    """Return the lines that tell the operator about the effects of a call.

    ``health_before`` is the service's health message before the stop, or None if the health was not checked.
    """
    said = [f"NOTE {service} was stopped after all: {call['instead']}"] if "instead" in call else []
    said += [f"Ended: {', '.join(call['ended'])}"] if call["ended"] else []
    if call.get("health_said"):
        before = "not checked" if health_before is None else health_before or "healthy"
        said.append(
            f"NOTE {service} reports its health after the change: {call['health_said']} (before the change: {before})."
        )
    if call["came_up"]:
        said.append(
            f"NOTE {service} was started while the database was being changed. The run restarted it, so that none of"
            f" its sessions is older than the change. journalctl --unit={service}.service shows what started it."
        )
    return said
