"""The operators of an index on a tenant table are not leakproof."""

from __future__ import annotations

from ..rule import WARNING, Rule, Sql

RULE = Rule(
    severity=WARNING,
    why=(
        "With row security, PostgreSQL applies operators that are not leakproof only to rows that the policy allows."
        " It therefore cannot use the index for the conditions of the service's queries, and these become slower."
    ),
    remedy=(
        "In a rehearsal, measure the queries that use the index. If they are too slow, add the tenant column to the"
        " index, or create an index that begins with the tenant column."
    ),
    sql=r"""
SELECT format('%s (%s): %s', c.title, pg_catalog.pg_size_pretty(pg_catalog.pg_relation_size(c.oid)), o.operators)
FROM wanted w
JOIN pg_catalog.pg_index i ON i.indrelid = w.relid
JOIN relation c ON c.oid = i.indexrelid AND c.relkind = 'i'
CROSS JOIN LATERAL (
  SELECT string_agg(DISTINCT r.oprname::text, ', ' ORDER BY r.oprname::text) AS operators
  FROM generate_series(1, i.indnkeyatts) AS n
  JOIN pg_catalog.pg_opclass k ON k.oid = i.indclass[n - 1]
  JOIN pg_catalog.pg_am m ON m.oid = k.opcmethod
  JOIN pg_catalog.pg_amop a ON a.amopfamily = k.opcfamily AND a.amoplefttype = k.opcintype AND a.amoppurpose = 's'
    -- For btree and hash, the rule ignores operators on two different types, because services seldom use them.
    AND (a.amoprighttype = a.amoplefttype OR m.amname NOT IN ('btree', 'hash'))
  JOIN pg_catalog.pg_operator r ON r.oid = a.amopopr
  JOIN pg_catalog.pg_proc p ON p.oid = r.oprcode AND NOT p.proleakproof) AS o
WHERE o.operators IS NOT NULL
""",
    bad=Sql("CREATE INDEX by_value ON memories USING gin (value_json jsonb_path_ops) WHERE false;"),
    good=Sql("""
DROP INDEX by_value;
CREATE INDEX by_value ON memories (customer_id, k) WHERE false;
"""),
    found="public.by_value (16 kB): @>, @?, @@",
)
