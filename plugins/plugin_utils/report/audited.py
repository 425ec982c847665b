"""Show the audit to the operator, grouped by rule, errors first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .wrapping import wrapped

INDENT = " " * 8


def lines(entries: Sequence[Mapping[str, Any]], *, has_plan: bool) -> list[str]:
    """Return the lines that show the audit.

    ``has_plan`` is true if the run has a plan with statements, because such a plan may fix entries of the audit.
    """
    said = ["AUDIT:"]
    for severity in ("error", "warning"):
        found = [entry for entry in entries if entry["severity"] == severity]
        for rule in sorted({entry["rule"] for entry in found}):
            said += _rule([entry for entry in found if entry["rule"] == rule], has_plan=has_plan)
    return said if entries else [*said, "Nothing was found."]


def _rule(entries: Sequence[Mapping[str, Any]], *, has_plan: bool) -> list[str]:
    first = entries[0]
    subjects = ", ".join(entry["subject"] for entry in entries)
    title = wrapped(f"{first['severity'].upper():<7} {first['rule']}: {subjects}", 78, INDENT)
    is_fixed = first["fixed_by_plan"] and has_plan
    remedy = ["The plan fixes it."] if is_fixed else wrapped(f"Remedy: {first['remedy']}", 72)
    return [*title, *(f"{INDENT}{line}" for line in (*wrapped(first["why"], 70), *remedy))]
