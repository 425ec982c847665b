"""The service copies a table without naming its columns."""

from __future__ import annotations

from ..rule import WARNING, Rule, ServiceStatement

RULE = Rule(
    severity=WARNING,
    why="The service uses COPY without a list of columns, which fails once the table has a new column.",
    remedy="First deploy a release that names the columns.",
    service_statement=r"lacks_column AND query ~* format('\mcopy\s+%s\s+(from|to)\M', title)",
    bad=ServiceStatement("COPY memories TO STDOUT;"),
    good=ServiceStatement("COPY memories (id, k, value_json) TO STDOUT;"),
    found="memories",
)
