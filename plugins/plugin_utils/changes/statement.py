"""One planned statement: what it is for, and its SQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Statement = dict[str, Any]
State = Mapping[str, Any]


def step(sql: str, *, patient: bool = False) -> dict[str, Any]:
    """Return one step of a statement that is carried out while the service works, in a transaction of its own.

    A ``patient`` one may wait for as long as it must: nobody waits behind it. The others wait for a lock only briefly.
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
) -> Statement:
    """Return one planned statement as a plain dict (the shape that leaves the filter).

    ``online`` are the steps that do the same while the service works; without any it belongs to the short transaction.
    ``makes`` are the names that must be free for it, as ``names`` looks for them.
    """
    return {
        "id": identity, "table": table, "phase": phase, "sql": sql, "reason": reason,
        "online": [dict(item) for item in online], "makes": [dict(item) for item in makes],
    }  # fmt: skip
