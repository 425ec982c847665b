"""The evidence of whether anything still needs the bridge, derived from the usage record of the bridge.

A kind of statement is a combination of a table and a command. The record contains the time when each kind last used the
bridge, and this time shows which code used it. Start-up code uses the bridge only in the first seconds of a service
process. The health check uses the bridge when the run calls the check. Every other use belongs to a caller, or to
another job that uses the service's login. If a caller reads a table that the health check also reads, the two uses
cannot be distinguished.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ...module_utils.errors import TenancyError
from ...module_utils.messages import visible
from .bridge_record import COMMANDS, RESOLUTION

Use = Mapping[str, Any]

START, HEALTH, CALLER = "At the start", "Health check", "Callers"
# The origins of a use, in the order of the report. Each has a phrase for the report's sentence.
OWNERS = {CALLER: "by callers", START: "at the start", HEALTH: "by the health check"}
# The values of -e enforce_accept, each with the origins that it accepts.
ACCEPTABLE = {"startup": (START, HEALTH)}
# In seconds. Both the start times of processes and the times in the usage record are rounded to whole seconds.
TOLERANCE = 2
# The effect that removing the bridge has on a statement without a tenant.
AFTERWARDS = {
    "SELECT": "SELECT sees no row", "INSERT": "INSERT is refused (42501)", "UPDATE": "UPDATE changes no row",
    "DELETE": "DELETE deletes no row",
}  # fmt: skip
SHOWN_TABLES = 4
WIDTH = 76


def accepted(given: str | Iterable[str] | None) -> list[str]:
    """Return the names in -e enforce_accept, which is a list or a comma-separated string.

    Raises TenancyError for unknown names.
    """
    items = given.split(",") if isinstance(given, str) else list(given or [])
    names = [name for item in items if (name := str(item).strip())]
    unknown = sorted({name for name in names if name not in ACCEPTABLE})
    if unknown:
        raise TenancyError(
            f"enforce_accept cannot contain {', '.join(map(repr, unknown))}: its only value is 'startup', which "
            "accepts start-up code and the health check. Callers' requests without a tenant are never accepted."
        )
    return names


def judge(
    record: Mapping[str, Any],
    ages: Iterable[int | str],
    quiet_seconds: int,
    startup_seconds: int,
    accept: Iterable[str] = (),
    asked_at: int | None = None,
) -> dict[str, Any]:
    """Return whether the bridge can be removed: ``{holds, verdict, sentence, lines}``.

    ``record`` is ``{now, uses}``. Each use is ``{table, command, used_at}``. ``used_at`` is None if the kind never used
    the bridge. ``ages`` are the ages of the service's processes in seconds, including the main process. ``now``,
    ``used_at`` and ``asked_at`` are seconds since 1970 by the server's clock. ``asked_at`` is the time when this run
    called the health check, or None if the run did not call it.

    The verdict is one of these:

    * "needed": callers need the bridge.
    * "known": start-up code or the health check needs the bridge, and ``accept`` does not accept that.
    * "short": the service has run for less than ``quiet_seconds``, or for less than ``startup_seconds`` if its start-up
      used the bridge.
    * "done": nothing needs the bridge.
    """
    now, starts = record["now"], [record["now"] - int(age) for age in ages]
    started = min(starts)
    # Earlier uses belong to earlier processes.
    uses = [use for use in record["uses"] if use["used_at"] is not None and use["used_at"] > started - TOLERANCE]
    owned = [(_owner(use, starts, startup_seconds, asked_at), use) for use in uses]
    known = {owner for name in accept for owner in ACCEPTABLE[name]}
    owners = {owner for owner, _ in owned}
    # A use during the start-up may belong to a caller. Wait long enough for a later use of the same kind to show that.
    wait = max(quiet_seconds, startup_seconds) if START in owners else quiet_seconds
    if CALLER in owners:
        verdict = "needed"
    elif owners - known:
        verdict = "known"
    else:
        verdict = "done" if now - started >= wait else "short"
    since = f"since the service started {_age(now - started)} ago"
    return {
        "holds": verdict == "done",
        "verdict": verdict,
        "sentence": _sentence(owned, now, starts, since),
        "lines": _lines(owned, now, starts, since),
    }


def unnoted(record: Mapping[str, Any], since: int) -> list[str]:
    """Return readable names of the kinds for which the record shows no use since the time ``since``."""
    return [
        f"{use['command']} on {visible(use['table'])}"
        for use in record["uses"]
        if use["used_at"] is None or use["used_at"] < since
    ]


def _owner(use: Use, starts: Sequence[int], startup_seconds: int, asked_at: int | None) -> str:
    """Return the origin of a use, derived from the time and the command of the use."""
    used_at = use["used_at"]
    if any(start - TOLERANCE < used_at <= start + startup_seconds for start in starts):
        return START
    # The session that handles the health check may have recorded the kind shortly before, and then does not record it
    # again. A health check only reads.
    if asked_at is not None and use["command"] == "SELECT" and used_at >= asked_at - RESOLUTION - TOLERANCE:
        return HEALTH
    return CALLER


def _sentence(owned: Sequence[tuple[str, Use]], now: int, starts: Sequence[int], since: str) -> str:
    """Return the result as one sentence, without the period at the end."""
    if not owned:
        return f"nothing used the bridge {since}"
    parts = []
    for owner, words in OWNERS.items():
        groups = _groups(owned, owner, now, starts)
        if groups:
            parts.append(f"{words} ({'; '.join([groups[0], *_more(groups, 1)])})")
    return f"statements without a tenant used the bridge {since}, {', '.join(parts)}"


def _lines(owned: Sequence[tuple[str, Use]], now: int, starts: Sequence[int], since: str) -> list[str]:
    """Return the result as lines for the terminal: origins, kinds, times, and the effect of the bridge's removal."""
    lines = [f"Statements without a tenant {since}:" if owned else f"Nothing used the bridge {since}."]
    for owner in OWNERS:
        groups = _groups(owned, owner, now, starts)
        if not groups:
            continue
        used = {use["command"] for whose, use in owned if whose == owner}
        becomes = ", ".join(AFTERWARDS[command] for command in COMMANDS if command in used)
        lines.append(f"{owner}:")
        for text in [*groups[:SHOWN_TABLES], *_more(groups, SHOWN_TABLES)]:
            lines += textwrap.wrap(text, WIDTH, initial_indent="  ", subsequent_indent="    ")
        lines += textwrap.wrap(f"without the bridge: {becomes}", WIDTH, initial_indent="  ", subsequent_indent="    ")
    return lines


