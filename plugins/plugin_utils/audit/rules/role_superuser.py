"""The service's role is a superuser."""

from __future__ import annotations

from ..rule import ERROR, Rule, Sql

RULE = Rule(
    severity=ERROR,
    why="A superuser bypasses every policy.",
    remedy="Give the service its own login in DATABASE_URL, without superuser privileges.",
    sql="SELECT rolname FROM app WHERE rolsuper",
    bad=Sql("ALTER ROLE alice SUPERUSER;"),
    good=Sql("ALTER ROLE alice NOSUPERUSER;"),
    found="alice",
)
