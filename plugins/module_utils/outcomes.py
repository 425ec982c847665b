"""Derive findings from the proof's attempts and from the whole change, and describe the failed findings."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from .errors import TenancyError

# The fields of an error that contain names. The message of the error may quote values, so it is not used.
ERROR_FIELDS = ("column", "table", "constraint", "datatype")


class ProofError(TenancyError):
    """The proof could not run, or an attempt failed."""


class AttemptError(ProofError):
    """The proof ran, and its findings do not hold: a leak, or an attempt with another outcome than required."""


def judge(
    made: Sequence[Mapping[str, Any]],
    outcomes: Sequence[Mapping[str, Any]],
    contents: Mapping[str, Any],
    names: Collection[str] = (),
) -> list[dict[str, Any]]:
    """Return a finding for each attempt: check, table, sentence, expected, actual, ok.

    ``outcomes`` is the result of proof.sql, in the order of the attempts. ``contents`` maps each table to its checksum
    for the default tenant. ``names`` contains the names of the tables, their columns, constraints and types. Other
    names in an error are omitted, because code in the database may have chosen them. Raises ProofError if an attempt
    has no outcome.
    """
    if not made:
        raise ProofError("The isolation proof failed: no attempt was made.")
    if len(outcomes) != len(made) or not all(isinstance(outcome, Mapping) for outcome in outcomes):
        raise ProofError(f"The isolation proof failed: {len(outcomes)} outcomes for {len(made)} attempts.")
    return [_judged(attempt, outcome, contents, names) for attempt, outcome in zip(made, outcomes, strict=True)]


def _judged(
    attempt: Mapping[str, Any], outcome: Mapping[str, Any], contents: Mapping[str, Any], names: Collection[str]
) -> dict[str, Any]:
    if "error" in outcome:
        plain = f"error {outcome['error']}"
        told = [f"{what} {outcome[what]}" for what in ERROR_FIELDS if outcome.get(what) in names]
        actual: Any = plain + (f" ({', '.join(told)})" if told else "")
        holds = plain in attempt["expected"]
        expected: Any = attempt["expected"]
    elif "value" in outcome:
        actual, expected = outcome["value"], contents[attempt["table"]]
        holds = actual is not None and actual == expected
    else:
        actual, expected = f"{outcome['rows']} rows", attempt["expected"]
        holds = actual in expected
    return {
        "check": attempt["id"], "table": attempt["table"], "sentence": attempt["sentence"], "expected": expected,
        "actual": actual, "ok": holds,
    }  # fmt: skip


def unchanged(
    before: Mapping[str, Any], now: Mapping[str, Any], rewritten: Collection[str] = ()
) -> list[dict[str, Any]]:
    """Return a finding for each table: whether the change wrote no rows, and rewrote only the tables in ``rewritten``.

    The backfill runs in earlier transactions, so its writes do not count. ``before`` and ``now`` are the counters for
    each table at the beginning of the transaction and before the proof. The counters are files (of the relation and its
    partitions), inserted, updated and deleted. ``rewritten`` lists the tables that PostgreSQL rewrites, because their
    rows take their tenant from another table.
    """
    found = []
    for name, then in before.items():
        written = sum(now[name][what] - then[what] for what in ("inserted", "updated", "deleted"))
        expected = {"written": 0, "rewritten": name in rewritten}
        actual = {"written": written, "rewritten": now[name]["files"] != then["files"]}
        found.append(
            {
                "check": f"{name}.unchanged", "table": name, "expected": expected, "actual": actual,
                "sentence": "The change writes only rows that had no tenant", "ok": actual == expected,
            }
        )  # fmt: skip
    return found


def counted(
    before: Mapping[str, Any],
    now: Mapping[str, Any],
    track_counts: str,
    made: Sequence[Mapping[str, Any]],
    findings: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    """Return a finding: whether PostgreSQL counted the rows that the proof stored.

    If PostgreSQL does not count rows, ``unchanged`` proves nothing. ``before`` and ``now`` are the counters before and
    after the proof, and ``track_counts`` is the session's setting. ``findings`` lists the findings of the attempts
    ``made``. An attempt with ``keep`` stores a row.
    """
    stored = any(
        attempt.get("keep") and _number(str(found["actual"])) for attempt, found in zip(made, findings, strict=True)
    )
    shown = any(now[name]["inserted"] > then["inserted"] for name, then in before.items())
    expected = {"track_counts": "on", "counted": stored}
    actual = {"track_counts": track_counts, "counted": shown if stored else False}
    return {
        "check": "counters", "table": "", "expected": expected, "actual": actual,
        "sentence": "PostgreSQL counts the rows that this transaction writes", "ok": actual == expected,
    }  # fmt: skip


def failure(findings: Iterable[Mapping[str, Any]]) -> str:
    """Return the error message about the findings that do not hold, or "" if all hold.

    If a tenant could not store its row, failures that may be a consequence are only counted. A leak is always reported
    in full.
    """
    failed = [found for found in findings if not found["ok"]]
    own = [found for found in failed if found["check"] == f"{found['table']}.own.insert"]
    told = [found for found in failed if not _may_follow(found)] + own if own else failed
    sentences = [
        f"{found['check']}: {found['sentence']}: {found['actual']} instead of {_named(found['expected'])}"
        for found in told
    ]
    if more := len(failed) - len(told):
        attempts_more = "1 more attempt" if more == 1 else f"{more} more attempts"
        sentences.append(f"{attempts_more} failed, possibly as a result")
    remedies = dict.fromkeys(remedy for found in told if (remedy := _remedy(found)))
    return "; ".join(sentences) + "".join(f". {remedy}" for remedy in remedies)


_ROWS = re.compile(r"(\d+) rows")
# SQLSTATEs, or classes of SQLSTATEs, of errors that a value in a row causes: data exceptions, constraint violations,
# and values for generated columns.
_OF_A_VALUE = ("22", "23", "428C9")


def _remedy(found: Mapping[str, Any]) -> str:
    """Return the change to tenancy_tables that may correct a failed finding, or "" if there is none."""
    table, actual = found["table"], str(found["actual"])
    if found["check"] == f"{table}.own.insert" and actual.startswith(tuple(f"error {code}" for code in _OF_A_VALUE)):
        return f"In tenancy_tables, set sample of {table} to values that the table accepts"
    if found["check"].startswith(f"{table}.own.trigger.") and _ROWS.fullmatch(actual):
        return f"If no trigger of {table} writes that row, correct sample_writes of {table} in tenancy_tables"
    if found["check"] == f"{table}.own.read" and _number(actual) > max(map(_number, _several(found["expected"]))):
        return (
            f"If triggers insert rows into {table}, list {table} in sample_writes of the triggers' tables, once for"
            " each row"
        )
    if found["check"] == f"{table}.own.update" and actual.startswith("error P0"):
        return f"If a trigger forbids UPDATE on {table}, set append_only: [update] for {table} in tenancy_tables"
    return ""


def _number(outcome: str) -> int:
    """Return the number of rows in an outcome, or 0 for an error."""
    match = _ROWS.fullmatch(str(outcome))
    return int(match[1]) if match else 0


def _may_follow(found: Mapping[str, Any]) -> bool:
    """Return whether an attempt failed, or found too few rows, possibly because a row is missing."""
    actual = str(found["actual"])
    if actual.startswith("error "):
        return True
    rows, *wanted = (_ROWS.fullmatch(str(text)) for text in (actual, *_several(found["expected"])))
    # If an error is expected, any accessed row is a leak.
    return rows is not None and int(rows[1]) < min(int(one[1]) if one else 1 for one in wanted)


def _named(expected: Any) -> str:
    """Return the expected outcome of a finding as text: the permitted outcomes, or the checksum of a table."""
    return " or ".join(map(str, _several(expected)))


def _several(expected: Any) -> list[Any]:
    return expected if isinstance(expected, list) else [expected]
