"""A table that the model does not name has the tenant column."""

from __future__ import annotations

from ..rule import ERROR, Inventory, Rule, Sql

RULE = Rule(
    severity=ERROR,
    why="It has the tenant column, but no policy of the model covers it.",
    remedy="Add it to tenancy_tables.",
    sql="""
SELECT c.title
FROM relation c
CROSS JOIN given
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attname = given.tenant_column AND NOT a.attisdropped
WHERE c.relkind IN ('r', 'p', 'f') AND c.oid NOT IN (SELECT relid FROM wanted WHERE relid IS NOT NULL)
""",
    bad=Sql("CREATE TABLE invoices (id integer PRIMARY KEY, customer_id integer);"),
    good=Inventory("""
tenancy_tables:
  - name: invoices
    surrogate_keys: [[id]]
"""),
    found="public.invoices",
)