def _more(groups: Sequence[str], shown: int) -> list[str]:
    left = len(groups) - shown
    return [] if left < 1 else ["and one more table" if left == 1 else f"and {left} more tables"]


def _groups(owned: Sequence[tuple[str, Use]], owner: str, now: int, starts: Sequence[int]) -> list[str]:
    """Return one string for each table, with its commands and the time of their last use. The most recently used table
    comes first."""
    tables: dict[str, list[Use]] = {}
    for whose, use in owned:
        if whose == owner:
            tables.setdefault(use["table"], []).append(use)
    latest = sorted(tables, key=lambda name: (-max(use["used_at"] for use in tables[name]), name))
    return [_group(name, tables[name], owner, now, starts) for name in latest]


def _group(table: str, uses: Sequence[Use], owner: str, now: int, starts: Sequence[int]) -> str:
    commands = {use["command"] for use in uses}
    used_at = max(use["used_at"] for use in uses)
    start = max((start for start in starts if start - TOLERANCE < used_at), default=used_at)
    after = _age(max(0, used_at - start))
    when = {
        START: f"last {after} after it",
        HEALTH: "when it is called",
        CALLER: f"last {_age(max(0, now - used_at))} ago, {after} after the start",
    }[owner]
    return f"{', '.join(command for command in COMMANDS if command in commands)} on {visible(table)}, {when}"


def _age(seconds: int) -> str:
    """Return a duration as text, rounded down, in the largest unit that it contains at least twice.

    For example, 119 is "119 seconds", and 120 is "2 minutes".
    """
    for name, size in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size} {name}"
    return f"{seconds} seconds"
