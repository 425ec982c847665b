"""The policy of the model on every tenant table and partition.

This policy must be the only permissive policy that applies to the service, because PostgreSQL combines permissive
policies with OR. Policies for other roles remain.
"""

from __future__ import annotations

from ...module_utils.quoting import identifier
from ..catalog import definitions
from ..catalog import state as catalog
from ..catalog.state import Relation
from ..model.model import Model, Table
from . import bridge_record, readers
from .change import (
    HELD_BACK,
    MORE_ROWS,
    Change,
    Document,
    Ended,
    RelationRollback,
    Rollback,
    by_name,
    drop_policy,
    missing,
    relations,
)
from .finding import Finding, finding
from .statement import State, Statement, statement


def plan(state: State, model: Model) -> list[Statement]:
    """Return the statements that drop other permissive policies and create the policy of the model."""
    return [item for relation in relations(state, model) for item in _of_relation(state, relation, model)]


def _of_relation(state: State, relation: Relation, model: Model) -> list[Statement]:
    table, planned, wanted = relation.table, [], False
    for policy in relation.document["policies"]:
        if catalog.is_wanted_policy(policy, model, table):
            wanted = True
        elif policy["name"] == table.policy or readers.applies(state, policy):
            planned.append(drop_policy(relation, policy["name"], MORE_ROWS))
    if not wanted:
        planned.append(
            statement(
                f"{table.name}.policy{relation.suffix}", table.name, "policy",
                f"CREATE POLICY {identifier(table.policy)} ON {relation.target} FOR ALL "
                f"TO {identifier(model.application_role)} "
                f"USING ({model.predicate}) WITH CHECK ({model.predicate})",
                "Show and accept only rows of the session's tenant",
            )
        )  # fmt: skip
    return planned


def findings(state: State, model: Model) -> list[Finding]:
    """Return findings that show whether each table and partition has the policy of the model, and no other permissive
    policy for the service."""
    found, created = [], 0
    for table in catalog.tables(state, model):
        policies = catalog.required(state, table.name)["policies"]
        has_own = any(catalog.is_wanted_policy(policy, model, table) for policy in policies)
        created += has_own
        permissive = [policy["name"] for policy in policies if _applies(state, policy, table)]
        found += [
            finding("permissive policies", table.name, [table.policy], permissive),
            finding("policy is the model's", table.name, True, has_own),
        ]
        parts = catalog.partitions(state, table)
        lacking = [part.name for part in parts if not _is_alone(state, part, model)]
        found += [finding("partitions whose policies are not the model's", table.name, [], lacking)] if parts else []
    wanted = len(model.tables)
    return [*found, finding("RLS policies created", "", f"{wanted}/{wanted}", f"{created}/{wanted}")]


def _applies(state: State, policy: Document, table: Table) -> bool:
    """Return whether a permissive policy applies to the service, or has the same name as the policy of the model."""
    return (policy["permissive"] and policy["name"] == table.policy) or readers.applies(state, policy)


def _is_alone(state: State, part: Relation, model: Model) -> bool:
    permissive = [policy for policy in part.document["policies"] if _applies(state, policy, part.table)]
    return [catalog.is_wanted_policy(policy, model, part.table) for policy in permissive] == [True]


def rollback(back: Rollback) -> list[Statement]:
    """Return the statements that drop the policies of the migration and create those of the snapshot."""
    own = [item for item in back.relations if item.table in back.model.tables]
    return [statement for item in own for statement in rollback_of(back, item, {item.table.policy})]


