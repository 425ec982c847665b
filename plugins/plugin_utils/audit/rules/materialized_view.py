"""A materialized view holds rows of tenant tables."""

from __future__ import annotations

from ..rule import ERROR, Rule, Sql

RULE = Rule(
    severity=ERROR,
    why="It keeps a copy that no policy filters.",
    remedy="Drop it, and read the tables through a view that tenancy_views names.",
    sql="SELECT c.title FROM relation c JOIN over_tenants o ON o.relid = c.oid WHERE c.relkind = 'm'",
    bad=Sql("CREATE MATERIALIZED VIEW totals AS SELECT user_id, count(*) FROM memories GROUP BY user_id;"),
    good=Sql("DROP MATERIALIZED VIEW totals;"),
    found="public.totals",
)
