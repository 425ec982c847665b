"""The service's role has the BYPASSRLS attribute."""

from __future__ import annotations

from ..rule import ERROR, Rule, Sql

RULE = Rule(
    severity=ERROR,
    why="A role with BYPASSRLS bypasses every policy.",
    remedy="Run ALTER ROLE ... NOBYPASSRLS.",
    sql="SELECT rolname FROM app WHERE rolbypassrls",
    bad=Sql("ALTER ROLE alice BYPASSRLS;"),
    good=Sql("ALTER ROLE alice NOBYPASSRLS;"),
    found="alice",
)
