"""The service's role can create roles."""

from __future__ import annotations

from ..rule import ERROR, Rule, Sql

RULE = Rule(
    severity=ERROR,
    why="The role can grant itself roles that read the tables without policies.",
    remedy="ALTER ROLE ... NOCREATEROLE.",
    sql="SELECT rolname FROM app WHERE rolcreaterole",
    bad=Sql("ALTER ROLE alice CREATEROLE;"),
    good=Sql("ALTER ROLE alice NOCREATEROLE;"),
    found="alice",
)
