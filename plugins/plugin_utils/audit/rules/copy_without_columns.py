"""The service uses COPY for a table without a column list."""

from __future__ import annotations

from ..rule import WARNING, Rule, ServiceStatement

RULE = Rule(
    severity=WARNING,
    why="COPY without a column list fails after the table gets a new column.",
    remedy="First deploy a release that specifies the columns.",
    service_statement=r"lacks_column AND query ~* format('\mcopy\s+%s\s+(from|to)\M', title)",
    bad=ServiceStatement("COPY memories TO STDOUT;"),
    good=ServiceStatement("COPY memories (id, k, value_json) TO STDOUT;"),
    found="memories",
)
