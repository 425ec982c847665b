"""Policies for roles other than the application role (tenancy_readers), and the rows that each other role sees.

A policy applies to every role that has the privileges of the policy's role. A role in tenancy_readers is therefore
rejected if the service has the privileges of that role, or can get them with SET ROLE.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...module_utils.quoting import identifier
from ..catalog import state as catalog
from ..model.model import Model, Reader, reader_policy
from . import names
from .change import Change, RelationRollback, Rollback, by_name, drop_policy, relations
from .finding import Finding, finding
from .statement import State, Statement, statement

Document = Mapping[str, Any]


def is_of_readers(policy: Document) -> bool:
    """Return whether a policy has the name that this module derives from the policy's role."""
    return not policy["public"] and [reader_policy(role) for role in policy["roles"]] == [policy["name"]]


def is_of_others(state: State, policy: Document) -> bool:
    """Return whether a policy does not apply to the service."""
    own = {*state["hazards"]["service_roles"], (catalog.application_role(state) or {}).get("name")}
    return not policy["public"] and own.isdisjoint(policy["roles"])


def applies(state: State, policy: Document) -> bool:
    """Return whether a policy is permissive and applies to the service. Such a policy shows the service more rows."""
    return policy["permissive"] and not is_of_others(state, policy)


def obstacles(state: State, model: Model) -> list[str]:
    """Return the reasons why roles in tenancy_readers cannot have a policy."""
    own, holders = state["hazards"]["service_roles"], {role["name"] for role in state["hazards"]["other_roles"]}
    found = []
    for reader in model.readers:
        if reader.role in own:
            found.append(
                f"{model.application_role} has the privileges of {reader.role}, or can get them with SET ROLE, so the "
                f"policy of {reader.role} in tenancy_readers would apply to the service: REVOKE "
                f"{identifier(reader.role)} FROM {identifier(model.application_role)} first."
            )
        elif reader.role not in holders:
            found.append(
                f"tenancy_readers names {reader.role}, which does not exist, has no privilege on rows of the tenant "
                "tables, or bypasses row security: correct its name, GRANT it SELECT, or remove its entry."
            )
    return found


def plan(state: State, model: Model) -> list[Statement]:
    """Return the statements that drop outdated policies of readers and create those of the model."""
    planned = []
    for relation in relations(state, model):
        policies, table = relation.document["policies"], relation.table.name
        wanted, dropped = set[str](), set[str]()
        for policy in policies:
            reader = next((one for one in model.readers if _is_wanted(policy, model, one)), None)
            if reader is not None:
                wanted.add(reader.role)
            elif is_of_readers(policy):
                dropped.add(policy["name"])
                planned.append(
                    drop_policy(relation, policy["name"], "Drop the policy of a role whose entry has changed")
                )
        for reader in model.readers:
            if reader.role not in wanted:
                rows = "every tenant" if reader.tenant is None else f"tenant {reader.tenant}"
                planned.append(
                    statement(
                        f"{table}.reader.{reader.role}{relation.suffix}", table, "policy",
                        f"CREATE POLICY {identifier(reader.policy)} ON {relation.target} {_rule(model, reader)}",
                        f"Let {reader.role} {'read' if reader.tenant is None else 'use'} the rows of {rows}",
                        makes=[] if reader.policy in dropped else [names.policy(relation, reader.policy)],
                    )
                )  # fmt: skip
    return planned


def _rule(model: Model, reader: Reader) -> str:
    if reader.tenant is None:
        return f"FOR SELECT TO {identifier(reader.role)} USING (true)"
    predicate = f"{identifier(model.column)} = {model.tenant_type.constant(reader.tenant)}"
    return f"FOR ALL TO {identifier(reader.role)} USING ({predicate}) WITH CHECK ({predicate})"


def _is_wanted(policy: Document, model: Model, reader: Reader) -> bool:
    """Return whether a policy, as PostgreSQL prints it, is the one that the model requires for the reader."""
    if reader.tenant is None:
        command, texts, check = "SELECT", ["true"], policy["check"] is None
    else:
        constant = model.tenant_type.printed_constant(reader.tenant)
        command, texts = "ALL", [f"({column} = {constant})" for column in catalog.printed(model.column)]
        check = policy["check"] in texts
    return (
        policy["name"] == reader.policy
        and policy["command"] == command
        and policy["permissive"] is True
        and policy["roles"] == [reader.role]
        and not policy["public"]
        and policy["using"] in texts
        and check
    )


def findings(state: State, model: Model) -> list[Finding]:
    """Return findings that show whether each role in tenancy_readers has its policy, and whether policies of former
    readers remain."""
    found = []
    for table in catalog.tables(state, model):
        lacking, ours = set(), set()
        for relation in catalog.relations(state, model, table):
            policies = relation.document["policies"]
            lacking |= {
                reader.role
                for reader in model.readers
                if not any(_is_wanted(policy, model, reader) for policy in policies)
            }
            ours |= {policy["name"] for policy in policies if is_of_readers(policy)}
        if model.readers:
            found.append(finding("roles of tenancy_readers without their policy", table.name, [], sorted(lacking)))
        left = sorted(ours - {reader.policy for reader in model.readers})
        if left:
            found.append(finding("policies of roles that tenancy_readers does not name", table.name, [], left))
    return found


