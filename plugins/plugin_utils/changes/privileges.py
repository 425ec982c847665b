"""The application role's privileges: those that bypass row security are revoked, EXECUTE on functions is granted."""

from __future__ import annotations

from ...module_utils.quoting import identifier, qualified
from ..catalog import state as catalog
from ..model.model import Model
from .change import Change, Rollback, nothing, relations, tables
from .finding import Finding, finding
from .statement import State, Statement, statement


def plan(state: State, model: Model) -> list[Statement]:
    """Return the statements that revoke such privileges on tables, and grant EXECUTE on functions."""
    role, planned = identifier(model.application_role), []
    for relation in relations(state, model):
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
    for function in model.functions:
        now = catalog.function(state, function.name, function.identity)
        if now is None or not now["granted"]:
            signature = f"{qualified(model.schema, function.name)}({function.identity})"
            planned.append(
                statement(
                    f"function.{function.name}({function.identity}).grant", "", "privilege",
                    f"GRANT EXECUTE ON FUNCTION {signature} TO {role}",
                    "Let the service execute the functions by its own privilege",
                )
            )  # fmt: skip
    return planned


def findings(state: State, model: Model) -> list[Finding]:
    """Return the privileges that bypass row security."""
    found = []
    for table in tables(state, model):
        excess = catalog.excess(catalog.required(state, table.name), model, "excess_privileges")
        found.append(finding("privileges that bypass row security", table.name, [], excess))
        parts = catalog.partitions(state, model, table)
        passing = [
            f"{privilege} on {part.name}"
            for part in parts
            for privilege in catalog.excess(part.document, model, "excess_privileges")
        ]
        if parts:
            found.append(finding("privileges on partitions that bypass row security", table.name, [], passing))
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
    for function in back.model.functions:
        now = catalog.function(back.state, function.name, function.identity)
        before = catalog.function(back.snapshot, function.name, function.identity)
        if before is not None and now is not None and now["granted"] and not before["granted"]:
            signature = f"{qualified(back.model.schema, function.name)}({function.identity})"
            sql = f"REVOKE EXECUTE ON FUNCTION {signature} FROM {identifier(back.model.application_role)}"
            identity = f"function.{function.name}({function.identity}).revoke"
            reason = f"Restore the original privileges on {function.name}"
            planned.append(statement(identity, "", "privilege", sql, reason))
    return planned


def rollback_findings(back: Rollback) -> list[Finding]:
    """Return whether the login, if it is the same, has its original privileges on the tables."""
    return [
        finding(
            f"original rights{item.where}", item.table.name, item.before["granted_excess"], item.now["granted_excess"]
        )
        for item in back.known
        if back.is_same_role
    ]


CHANGE = Change(
    phases=frozenset({"privilege"}),
    obstacles=nothing,
    hazards=nothing,
    plan=plan,
    findings=findings,
    rollback=rollback,
    rollback_obstacles=nothing,
    rollback_findings=rollback_findings,
    row_security_off=nothing,
    row_security_off_findings=nothing,
    ended_errors=(),
    audit_rules=frozenset({"privilege-excess"}),
)
