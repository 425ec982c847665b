"""An approximate index searches the rows of all tenants."""

from __future__ import annotations

from ..rule import WARNING, Rule, Sql

# The rule finds indexes by the name of their access method. The example therefore also works without pgvector: it
# creates an access method named hnsw from the GiST handler.
SETUP = """
ALTER TABLE memories ADD near box;
CREATE ACCESS METHOD hnsw TYPE INDEX HANDLER gisthandler;
CREATE OPERATOR CLASS vector_l2_ops FOR TYPE box USING hnsw AS
  OPERATOR 3 &&,
  FUNCTION 1 gist_box_consistent(internal, box, smallint, oid, internal),
  FUNCTION 2 gist_box_union(internal, internal),
  FUNCTION 5 gist_box_penalty(internal, internal, internal),
  FUNCTION 6 gist_box_picksplit(internal, internal),
  FUNCTION 7 gist_box_same(box, box, internal);
"""

RULE = Rule(
    severity=WARNING,
    why=(
        "The index returns the nearest rows across all tenants. The policy then filters out other tenants' rows, so"
        " queries of a small tenant may return too few rows."
    ),
    remedy=(
        "With pgvector 0.8 or later, run ALTER ROLE ... IN DATABASE ... SET ivfflat.iterative_scan = 'relaxed_order',"
        " or the same for hnsw.iterative_scan."
    ),
    sql="""
SELECT format('%I of %s', i.relname, c.title)
FROM pg_catalog.pg_index x
JOIN relation c ON c.oid = x.indrelid
JOIN wanted w ON w.relid = c.oid
JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid
JOIN pg_catalog.pg_am a ON a.oid = i.relam
WHERE a.amname IN ('ivfflat', 'hnsw')
  AND NOT EXISTS (SELECT FROM preset p WHERE p.name = a.amname || '.iterative_scan' AND p.value <> 'off')
""",
    setup=SETUP,
    bad=Sql("CREATE INDEX nearest ON memories USING hnsw (near vector_l2_ops);"),
    good=Sql("ALTER ROLE alice IN DATABASE ai_memory SET hnsw.iterative_scan = 'relaxed_order';"),
    found="nearest of public.memories",
)
