"""A tenant table has a rewrite rule."""

from __future__ import annotations

from ..rule import ERROR, Rule, Sql

RULE = Rule(
    severity=ERROR,
    why="A rewrite rule runs with the privileges of its table's owner.",
    remedy="Drop the rule, and use a trigger instead.",
    sql="""
SELECT format('%I on %s', r.rulename, c.title)
FROM pg_catalog.pg_rewrite r
JOIN relation c ON c.oid = r.ev_class
JOIN wanted w ON w.relid = c.oid
WHERE r.rulename <> '_RETURN'
""",
    bad=Sql("CREATE RULE announce AS ON INSERT TO memories DO ALSO NOTIFY memories;"),
    good=Sql("DROP RULE announce ON memories;"),
    found="announce on public.memories",
)
