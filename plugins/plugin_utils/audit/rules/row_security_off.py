"""The row_security setting is off in the service's sessions."""

from __future__ import annotations

from ..rule import ERROR, Rule, Sql

RULE = Rule(
    severity=ERROR,
    why="A query fails with an error if row security applies to it.",
    remedy="Reset row_security for the listed role or database, or in the listed file.",
    sql="""
SELECT place FROM preset
-- PostgreSQL accepts any unique prefix of a boolean value.
WHERE name = 'row_security' AND value ~ '^(of|off|f|fa|fal|fals|false|n|no|0)$'
""",
    bad=Sql("ALTER ROLE alice SET row_security = off;"),
    good=Sql("ALTER ROLE alice RESET row_security;"),
    found="role alice",
)
