"""The privileges of the application role. The plan revokes those that bypass row security, and grants missing ones."""

from __future__ import annotations

from ...module_utils.quoting import identifier, qualified
from ..catalog import state as catalog
from ..model.model import Model
from .change import Change, Document, Rollback, guarded_relations
from .finding import Finding, finding
from .statement import State, Statement, statement


def plan(state: State, model: Model) -> list[Statement]:
    """Return the statements that revoke privileges that bypass row security, and grant missing privileges on the tenant
    column and on functions."""
    role, planned = identifier(model.application_role), []
    for relation in guarded_relations(state, model):
        granted = catalog.excess(relation.document, model, "granted_excess")
        if not granted:
            continue
        privileges = ", ".join(sorted(granted))
        planned.append(
            statement(
                f"{relation.table.name}.revoke{relation.suffix}", relation.table.name, "privilege",
                f"REVOKE {privileges} ON {relation.target} FROM {role}",
                f"Revoke {privileges}, which row security does not restrict",
            )
        )  # fmt: skip
    for table in catalog.tables(state, model):
        lacking = _lacking(catalog.required(state, table.name), model)
        if lacking:
            column, target = identifier(model.column), qualified(model.schema, table.name)
            privileges = ", ".join(f"{privilege} ({column})" for privilege in lacking)
            sql = f"GRANT {privileges} ON {target} TO {role}"
            reason = f"Grant privileges on {model.column} to a service that has them on individual columns only"
            planned.append(statement(f"{table.name}.column.grant", table.name, "privilege", sql, reason))
    for function in model.functions:
        now = catalog.function(state, function.name, function.identity)
        if now is None or not now["granted"]:
            signature = f"{qualified(model.schema, function.name)}({function.identity})"
            planned.append(
                statement(
                    f"function.{function.name}({function.identity}).grant", "", "privilege",
                    f"GRANT EXECUTE ON {function.kind} {signature} TO {role}",
                    "Grant the service its own privilege to execute the functions",
                )
            )  # fmt: skip
    return planned


def _lacking(document: Document, model: Model) -> list[str]:
    """Return the privileges that the service has on some columns, but not on the tenant column.

    The service needs them on the tenant column because keys contain that column.
    """
    return [
        privilege
        for privilege in ("SELECT", "INSERT")
        if isinstance(allowed := (document["rights"] or {}).get(privilege), list)
        and allowed and model.column not in allowed
    ]  # fmt: skip


def findings(state: State, model: Model) -> list[Finding]:
    """Return the findings about privileges that bypass row security, and about privileges missing on the tenant
    column."""
    found = []
    for table in catalog.tables(state, model):
        document = catalog.required(state, table.name)
        if any(isinstance(allowed, list) and allowed for allowed in (document["rights"] or {}).values()):
            lacking = _lacking(document, model)
            found.append(finding(f"missing privileges on {model.column}", table.name, [], lacking))
        excess = catalog.excess(document, model, "excess_privileges")
        found.append(finding("privileges that bypass row security", table.name, [], excess))
        parts = catalog.partitions(state, table)
        passing = [
            f"{privilege} on {part.name}"
            for part in parts
            for privilege in catalog.excess(part.document, model, "excess_privileges")
        ]
        if parts:
            found.append(finding("privileges that bypass row security, on partitions", table.name, [], passing))
    return found


def rollback(back: Rollback) -> list[Statement]:
    """Return the statements that undo the migration's REVOKE and GRANT."""
    planned = []
    for item in back.relations:
        now = item.now["granted_excess"] if back.role == back.model.application_role else []
        again = sorted(set(item.before["granted_excess"]) - set(now))
        if back.role is not None and again:
            sql = f"GRANT {', '.join(again)} ON {item.target} TO {identifier(back.role)}"
            planned.append(item.statement("grant", "privilege", sql, "Grant the revoked privileges again"))
    for item in back.relations:
        granted = _of_column(item.now, back.model) - _of_column(item.before, back.model)
        # DROP COLUMN also removes the privileges on the column.
        if item.before["column"] is not None and back.is_same_role and granted:
            column, role = identifier(back.model.column), identifier(back.model.application_role)
            privileges = ", ".join(f"{privilege} ({column})" for privilege in sorted(granted))
            sql = f"REVOKE {privileges} ON {item.target} FROM {role}"
            planned.append(item.statement("column.revoke", "privilege", sql, "Revoke the granted privileges"))
    for function in back.model.functions:
        now = catalog.function(back.state, function.name, function.identity)
        before = catalog.function(back.snapshot, function.name, function.identity)
        if before is not None and now is not None and now["granted"] and not before["granted"]:
            signature = f"{qualified(back.model.schema, function.name)}({function.identity})"
            sql = f"REVOKE EXECUTE ON {function.kind} {signature} FROM {identifier(back.model.application_role)}"
            identity = f"function.{function.name}({function.identity}).revoke"
            reason = f"Restore the original privileges on {function.name}"
            planned.append(statement(identity, "", "privilege", sql, reason))
    return planned


def _of_column(document: Document, model: Model) -> set[str]:
    """Return the privileges that the service has on the tenant column, but not on the whole table."""
    rights = {name: (document.get("rights") or {}).get(name) for name in ("SELECT", "INSERT")}
    return {name for name, allowed in rights.items() if isinstance(allowed, list) and model.column in allowed}


def rollback_findings(back: Rollback) -> list[Finding]:
    """Return findings that show whether the login has its original privileges on the tables. There are none if the
    service's login has changed since the snapshot."""
    return [
        finding(
            f"original rights{item.where}", item.table.name, item.before["granted_excess"], item.now["granted_excess"]
        )
        for item in back.known
        if back.is_same_role
    ]


CHANGE = Change(
    phases=frozenset({"privilege"}),
    plan=plan,
    findings=findings,
    rollback=rollback,
    rollback_findings=rollback_findings,
    audit_rules=frozenset({"privilege-excess"}),
)
