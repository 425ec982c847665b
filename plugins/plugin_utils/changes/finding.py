"""One finding: a verified fact."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..model.model import Model

Finding = dict[str, Any]


def finding(check: str, table: str, expected: Any, actual: Any) -> Finding:
    """Return one finding as a plain dict: it is ok if ``actual`` equals ``expected``."""
    return {"check": check, "table": table, "expected": expected, "actual": actual, "ok": expected == actual}


def by_table(findings: Iterable[Finding], model: Model) -> list[Finding]:
    """Return findings in the order of the model's tables; findings without a table come last."""
    places = {table.name: place for place, table in enumerate(model.tables)}
    return sorted(findings, key=lambda found: places.get(found["table"], len(places)))


def failing(findings: Iterable[Finding]) -> list[str]:
    """Return a text for each failed finding: its check and the actual value."""
    return [f"{found['check']} ({_words(found['actual'])})" for found in findings if not found["ok"]]


def _words(actual: Any) -> str:
    return ", ".join(map(str, actual)) if isinstance(actual, list) else str(actual)
