"""A unique key or exclusion constraint of a tenant table does not contain the tenant column."""

from __future__ import annotations

from ...catalog import unique_keys
from ..rule import ERROR, Inspected, Rule, Sql


def _judge(inspected: Inspected) -> list[str]:
    model = inspected.model
    return [
        f"{index['name']} of {relation.name}"
        for relation in inspected.relations()
        for index in relation.document["indexes"]
        # A partition's index that is attached to the table's key is not a separate key.
        if not (relation.is_partition and index["root"])
        and unique_keys.is_key(index)
        and not unique_keys.holds_tenant(index, model.column)
        and not unique_keys.is_surrogate(index, model, relation.table)
    ]


RULE = Rule(
    severity=ERROR,
    why="Errors raised by a key without the tenant column reveal one tenant's values to another.",
    remedy="Add the key's columns to natural_keys in tenancy_tables, and migrate.",
    judge=_judge,
    # The plan fixes every key that is left: before the audit is evaluated, the plan rejects keys outside the model.
    fixed_by_plan=_judge,
    bad=Sql("CREATE UNIQUE INDEX one_per_caller ON caller_profiles (user_id);"),
    good=Sql("""
DROP INDEX one_per_caller;
CREATE UNIQUE INDEX one_per_caller ON caller_profiles (customer_id, user_id);
"""),
    found="one_per_caller of caller_profiles",
)
