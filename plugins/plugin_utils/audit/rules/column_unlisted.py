"""A table that is not in the model has the tenant column."""

from __future__ import annotations

from ..rule import ERROR, Inventory, Rule, Sql

RULE = Rule(
    severity=ERROR,
    why="The table has the tenant column, but the model has no policy for it.",
    remedy="Add the table to tenancy_tables.",
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
