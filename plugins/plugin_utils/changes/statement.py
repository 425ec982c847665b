"""One planned statement, with its SQL and the reason for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Statement = dict[str, Any]
State = Mapping[str, Any]


def step(sql: str, *, patient: bool = False) -> dict[str, Any]:
    """Return one step of a statement. The step runs in its own transaction while the service runs.

    A ``patient`` step may wait for a lock without a limit, because it does not block other sessions while it waits.
    Other steps wait only briefly.
    """
    return {"sql": sql, "patient": patient}


def statement(
    identity: str,
    table: str,
    phase: str,
    sql: str,
    reason: str,
    online: Sequence[Mapping[str, Any]] = (),
    makes: Sequence[Mapping[str, str]] = (),
    *,
    early: bool = False,
    scans: str = "",
) -> Statement:
    """Return one planned statement as a plain dict.

    ``online`` contains the steps that have the same effect while the service runs. If it is empty, the statement runs
    in the transaction of the cutover. ``makes`` contains the names that the statement creates, in the form that
    ``names`` checks.

    ``early`` is true if the statement does not affect the service's sessions before the transaction runs. ``scans`` is
    a clause for the report if the statement reads or writes all rows of the table under the transaction's lock.
    Otherwise it is empty.
    """
    return {
        "id": identity, "table": table, "phase": phase, "sql": sql, "reason": reason,
        "online": [dict(item) for item in online], "makes": [dict(item) for item in makes],
        "early": early, "scans": scans,
    }  # fmt: skip
