"""One finding: a verified fact."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..model.model import Model

Finding = dict[str, Any]


def finding(check: str, table: str, expected: Any, actual: Any) -> Finding:
    """Return one finding as a plain dict. Its ``ok`` is true if ``actual`` equals ``expected``."""
    return {"check": check, "table": table, "expected": expected, "actual": actual, "ok": expected == actual}


def rows_unchanged(name: str, before: int | Mapping[str, int], document: Mapping[str, Any]) -> Finding:
    """Return the finding that shows whether a table still has its original number of rows, in total or per tenant."""
    if isinstance(before, int):
        return finding("rows unchanged", name, before, document.get("rows"))
    now = (document.get("column") or {}).get("tenants")
    return finding("rows of each tenant unchanged", name, dict(before), now)


def by_table(findings: Iterable[Finding], model: Model) -> list[Finding]:
    """Return findings in the order of the model's tables. The order within a table does not change. Findings without a
    table come last."""
    places = {table.name: place for place, table in enumerate(model.guarded)}
    return sorted(findings, key=lambda found: places.get(found["table"], len(places)))


def failing(findings: Iterable[Finding]) -> list[str]:
    """Return a string for each failed finding: its check and the actual value."""
    return [f"{found['check']} ({_words(found['actual'])})" for found in findings if not found["ok"]]


def _words(actual: Any) -> str:
    return ", ".join(map(str, actual)) if isinstance(actual, list) else str(actual)
