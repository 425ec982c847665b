"""A publication contains a tenant table."""

from __future__ import annotations

from ..rule import WARNING, Rule, Sql

RULE = Rule(
    severity=WARNING,
    why="Subscribers receive every tenant's rows.",
    remedy="Drop the tables from the publication.",
    sql="""
SELECT format('%I of %s', p.pubname, c.title)
FROM pg_catalog.pg_publication_tables p
JOIN relation c ON c.plain = p.schemaname || '.' || p.tablename
JOIN wanted w ON w.relid = c.oid
""",
    bad=Sql("CREATE PUBLICATION warehouse FOR TABLE memories;"),
    good=Sql("ALTER PUBLICATION warehouse DROP TABLE memories;"),
    found="warehouse of public.memories",
)
