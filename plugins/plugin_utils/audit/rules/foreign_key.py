"""A foreign key between tenant tables does not contain the tenant column."""

from __future__ import annotations

from ...catalog import state as catalog
from ...changes import foreign_keys
from ..rule import ERROR, Inspected, Rule, Sql


def _fixed_by_plan(inspected: Inspected) -> list[str]:
    """Return the foreign keys in the model, each in the format of the rule's subjects."""
    state, model = inspected.state, inspected.model
    return [
        f"{name} of {title}"
        for table in catalog.tables(state, model)
        for relation, key in foreign_keys.of_relations(state, model, table)
        if key["description"] in foreign_keys.descriptions(state, model)
        for name in catalog.printed(key["name"])
        for title in catalog.titles(relation.schema, relation.name)
    ]


RULE = Rule(
    severity=ERROR,
    why="A row can reference another tenant's row.",
    remedy="List the foreign key under foreign_keys of its table in tenancy_tables.",
    sql="""
SELECT format('%I of %s', k.conname, c.title)
FROM pg_catalog.pg_constraint k
JOIN relation c ON c.oid = k.conrelid
CROSS JOIN given
WHERE k.contype = 'f' AND k.conparentid = 0
  AND k.conrelid IN (SELECT relid FROM wanted) AND k.confrelid IN (SELECT relid FROM wanted)
  AND NOT EXISTS (
    SELECT FROM pg_catalog.pg_attribute a
    WHERE a.attrelid = k.conrelid AND a.attnum = ANY (k.conkey) AND a.attname = given.tenant_column)
""",
    fixed_by_plan=_fixed_by_plan,
    bad=Sql("""
ALTER TABLE personality_metrics
  ADD COLUMN memory uuid CONSTRAINT of_memory REFERENCES memories (id);
"""),
    good=Sql("""
ALTER TABLE memories ADD UNIQUE (customer_id, id);
ALTER TABLE personality_metrics
  DROP CONSTRAINT of_memory,
  ADD CONSTRAINT of_memory FOREIGN KEY (customer_id, memory) REFERENCES memories (customer_id, id);
"""),
    found="of_memory of public.personality_metrics",
)
