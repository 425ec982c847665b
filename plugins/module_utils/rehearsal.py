"""The cost of a rehearsal, and the differences between the plan for the copy and the real plan."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

from .errors import TenancyError
from .quoting import identifier

# The assumed number of bytes that are restored and compared per second, if no backup on this server has measurements.
RATE = 20_000_000
# The ratio of a restore's duration to the dump's. A restore also builds indexes.
RESTORE_PER_DUMP = 4.0
# How long the migration and its rollback take, relative to the restore. Together, they read every table twice.
TRIP_PER_RESTORE = 1.0
SECONDS_AT_LEAST = 10
# The directory is used in unit properties and PostgreSQL settings, and both treat some characters specially.
DIRECTORY = re.compile(r"(/[A-Za-z0-9.][A-Za-z0-9._-]*)+")
# The bytes that a rehearsal needs in addition to the database: for the server itself, WAL, definitions and samples.
MARGIN_BYTES = 536_870_912


def seconds(size_bytes: int, last: Mapping[str, Any] | None, mode: str) -> int:
    """Return the approximate number of seconds that a rehearsal takes.

    ``size_bytes`` is the size of the database. ``last`` is the newest backup's manifest. Its ``proven_seconds`` is the
    duration of the restore (None if the backup was not restored), and ``duration_seconds`` is the duration of the dump.
    Without a manifest, RATE applies.
    """
    if mode == "none":
        return 0
    if mode == "schema":
        return SECONDS_AT_LEAST
    proven, dumped = (last or {}).get("proven_seconds"), (last or {}).get("duration_seconds")
    if proven is not None:
        restore = float(proven)
    elif dumped is not None:
        restore = float(dumped) * RESTORE_PER_DUMP
    else:
        restore = size_bytes / RATE
    return round(SECONDS_AT_LEAST + restore * (1 + TRIP_PER_RESTORE))


def nearest(path: str) -> str:
    """Return ``path`` if it is a directory, otherwise its nearest existing parent directory."""
    while not os.path.isdir(path):
        path = os.path.dirname(path)
    return path


def room(size_bytes: int, mode: str) -> int:
    """Return the number of bytes that a rehearsal needs in its directory."""
    return {"full": size_bytes + MARGIN_BYTES, "schema": MARGIN_BYTES, "none": 0}[mode]


def cost(asked: Mapping[str, Any], size_bytes: int, mode: str, max_seconds: int, directory: str) -> dict[str, Any]:
    """Return ``{seconds, bytes, lines, obstacles}`` for a rehearsal.

    ``asked`` is the result of the rehearsal_cost module: ``free_bytes``, ``shared`` (whether backups are on the same
    file system), ``load``, ``processors``, ``last`` (a manifest or None). ``lines`` describes the cost, and
    ``obstacles`` lists the reasons why the rehearsal is refused.
    """
    if mode not in ("full", "schema", "none"):
        raise TenancyError(f"migrate_rehearse is {mode}: it must be full, schema or none.")
    if mode == "none":
        return {
            "seconds": 0, "bytes": 0, "obstacles": [],
            "lines": [
                "NONE (migrate_rehearse=none). A failure in this database appears",
                "only while the service is stopped.",
            ],
        }  # fmt: skip
    if not DIRECTORY.fullmatch(directory):
        raise TenancyError(
            f"rehearse_directory is {directory}: it must be an absolute path of letters, digits and ._- in which every"
            " name begins with a letter, a digit or a dot, such as /var/backups."
        )
    # If backups are on the same file system, the new dump also takes up space there.
    needed = room(size_bytes, mode) + (size_bytes if asked["shared"] else 0)
    took = seconds(size_bytes, asked["last"], mode)
    free = int(asked["free_bytes"])
    obstacles = []
    if free < needed:
        choice = ", or rehearse only the definitions with -e migrate_rehearse=schema" if mode == "full" else ""
        obstacles.append(
            f"The rehearsal needs {needed / 1e6:,.0f} MB in {directory}, which has {free / 1e6:,.0f} MB free: free "
            f"up disk space, or specify another directory with -e rehearse_directory=/path/on/the/server{choice}."
        )
    if took > max_seconds:
        obstacles.append(
            f"The rehearsal takes about {took:,} s, more than rehearse_max_duration ({max_seconds:,} s): "
            f"increase the limit with -e rehearse_max_duration={took * 2}, or rehearse only the definitions with "
            "-e migrate_rehearse=schema."
        )
    what = "all rows" if mode == "full" else "all definitions with samples of rows (migrate_rehearse=schema)"
    source = "the last backup's speed" if asked["last"] else "no earlier backup"
    space = f"{needed / 1e6:,.0f} of {free / 1e6:,.0f}"
    load = f"load {asked['load']:.1f} on {asked['processors']}"
    return {
        "seconds": took, "bytes": needed, "obstacles": obstacles,
        "lines": [
            f"In a throwaway server, before the change: {what}",
            f"About {took:,} s ({source}) and {space} MB free in {directory}, at low priority; {load} processors",
        ],
    }  # fmt: skip


def uncarried(state: Mapping[str, Any]) -> list[str]:
    """Return the names of the invalid indexes in ``state``. They are the only objects that a dump omits."""
    return sorted(
        index["name"]
        for table in state["tables"].values()
        for index in table.get("indexes") or []
        if not index.get("valid", True)
    )


def _without_tablespaces(sql: str, state: Mapping[str, Any]) -> str:
    """Return a statement without its tablespaces, as in the plan for the copy, which has no tablespaces."""
    places = {
        index.get("tablespace")
        for table in state["tables"].values()
        for relation in [table, *(table.get("partitions") or [])]
        for index in relation.get("indexes") or []
    }
    for place in map(identifier, filter(None, places)):
        for words in (" USING INDEX TABLESPACE", " TABLESPACE"):
            sql = sql.replace(f"{words} {place}", "")
    return sql


def plan_differences(
    copy: Sequence[Mapping[str, Any]], real: Sequence[Mapping[str, Any]], state: Mapping[str, Any]
) -> dict[str, list[str]]:
    """Return ``{differing, excepted}`` for the statements that only one plan contains, or whose SQL differs.

    ``differing`` lists the ids of these statements. If a statement mentions an invalid index in ``state``, ``excepted``
    contains a sentence about the statement instead, because a dump omits invalid indexes.
    """
    there = {item["id"]: item["sql"] for item in copy}
    here = {item["id"]: _without_tablespaces(item["sql"], state) for item in real}
    names = uncarried(state)
    differing, excepted = [], []
    for name in [*here, *(name for name in there if name not in here)]:
        if here.get(name) == there.get(name):
            continue
        reason = next((index for index in names if f'"{index}"' in f"{here.get(name)} {there.get(name)}"), None)
        if reason is None:
            differing.append(name)
        else:
            excepted.append(f"{name}: the index {reason} is invalid, and no dump contains it")
    order = [item["id"] for item in real if item["id"] in there], [item["id"] for item in copy if item["id"] in here]
    if not differing and not excepted and order[0] != order[1]:
        differing.append("the order")
    return {"differing": differing, "excepted": excepted}
