"""The service can read a relation that is not in the model."""

from __future__ import annotations

from ..rule import ERROR, Inventory, Rule, Sql

RULE = Rule(
    severity=ERROR,
    why="The service can read the relation, but the model has no policy for it.",
    remedy="Add the relation to tenancy_tables, or to tenancy_readable if its rows belong to no tenant.",
    sql="""
SELECT c.title FROM relation c, app
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND has_any_column_privilege(app.oid, c.oid, 'SELECT')
  AND c.oid NOT IN (SELECT relid FROM wanted WHERE relid IS NOT NULL)
  AND c.plain NOT IN (SELECT plain FROM readable)
""",
    bad=Sql("""
CREATE TABLE languages (code text PRIMARY KEY);
GRANT SELECT ON languages TO alice;
"""),
    good=Inventory("""
tenancy_readable:
  - public.languages
"""),
    found="public.languages",
)
