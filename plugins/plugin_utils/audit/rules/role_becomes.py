"""The service's role can become a role that bypasses row security."""

from __future__ import annotations

from ...catalog import state as catalog
from ..rule import ERROR, Inspected, Rule, Sql


def _judge(inspected: Inspected) -> list[str]:
    role = catalog.application_role(inspected.state)
    return list(role["bypassing_memberships"]) if role else []


RULE = Rule(
    severity=ERROR,
    why="The service's role can use SET ROLE to become a role that bypasses every policy.",
    remedy="Revoke membership in the listed role from the service's role.",
    judge=_judge,
    bad=Sql("""
CREATE ROLE operators;
GRANT postgres TO operators;
GRANT operators TO alice;
"""),
    good=Sql("REVOKE operators FROM alice;"),
    found="postgres",
)
