"""The service uses COPY without a column list on a tenant table."""

from __future__ import annotations

from ..rule import WARNING, Rule, ServiceStatement

RULE = Rule(
    severity=WARNING,
    why="Without a column list, COPY includes the new tenant column: COPY TO writes it, and COPY FROM expects it.",
    remedy="First deploy a release that lists the columns in COPY.",
    service_statement=r"lacks_column AND query ~* format('\mcopy\s+%s\s+(from|to)\M', title)",
    bad=ServiceStatement("COPY memories TO STDOUT;"),
    good=ServiceStatement("COPY memories (id, k, value_json) TO STDOUT;"),
    found="memories",
)
