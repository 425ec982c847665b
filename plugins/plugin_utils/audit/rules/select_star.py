"""The service reads all columns of a table."""

from __future__ import annotations

from ..rule import WARNING, Rule, ServiceStatement

RULE = Rule(
    severity=WARNING,
    why="If a driver prepares such a statement, the statement fails after the table gets a new column.",
    remedy="Migrate with -e tenancy_strategy=atomic, or deploy a release that lists the columns.",
    service_statement=r"""
lacks_column AND query ~* '\m(select|returning)\s+(distinct\s+)?("?\w+"?\.)?\*'
AND query ~* format('\m(from|join|into|update)\s+%s(\s|[,;)]|$)', title)
""",
    bad=ServiceStatement("SELECT * FROM memories LIMIT 1;"),
    good=ServiceStatement("SELECT id, k, value_json FROM memories LIMIT 1;"),
    found="memories",
)