def rollback(back: Rollback) -> list[Statement]:
    """Return the statements that drop the readers' policies that the snapshot does not have."""
    return [
        drop_policy(item.relation, name, "Drop the policies of tenancy_readers")
        for item in back.relations
        for name in _later(item)
    ]


def rollback_findings(back: Rollback) -> list[Finding]:
    """Return findings that show whether readers' policies remain that the snapshot does not have."""
    return [
        finding(f"policies{item.where} of tenancy_readers that are left", item.table.name, [], left)
        for item in back.known
        if (left := _later(item)) or back.model.readers
    ]


def _later(item: RelationRollback) -> list[str]:
    """Return the readers' policies that the snapshot does not have."""
    before = by_name(item.before["policies"])
    return [policy["name"] for policy in item.now["policies"] if is_of_readers(policy) and policy["name"] not in before]


def row_security_off(state: State, model: Model) -> list[Statement]:
    """Return the statements that drop the policies of readers."""
    return [
        drop_policy(relation, policy["name"], "Remove the policies of tenancy_readers")
        for relation in relations(state, model)
        for policy in relation.document["policies"]
        if is_of_readers(policy)
    ]


def row_security_off_findings(state: State, model: Model) -> list[Finding]:
    """Return findings that show whether the policies of readers have been dropped."""
    left: dict[str, list[str]] = {}
    for item in row_security_off(state, model):
        left.setdefault(item["table"], []).append(item["id"])
    return [finding("policies of tenancy_readers", table, [], found) for table, found in left.items()]


def notes(state: State, model: Model) -> list[str]:
    """Return notes on the other roles with privileges on rows, and on their permissive policies, which remain.

    The note on a role describes the rows that the role sees after row security is forced.
    """
    return [
        *(_sentence(state, model, role) for role in state["hazards"]["other_roles"]),
        *(
            f"The policy {policy['name']} of {', '.join(policy['roles'])} on {relation.title} remains: "
            f"it does not apply to {model.application_role}."
            for relation in relations(state, model)
            for policy in relation.document["policies"]
            if policy["permissive"] and not is_of_readers(policy) and is_of_others(state, policy)
        ),
    ]


def _sentence(state: State, model: Model, role: Document) -> str:
    count = role["sessions"]
    sessions = f" (with {count} open session{'s' if count > 1 else ''})" if count else ""
    through = sorted({grant["through"] for grant in role["grants"]} - {role["name"]})
    by = f", as {' and '.join(through)}," if through and role["name"] != "PUBLIC" else ""
    return f"{role['name']}{sessions} has {_privileges(role)}{by} and {_sees(state, model, role)}"


def _privileges(role: Document) -> str:
    """Return the role's privileges as text, each with its tables. A privilege on individual columns is followed by
    these columns."""
    places: dict[str, list[str]] = {}
    for grant in role["grants"]:
        columns = f" ({', '.join(grant['columns'])})" if grant["columns"] else ""
        held = places.setdefault(f"{grant['privilege']}{columns}", [])
        held += [grant["table"]] if grant["table"] not in held else []
    by_tables: dict[tuple[str, ...], list[str]] = {}
    for privilege, held in places.items():
        by_tables.setdefault(tuple(held), []).append(privilege)
    return "; ".join(f"{', '.join(privileges)} on {', '.join(held)}" for held, privileges in by_tables.items())


def _sees(state: State, model: Model, role: Document) -> str:
    named = [reader for reader in model.readers if reader.role in (role["name"], *role["roles"])]
    if named:
        whole = any(reader.tenant is None for reader in named)
        tenants = sorted({str(reader.tenant) for reader in named})
        rows = "every tenant" if whole else f"tenant {' and '.join(tenants)}"
        return f"sees the rows of {rows} according to tenancy_readers."
    if model.application_role in role["roles"]:
        return f"has the privileges of {model.application_role}: it sees only rows of the tenant that it sets."
    kept = sorted({
        policy["name"]
        for relation in relations(state, model)
        for policy in relation.document["policies"]
        if policy["permissive"] and is_of_others(state, policy) and {role["name"], *role["roles"]} & {*policy["roles"]}
    })  # fmt: skip
    if kept:
        return f"sees only the rows that the policies {', '.join(kept)} show, and no rows of tables without them."
    if role["name"] == model.replaced_role:
        return (
            "is the login that the service's own login replaces: any other client that still uses it then sees no rows."
        )
    copies = " If a subscription logs in as this role, its initial copy is empty." if role["replication"] else ""
    remedy = "REVOKE them" if role["name"] == "PUBLIC" else "list it in tenancy_readers, or revoke its privileges"
    return f"sees no rows once row security is on: {remedy}.{copies}"


CHANGE = Change(
    phases=frozenset({"policy"}),
    obstacles=obstacles,
    plan=plan,
    findings=findings,
    rollback=rollback,
    rollback_findings=rollback_findings,
    row_security_off=row_security_off,
    row_security_off_findings=row_security_off_findings,
)
