"""The service copies a table without naming its columns."""

from __future__ import annotations

from ..rule import WARNING, Rule, ServiceStatement

RULE = Rule(
    severity=WARNING,
    why="The service was seen to COPY it without a list of columns, which fails once it has one more.",
    remedy="First deploy a release that names the columns.",
    service_statement=r"lacks_column AND query ~* format('\mcopy\s+%s\s+(from|to)\M', title)",
    bad=ServiceStatement("COPY memories TO STDOUT;"),
    good=ServiceStatement("COPY memories (id, k, value_json) TO STDOUT;"),
    found="memories",
)
