"""A stored setting gives a tenant to sessions that set none."""

from __future__ import annotations

from ..rule import ERROR, Rule, Sql

RULE = Rule(
    severity=ERROR,
    why="A session that sets no tenant works as this tenant. Only the bridge may preset a tenant.",
    remedy="Reset the setting for the listed role or database, or in the listed file.",
    sql="""
SELECT format('%s for %s', p.value, p.place) FROM preset p, given
WHERE p.name = lower(given.setting) AND NOT p.bridge
""",
    bad=Sql("ALTER DATABASE ai_memory SET app.current_tenant = '1';"),
    good=Sql("ALTER DATABASE ai_memory RESET app.current_tenant;"),
    found="1 for database ai_memory",
)
