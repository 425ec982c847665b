"""One planned statement: what it is for, its SQL, and the SQL that undoes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Statement = dict[str, Any]
State = Mapping[str, Any]


def statement(identity: str, table: str, phase: str, sql: str, reason: str, undo: str) -> Statement:
    """Return one planned statement as a plain dict (the shape that leaves the filter)."""
    return {"id": identity, "table": table, "phase": phase, "sql": sql, "reason": reason, "undo": undo}
