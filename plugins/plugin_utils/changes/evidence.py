"""The evidence that nothing needs the bridge any more, judged from the record of its use.

The record tells kinds of statements apart: a table and a command, with the time of the last use of each. Whose a kind
is follows from when it was used. What the service does as it starts is used in the first seconds of one of its
processes and never again. What its health check reads is used when the health check is asked, and the run asks it
itself. Everything else is a caller's, or another job's with the service's login. A caller's read of a table that the
health check reads as well cannot be told from it.
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
# In the order in which they are told, and how a sentence names them.
OWNERS = {CALLER: "by callers", START: "at the start", HEALTH: "by the health check"}
# What -e enforce_accept takes, and whose kinds it stands for.
ACCEPTABLE = {"startup": (START, HEALTH)}
# The start of a process is known to the second, and so is the time of use.
TOLERANCE = 2
# What becomes of a statement that names no tenant once the bridge is gone.
AFTERWARDS = {
    "SELECT": "SELECT sees no row", "INSERT": "INSERT is refused (42501)", "UPDATE": "UPDATE changes no row",
    "DELETE": "DELETE deletes no row",
}  # fmt: skip
SHOWN_TABLES = 4
WIDTH = 76


def accepted(given: str | Iterable[str] | None) -> list[str]:
    """Return what -e enforce_accept takes as known: a list, or its items between commas.

    Raises TenancyError for what it does not know.
    """
    items = given.split(",") if isinstance(given, str) else list(given or [])
    names = [name for item in items if (name := str(item).strip())]
    unknown = sorted({name for name in names if name not in ACCEPTABLE})
    if unknown:
        raise TenancyError(
            f"enforce_accept does not know {', '.join(map(repr, unknown))}: it takes 'startup', which stands for "
            "start-up code and the health check; requests of callers that name no tenant are never accepted."
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
    """Return whether the bridge may go: ``{holds, verdict, sentence, lines}``.

    ``record`` is ``{now, uses}``, each of its uses ``{table, command, used_at}`` with the time of the last one (None:
    never); ``ages`` are the seconds for which the service's processes run, its main one's among them. ``now``,
    ``used_at`` and ``asked_at``, when this run asked the health check (None: not), are seconds since 1970 by the
    server's clock.

    The verdict is "needed" while callers need the bridge, "known" while only kinds need it that are not in ``accept``,
    "short" while the service runs for less than ``quiet_seconds`` and its start-up, else "done".
    """
    now, starts = record["now"], [record["now"] - int(age) for age in ages]
    started = min(starts)
    # Earlier ones are of the processes before.
    uses = [use for use in record["uses"] if use["used_at"] is not None and use["used_at"] > started - TOLERANCE]
    owned = [(_owner(use, starts, startup_seconds, asked_at), use) for use in uses]
    known = {owner for name in accept for owner in ACCEPTABLE[name]}
    owners = {owner for owner, _ in owned}
    # What is used in the seconds of the start-up is a caller's if it is used later as well.
    wait = max(quiet_seconds, startup_seconds) if START in owners else quiet_seconds
    if CALLER in owners:
        verdict = "needed"
    elif owners - known:
        verdict = "known"
    else:
        verdict = "done" if now - started >= wait else "short"
    since = f"since the service was started {_age(now - started)} ago"
    return {
        "holds": verdict == "done",
        "verdict": verdict,
        "sentence": _sentence(owned, now, starts, since),
        "lines": _lines(owned, now, starts, since),
    }


def unnoted(record: Mapping[str, Any], since: int) -> list[str]:
    """Return the kinds that were not noted ``since`` then, for people."""
    return [
        f"{use['command']} on {visible(use['table'])}"
        for use in record["uses"]
        if use["used_at"] is None or use["used_at"] < since
    ]


def _owner(use: Use, starts: Sequence[int], startup_seconds: int, asked_at: int | None) -> str:
    """Say whose a kind is that was last used when it was."""
    used_at = use["used_at"]
    if any(start - TOLERANCE < used_at <= start + startup_seconds for start in starts):
        return START
    # The session that answered has perhaps noted the kind shortly before. A health check reads.
    if asked_at is not None and use["command"] == "SELECT" and used_at >= asked_at - RESOLUTION - TOLERANCE:
        return HEALTH
    return CALLER


def _sentence(owned: Sequence[tuple[str, Use]], now: int, starts: Sequence[int], since: str) -> str:
    """Return the whole in one sentence, without its end."""
    if not owned:
        return f"nothing worked by the bridge {since}"
    parts = []
    for owner, words in OWNERS.items():
        groups = _groups(owned, owner, now, starts)
        if groups:
            parts.append(f"{words} ({'; '.join([groups[0], *_more(groups, 1)])})")
    return f"statements without a tenant worked by the bridge {since}, {', '.join(parts)}"


def _lines(owned: Sequence[tuple[str, Use]], now: int, starts: Sequence[int], since: str) -> list[str]:
    """Return the whole for a screen: whose, which kinds and when, and what becomes of them without the bridge."""
    lines = [f"Statements without a tenant {since}:" if owned else f"Nothing worked by the bridge {since}."]
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
    """Return one text a table, the latest used first: its commands, and when the last of them was used."""
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
        HEALTH: "when it is asked",
        CALLER: f"last {_age(max(0, now - used_at))} ago, {after} after the start",
    }[owner]
    return f"{', '.join(command for command in COMMANDS if command in commands)} on {visible(table)}, {when}"


def _age(seconds: int) -> str:
    """Return a duration, cut off, in the largest unit of which it has two: 119 is "119 seconds", 120 "2 minutes"."""
    for name, size in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size} {name}"
    return f"{seconds} seconds"
