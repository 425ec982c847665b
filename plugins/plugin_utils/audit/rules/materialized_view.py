"""The service or PUBLIC can read a materialized view that holds rows of tenant tables."""

from __future__ import annotations

from ..rule import ERROR, Rule, Sql

RULE = Rule(
    severity=ERROR,
    why="It keeps a copy that no policy filters.",
    remedy="REVOKE SELECT on it from the service and PUBLIC; let the service read a view that tenancy_views names.",
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
