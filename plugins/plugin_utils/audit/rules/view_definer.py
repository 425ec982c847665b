"""The service or PUBLIC can read a view that reads tenant tables with its owner's privileges."""

from __future__ import annotations

from ...catalog import state as catalog
from ..rule import ERROR, Inspected, Rule, Sql


def _fixed_by_plan(inspected: Inspected) -> list[str]:
    schema = inspected.model.schema
    return [title for view in inspected.model.views for title in catalog.titles(schema, view.name)]


RULE = Rule(
    severity=ERROR,
    why="The view reads the tables with its owner's privileges, so the service's policies do not apply.",
    remedy="Add the view to tenancy_views (PostgreSQL 15 or later), or revoke SELECT on the view from the service and "
    "PUBLIC.",
    sql="""
SELECT c.title FROM relation c
JOIN over_tenants o ON o.relid = c.oid
JOIN service_reads s ON s.relid = c.oid
WHERE c.relkind = 'v' AND NOT EXISTS (
  SELECT FROM unnest(c.reloptions) AS x
  WHERE x LIKE 'security_invoker=%' AND lower(split_part(x, '=', 2)) ~ '^(on|t|tr|tru|true|y|ye|yes|1)$')
""",
    fixed_by_plan=_fixed_by_plan,
    bad=Sql("""
CREATE VIEW newest AS SELECT * FROM memories ORDER BY created_at DESC LIMIT 10;
GRANT SELECT ON newest TO alice;
"""),
    good=Sql("ALTER VIEW newest SET (security_invoker);"),
    found="public.newest",
)
