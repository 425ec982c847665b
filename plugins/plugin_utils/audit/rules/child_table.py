"""A table inherits from a tenant table."""

from __future__ import annotations

from ..rule import ERROR, Rule, Sql

RULE = Rule(
    severity=ERROR,
    why="It is not a partition: the policies of its parent do not apply to a query that names it.",
    remedy="End the inheritance (ALTER TABLE child NO INHERIT parent), then name the table in tenancy_tables.",
    sql="""
SELECT c.title FROM relation c JOIN pg_catalog.pg_inherits i ON i.inhrelid = c.oid
WHERE i.inhparent IN (SELECT relid FROM wanted) AND c.oid NOT IN (SELECT relid FROM wanted WHERE relid IS NOT NULL)
""",
    bad=Sql("CREATE TABLE archived () INHERITS (memories);"),
    good=Sql("ALTER TABLE archived NO INHERIT memories;"),
    found="public.archived",
)