def rollback_of(back: Rollback, item: RelationRollback, names: set[str]) -> list[Statement]:
    """Return the statements that drop a relation's policies with one of the ``names``, and create those of the
    snapshot."""
    before = by_name(_of_before(back, item))
    ours, record = names | before.keys(), bridge_record.policy_names(item.table)
    # If the snapshot has no usage record, bridge_record.py drops the record's policies. If the snapshot has the record,
    # but not on this relation, the record's policies are dropped here. Policies that were created by hand remain.
    if not bridge_record.was_kept(back):
        ours -= record
    elif not bridge_record.is_on(item):
        ours |= record
    planned = [
        drop_policy(item.relation, name, "Drop the policies of the migration")
        for name, policy in by_name(item.now["policies"]).items()
        if name in ours and policy != before.get(name)
    ]
    for policy in _changed(back, item):
        sql = catalog.policy_sql(policy, item.target)
        planned.append(item.statement(f"policy.{policy['name']}", "restore", sql, "Restore the original policies"))
        planned += item.comment(f"POLICY {identifier(policy['name'])} ON {item.target}", policy["comment"])
    return planned


def _of_before(back: Rollback, item: RelationRollback) -> list[Document]:
    """Return the policies of the snapshot without those of the usage record, which is restored in its current form."""
    names = bridge_record.policy_names(item.table) if bridge_record.was_kept(back) else set()
    return [policy for policy in item.before["policies"] if policy["name"] not in names]


def _changed(back: Rollback, item: RelationRollback) -> list[Document]:
    now = by_name(item.now["policies"])
    return [policy for policy in _of_before(back, item) if policy != now.get(policy["name"])]


def rollback_obstacles(back: Rollback) -> list[str]:
    """Return an obstacle for each type that would run an ordinary role's code when the policies are restored."""
    return [
        text
        for item in back.relations
        for policy in _changed(back, item)
        for text in definitions.literals(
            back.state, f"The policy {policy['name']} of {item.title}", [policy["using"], policy["check"]], back.path
        )
    ]


def rollback_findings(back: Rollback) -> list[Finding]:
    """Return findings that show whether every policy of the snapshot exists, and whether policies of the migration
    remain."""
    own = [item for item in back.known if item.table in back.model.tables]
    return [found for item in own for found in rollback_findings_of(back, item, {item.table.policy})]


def rollback_findings_of(back: Rollback, item: RelationRollback, names: set[str]) -> list[Finding]:
    """Return findings that show whether a relation has every policy of the snapshot, and whether it has other policies
    with one of the ``names``."""
    lost = missing(_of_before(back, item), item.now["policies"])
    left = names & by_name(item.now["policies"]).keys() - by_name(item.before["policies"]).keys()
    return [
        finding(f"original policies{item.where} that are missing", item.table.name, [], lost),
        finding(f"policies{item.where} of the migration that are left", item.table.name, [], sorted(left)),
    ]


def row_security_off(state: State, model: Model) -> list[Statement]:
    """Return the statements that drop the policies of the model."""
    return [item for one in relations(state, model) for item in dropped(one, {one.table.policy})]


def dropped(relation: Relation, names: set[str]) -> list[Statement]:
    """Return the statements that drop a relation's policies with one of the ``names``."""
    return [
        drop_policy(relation, policy["name"], "Remove the tenant policy")
        for policy in relation.document["policies"]
        if policy["name"] in names
    ]


def row_security_off_findings(state: State, model: Model) -> list[Finding]:
    """Return findings that show whether the policies of the model have been dropped."""
    return [left(relation, {relation.table.policy}) for relation in relations(state, model)]


def left(relation: Relation, names: set[str]) -> Finding:
    """Return the finding that shows whether a relation still has policies with one of the ``names``."""
    own = [policy["name"] for policy in relation.document["policies"] if policy["name"] in names]
    return finding(f"tenant policies{relation.where}", relation.table.name, [], own)


CHANGE = Change(
    phases=frozenset({"policy", "restore", "comment"}),
    plan=plan,
    findings=findings,
    rollback=rollback,
    rollback_obstacles=rollback_obstacles,
    rollback_findings=rollback_findings,
    row_security_off=row_security_off,
    row_security_off_findings=row_security_off_findings,
    ended_errors=(Ended("policy", HELD_BACK, secured=True),),
)
