"""Shorten the long lists in a record: group the items with the same facts, and list their tables in one row."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from .answers import words

Item = Mapping[str, Any]

# A row that covers all tables shows their names only if there are at most this many tables.
SEVERAL = 2
# The labels of a rehearsal's facts, whose values are numbers, seconds, strings or lists.
REHEARSED = {
    "mode": "Rows in the copy",
    "backup": "Copy restored from",
    "strategy": "Strategy",
    "statements": "Statements",
    "attempts": "Attempts of the isolation proof",
    "findings": "Findings that hold",
    "locked_seconds": "Longest lock on the tables",
    "apply_seconds": "Transaction with the proof",
    "verify_seconds": "Verification",
    "restore_seconds": "Restore of the backup",
    "revert_seconds": "Rollback to the original schema",
    "walls": "Tested isolation of the copy's server",
    "left_out": "Not in the copy",
}


def judged(items: Sequence[Item]) -> list[dict[str, Any]]:
    """Return attempts or findings, grouped by check. Each row has what, tables, outcome, count and ok.

    Items that are not ok come first, each in a separate row, whose outcome includes the expected one.
    """
    names = {item["table"] for item in items if item["table"]}
    rows: dict[Any, dict[str, Any]] = {}
    for number, item in enumerate(items):
        what = item.get("sentence", item["check"])
        key = (what, item["ok"], -1 if item["ok"] else number)
        row = rows.setdefault(key, {"what": what, "ok": item["ok"], "count": 0, "tables": {}, "had": {}, "due": {}})
        row["count"] += 1
        row["tables"] |= {item["table"]: None} if item["table"] else {}
        row["had"][words(item["actual"])] = None
        row["due"][due(item)] = None
    return [
        {
            "what": row["what"], "ok": row["ok"], "count": row["count"], "tables": _named(row["tables"], names),
            "outcome": _outcome(" / ".join(row["had"]), " / ".join(row["due"]), ok=row["ok"]),
        }
        for row in sorted(rows.values(), key=lambda row: bool(row["ok"]))
    ]  # fmt: skip


def _named(found: Collection[str], names: Collection[str]) -> str:
    """Return the names in ``found``, or only their number if they are all ``names``, and more than SEVERAL."""
    return f"all {len(names)} tables" if len(found) == len(names) > SEVERAL else ", ".join(found)


def _outcome(actual: str, expected: str, *, ok: bool) -> str:
    return actual if ok else f"{actual} instead of {expected}"


def due(item: Item) -> str:
    """Return the expected value of a finding or, for an attempt, all allowed outcomes."""
    expected = item["expected"]
    if "sentence" in item and isinstance(expected, list):
        return " or ".join(map(words, expected))
    return words(expected)


def statements(plan: Sequence[Item], durations: Mapping[str, float]) -> list[dict[str, Any]]:
    """Return the statements, grouped by reason.

    Each row has reason, tables, count, and seconds, which is None if none of the statements ran.
    """
    rows: dict[str, dict[str, Any]] = {}
    for item in plan:
        row = rows.setdefault(item["reason"], {"reason": item["reason"], "tables": {}, "count": 0, "seconds": None})
        row["count"] += 1
        row["tables"] |= {item["table"]: None} if item["table"] else {}
        if item["id"] in durations:
            row["seconds"] = (row["seconds"] or 0) + durations[item["id"]]
    names = {item["table"] for item in plan if item["table"]}
    return [row | {"tables": _named(row["tables"], names)} for row in rows.values()]


def audited(entries: Sequence[Item]) -> list[dict[str, Any]]:
    """Return the audit, grouped by rule, errors first. Each row has the fields of an entry, and ``subjects``."""
    rows: dict[Any, dict[str, Any]] = {}
    for item in sorted(entries, key=lambda item: (item["severity"], item["rule"])):
        row = rows.setdefault((item["severity"], item["rule"], item["remedy"]), {**item, "subjects": []})
        row["subjects"].append(item["subject"])
    return [row | {"subjects": ", ".join(row["subjects"])} for row in rows.values()]


def rehearsed(found: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    """Return the facts of a rehearsal as pairs of a label and a value in words; empty without a rehearsal."""
    return [
        (REHEARSED.get(name, name.replace("_", " ")), f"{words(value)}{' s' if name.endswith('_seconds') else ''}")
        for name, value in (found or {}).items()
    ]
