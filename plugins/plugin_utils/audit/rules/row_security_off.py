"""row_security is off in the service's sessions."""

from __future__ import annotations

from ..rule import ERROR, Rule, Sql

RULE = Rule(
    severity=ERROR,
    why="Queries that policies would filter fail.",
    remedy="RESET row_security there.",
    sql="""
SELECT place FROM preset
-- PostgreSQL reads any unique prefix of a boolean word.
WHERE name = 'row_security' AND value ~ '^(of|off|f|fa|fal|fals|false|n|no|0)$'
""",
    bad=Sql("ALTER ROLE alice SET row_security = off;"),
    good=Sql("ALTER ROLE alice RESET row_security;"),
    found="role alice",
)
