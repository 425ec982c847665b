"""The service or PUBLIC can read a materialized view that contains rows of tenant tables."""

from __future__ import annotations

from ..rule import ERROR, Rule, Sql

RULE = Rule(
    severity=ERROR,
    why="The materialized view stores copies of tenants' rows, and no policy filters them.",
    remedy="Revoke SELECT on the materialized view from the service and PUBLIC, and let the service read a view that "
    "tenancy_views lists.",
    sql="""
SELECT c.title FROM relation c
JOIN over_tenants o ON o.relid = c.oid
JOIN service_reads s ON s.relid = c.oid
WHERE c.relkind = 'm'
""",
    bad=Sql("""
CREATE MATERIALIZED VIEW totals AS SELECT user_id, count(*) FROM memories GROUP BY user_id;
GRANT SELECT (user_id) ON totals TO PUBLIC;
"""),
    good=Sql("REVOKE SELECT (user_id) ON totals FROM PUBLIC;"),
    found="public.totals",
)
