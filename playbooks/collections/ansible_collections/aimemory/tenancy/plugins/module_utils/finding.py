"""One finding: a verified fact."""

from __future__ import annotations

from typing import Any

Finding = dict[str, Any]


def finding(check: str, table: str, expected: Any, actual: Any) -> Finding:
    """Return one finding as a plain dict: it holds when ``actual`` equals ``expected``."""
    return {"check": check, "table": table, "expected": expected, "actual": actual, "ok": expected == actual}
