"""A unique key of a tenant table does not contain the tenant column."""

from __future__ import annotations

from ..rule import ERROR, Inspected, Rule, Sql


def _judge(inspected: Inspected) -> list[str]:
    return [
        f"{index['name']} of {relation.name}"
        for relation in inspected.relations()
        for index in relation.document["indexes"]
        # The index of a partition that belongs to the table's key is not a key of its own.
        if not (relation.is_partition and index["root"])
        and index["unique"]
        and inspected.model.column not in index["names"]
        and tuple(index["names"]) not in relation.table.surrogate_keys
    ]


RULE = Rule(
    severity=ERROR,
    why="A key without the tenant column shows one tenant which values another has.",
    remedy="Name its columns under natural_keys in tenancy_tables, and migrate.",
    judge=_judge,
    # The planner refuses a key that the model does not name before the audit is judged.
    fixed_by_plan=_judge,
    bad=Sql("CREATE UNIQUE INDEX one_per_caller ON caller_profiles (user_id);"),
    good=Sql("""
DROP INDEX one_per_caller;
CREATE UNIQUE INDEX one_per_caller ON caller_profiles (customer_id, user_id);
"""),
    found="one_per_caller of caller_profiles",
)
