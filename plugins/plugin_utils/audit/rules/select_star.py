"""The service reads all columns of a tenant table with an asterisk (SELECT * or RETURNING *)."""

from __future__ import annotations

from ..rule import WARNING, Rule, ServiceStatement

RULE = Rule(
    severity=WARNING,
    why="If the driver has prepared such a statement, the statement fails once the table has a new column.",
    remedy=(
        "Deploy a release that lists the columns, or migrate with -e tenancy_strategy=atomic. With the live strategy, "
        "the statement may fail until the run renews the sessions, right after the online steps."
    ),
    service_statement=r"""
lacks_column AND query ~* '\m(select|returning)\s+(distinct\s+)?("?\w+"?\.)?\*'
AND query ~* format('\m(from|join|into|update)\s+%s(\s|[,;)]|$)', title)
""",
    bad=ServiceStatement("SELECT * FROM memories LIMIT 1;"),
    good=ServiceStatement("SELECT id, k, value_json FROM memories LIMIT 1;"),
    found="memories",
)
