"""The service's role can create roles."""

from __future__ import annotations

from ..rule import ERROR, Rule, Sql

RULE = Rule(
    severity=ERROR,
    why="The role can grant itself membership in roles that read the tables without any policy.",
    remedy="Run ALTER ROLE ... NOCREATEROLE.",
    sql="SELECT rolname FROM app WHERE rolcreaterole",
    bad=Sql("ALTER ROLE alice CREATEROLE;"),
    good=Sql("ALTER ROLE alice NOCREATEROLE;"),
    found="alice",
)
