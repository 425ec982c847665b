"""A table inherits from a tenant table."""

from __future__ import annotations

from ..rule import ERROR, Rule, Sql

RULE = Rule(
    severity=ERROR,
    why="The table is not a partition. A query that names it directly bypasses the policies of the parent table.",
    remedy="Remove the inheritance (ALTER TABLE child NO INHERIT parent), then list the table in tenancy_tables.",
    sql="""
SELECT c.title FROM relation c JOIN pg_catalog.pg_inherits i ON i.inhrelid = c.oid
WHERE i.inhparent IN (SELECT relid FROM wanted) AND NOT c.relispartition
""",
    bad=Sql("CREATE TABLE archived () INHERITS (memories);"),
    good=Sql("ALTER TABLE archived NO INHERIT memories;"),
    found="public.archived",
)
