"""A setting sets the tenant for sessions that do not set one."""

from __future__ import annotations

from ..rule import ERROR, Rule, Sql

RULE = Rule(
    severity=ERROR,
    why="A session has a tenant that it did not set.",
    remedy="RESET the setting for the listed role or database; only the bridge may preset a tenant.",
    sql="""
SELECT format('%s for %s', p.value, p.place) FROM preset p, given
WHERE p.name = lower(given.setting) AND NOT p.bridge
""",
    bad=Sql("ALTER DATABASE ai_memory SET app.current_tenant = '1';"),
    good=Sql("ALTER DATABASE ai_memory RESET app.current_tenant;"),
    found="1 for database ai_memory",
)
