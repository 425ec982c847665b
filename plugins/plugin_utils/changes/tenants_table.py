"""The tenants table, which has one row for each tenant. The tenant column may reference it.

The model specifies which rows a session reads. With ``read_all``, a session reads all rows. A service that determines
the tenant from a host name needs them before it sets the tenant. With ``own``, a session sees only the row of its
tenant. In both cases, a session can change only the row of its tenant.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...module_utils.quoting import derived_name, identifier
from ..catalog import state as catalog
from ..catalog.state import Relation
from ..model.model import Model, Table, Tenants
from . import policies, readers
from .change import MORE_ROWS, Change, RelationRollback, Rollback, drop_policy, tenants_relation
from .finding import Finding, finding
from .statement import State, Statement, statement

Document = Mapping[str, Any]
OWN, EVERYBODY = "own", "true"


def wanted(tenants: Tenants) -> list[dict[str, Any]]:
    """Return the model's policies for the tenants table, each with name, command, using and check.

    OWN stands for the predicate that restricts rows to the session's tenant.
    """
    table = tenants.table
    if tenants.policy == "own":
        return [{"name": table.policy, "command": "ALL", "using": OWN, "check": OWN}]
    texts = {"SELECT": (EVERYBODY, None), "INSERT": (None, OWN), "UPDATE": (OWN, OWN), "DELETE": (OWN, None)}
    return [
        {
            "name": derived_name("tenant_isolation", table.name, command.lower()), "command": command,
            "using": using, "check": check,
        }
        for command, (using, check) in texts.items()
    ]  # fmt: skip


def policy_names(model: Model, table: Table) -> set[str]:
    """Return the names of the policies that the migration creates on a table."""
    if model.tenants is None or table.name != model.tenants.name:
        return {table.policy}
    every = derived_name("tenant_isolation", table.name, "select")
    return {table.policy, every, *(item["name"] for item in wanted(model.tenants))}


def _is(policy: Document, item: Mapping[str, Any], model: Model, tenants: Tenants) -> bool:
    return (
        (policy["name"], policy["command"]) == (item["name"], item["command"])
        and policy["permissive"] is True
        and policy["roles"] == [model.application_role]
        and not policy["public"]
        and all(_says(policy[part], item[part], model, tenants) for part in ("using", "check"))
    )


def _says(printed: str | None, meant: str | None, model: Model, tenants: Tenants) -> bool:
    if meant == OWN:
        return catalog.is_model_predicate(printed, model, tenants.key)
    return printed == meant


def _sql(meant: str, model: Model, tenants: Tenants) -> str:
    return f"{identifier(tenants.key)} = (SELECT {model.session_tenant})" if meant == OWN else meant


def obstacles(state: State, model: Model) -> list[str]:
    """Return the reasons why the table cannot be the tenants table."""
    if model.tenants is None:
        return []
    name, key = f"{model.schema}.{model.tenants.name}", model.tenants.key
    document = catalog.table(state, model.tenants.name)
    if document is None or document["kind"] != "r":
        return [f"tenancy_tenants names {name}, which is not an ordinary table: correct tenancy_tenants."]
    attribute = next((item for item in document["attributes"] if item["name"] == key), None)
    if attribute is None:
        return [f"tenancy_tenants names the column {key}, which {name} does not have: correct tenancy_tenants."]
    if attribute["formatted"] != model.column_type:
        mistyped = (
            f"{name}.{key} has type {attribute['formatted']}, but tenancy_column_type is {model.column_type}: set "
            "tenancy_column_type to the column's type."
        )
        return [mistyped]
    if catalog.unique_key(document, [key]) is None:
        return [f"{name}.{key} is not unique, but the tenants table needs one row per tenant: make it unique first."]
    return []


def plan(state: State, model: Model) -> list[Statement]:
    """Return the statements that drop other permissive policies and create those of the model."""
    if model.tenants is None:
        return []
    return [item for one in tenants_relation(state, model) for item in _of_relation(state, one, model, model.tenants)]


def _of_relation(state: State, relation: Relation, model: Model, tenants: Tenants) -> list[Statement]:
    table, planned, there = relation.table.name, list[Statement](), set[str]()
    for policy in relation.document["policies"]:
        if any(_is(policy, item, model, tenants) for item in wanted(tenants)):
            there.add(policy["name"])
        elif readers.applies(state, policy) or policy["name"] in policy_names(model, relation.table):
            planned.append(drop_policy(relation, policy["name"], MORE_ROWS))
    reason = {
        "own": "Show and accept only the row of the session's tenant in the tenants table",
        "read_all": "Let every session read the tenants table, and change only its tenant's row",
    }[tenants.policy]
    for item in wanted(tenants):
        if item["name"] in there:
            continue
        clauses = {"USING": item["using"], "WITH CHECK": item["check"]}
        said = " ".join(f"{word} ({_sql(text, model, tenants)})" for word, text in clauses.items() if text is not None)
        sql = (
            f"CREATE POLICY {identifier(item['name'])} ON {relation.target} FOR {item['command']} "
            f"TO {identifier(model.application_role)} {said}"
        )
        planned.append(statement(f"{table}.policy.{item['command'].lower()}", table, "policy", sql, reason))
    return planned


def findings(state: State, model: Model) -> list[Finding]:
    """Return the findings about the tenants table: its policies, its row security, and privileges that bypass row
    security."""
    if model.tenants is None:
        return []
    found = []
    for relation in tenants_relation(state, model):
        permissive = [policy for policy in relation.document["policies"] if readers.applies(state, policy)]
        items = wanted(model.tenants)
        alone = sorted(policy["name"] for policy in permissive) == sorted(item["name"] for item in items) and all(
            any(_is(policy, item, model, model.tenants) for policy in permissive) for item in items
        )
        rls, excess = relation.document["rls"], catalog.excess(relation.document, model, "excess_privileges")
        found += [
            finding("policies are the model's", relation.name, True, alone),
            finding("RLS", relation.name, True, rls["enabled"]),
            finding("FORCE", relation.name, True, rls["forced"]),
            finding("privileges that bypass row security", relation.name, [], excess),
        ]
    return found


def _of_tenants(back: Rollback) -> list[tuple[RelationRollback, set[str]]]:
    return [
        (item, policy_names(back.model, item.table)) for item in back.relations if item.table not in back.model.tables
    ]


def rollback(back: Rollback) -> list[Statement]:
    """Return the statements that drop the policies and restore those of the snapshot."""
    return [item for one, names in _of_tenants(back) for item in policies.rollback_of(back, one, names)]


def rollback_findings(back: Rollback) -> list[Finding]:
    """Return findings that show whether every policy of the snapshot exists, and whether policies of the migration
    remain."""
    return [found for one, names in _of_tenants(back) for found in policies.rollback_findings_of(back, one, names)]


def row_security_off(state: State, model: Model) -> list[Statement]:
    """Return the statements that drop the policies."""
    found = tenants_relation(state, model)
    return [item for one in found for item in policies.dropped(one, policy_names(model, one.table))]


def row_security_off_findings(state: State, model: Model) -> list[Finding]:
    """Return findings that show whether the policies have been dropped."""
    return [policies.left(one, policy_names(model, one.table)) for one in tenants_relation(state, model)]


# The rollback obstacles in policies.py already cover the tenants table.
CHANGE = Change(
    phases=frozenset({"policy", "restore", "comment"}),
    obstacles=obstacles,
    plan=plan,
    findings=findings,
    rollback=rollback,
    rollback_findings=rollback_findings,
    row_security_off=row_security_off,
    row_security_off_findings=row_security_off_findings,
)
