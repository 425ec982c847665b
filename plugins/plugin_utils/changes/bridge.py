"""The bridge: a session of the service that sets no tenant works as the default tenant.

The bridge is a setting of the application role in the database. Its value is the default tenant in a form that no
session uses, such as 01. A tenant from the bridge therefore differs from a tenant that a session set, and
``bridge_record`` can record the statements that need the bridge.

The policies do not show whether the service sets the tenant, so enforce.yml leaves a mark. Once enforce.yml has
confirmed that every session sets its tenant, it changes the setting to an empty string, which is not a tenant. Without
this mark, a migration installs the bridge.
"""

from __future__ import annotations

from ...module_utils.quoting import identifier, literal
from ..catalog import state as catalog
from ..model.model import Model
from . import bridge_record
from .change import HELD_BACK, Change, Ended, Rollback
from .finding import Finding, finding
from .statement import State, Statement, statement

# The value of the setting after enforce.yml has removed the bridge.
REMOVED = ""


def value(state: State, model: Model) -> str | None:
    """Return the tenant that the bridge gives to sessions of the application role, or None."""
    found: str | None = state["bridges"].get(model.application_role)
    return found or None


def is_enforced(state: State, model: Model) -> bool:
    """Return whether enforce.yml removed the bridge of the application role, or of the role that the application role
    replaces."""
    return any(state["bridges"].get(role) == REMOVED for role in (model.application_role, model.replaced_role))


def named(state: State, model: Model) -> str | None:
    """Return the tenant of the bridge in the form that a session uses, or None."""
    spelled = value(state, model)
    return None if spelled is None else model.tenant_type.plain(spelled)


def hazards(state: State, model: Model) -> list[str]:
    """Return an obstacle to the bridge if tenants other than the default tenant have rows.

    With the bridge, a session that sets no tenant sees the rows of the default tenant.
    """
    others = catalog.other_tenants(state, model)
    if not model.bridge or is_enforced(state, model) or value(state, model) == model.bridge_value or not others:
        return []
    counts = ", ".join(f"{name} {count}" for name, count in others.items())
    obstacle = (
        f"Rows of tenants other than {model.default_tenant} exist ({counts}), and tenancy_bridge lets a session that "
        f"sets no tenant work as tenant {model.default_tenant}: if every session of the service sets its tenant, set "
        "tenancy_bridge: false. Otherwise, first deploy a release that sets the tenant."
    )
    return [obstacle]


def plan(state: State, model: Model) -> list[Statement]:
    """Return the statements that install the bridge, or keep it removed if enforce.yml removed it."""
    if is_enforced(state, model):
        return plan_keep_removed(state, model)
    return plan_install(state, model) + plan_reset(state, model, model.replaced_role) if model.bridge else []


def plan_install(state: State, model: Model) -> list[Statement]:
    """Return the statements that create the missing parts of the bridge and its usage record. The setting comes
    last."""
    planned = bridge_record.plan_install(state, model)
    if value(state, model) != model.bridge_value:
        planned.append(
            statement(
                "bridge", "", "bridge", assign(model, model.application_role, model.bridge_value),
                f"Let sessions that set no tenant work as tenant {model.default_tenant}", early=True,
            )
        )  # fmt: skip
    return planned


def plan_reset(state: State, model: Model, role: str | None) -> list[Statement]:
    """Return the statement that removes the bridge of ``role``, if it has one."""
    tenant = state["bridges"].get(role)
    if role is None or tenant is None:
        return []
    reason = "Remove the bridge: a session that sets no tenant has no tenant"
    return [statement(f"bridge.remove.{role}", "", "bridge", assign(model, role, None), reason)]


def plan_remove(state: State, model: Model) -> list[Statement]:
    """Return the statements that remove the bridge, its usage record, and the mark that enforce.yml set."""
    return plan_reset(state, model, model.application_role) + bridge_record.plan_remove(state, model)


def plan_remove_for_good(state: State, model: Model) -> list[Statement]:
    """Return the statements that remove the bridge and its usage record, and set the mark of enforce.yml."""
    return (_plan_empty(model) if value(state, model) is not None else []) + bridge_record.plan_remove(state, model)


def plan_keep_removed(state: State, model: Model) -> list[Statement]:
    """Return the statements that move the mark of enforce.yml from the replaced role to the application role."""
    kept = _plan_empty(model) if state["bridges"].get(model.application_role) != REMOVED else []
    return kept + plan_reset(state, model, model.replaced_role)


def _plan_empty(model: Model) -> list[Statement]:
    role = model.application_role
    reason = "Remove the bridge: a session that sets no tenant has no tenant"
    return [statement(f"bridge.empty.{role}", "", "bridge", assign(model, role, REMOVED), reason)]


def assign(model: Model, role: str, tenant: str | None) -> str:
    """Return the statement that sets ``tenant`` for the role's sessions in this database. None removes the setting."""
    prefix = f"ALTER ROLE {identifier(role)} IN DATABASE {identifier(model.database)}"
    name = ".".join(identifier(part) for part in model.setting.split("."))
    return f"{prefix} RESET {name}" if tenant is None else f"{prefix} SET {name} = {literal(tenant)}"


def findings(state: State, model: Model) -> list[Finding]:
    """Return findings that show whether the bridge is either off or complete.

    A complete bridge has the default tenant and a usage record, and no other tenant has rows.
    """
    tenant = value(state, model)
    if tenant is not None and catalog.other_tenants(state, model):
        return [finding("bridge is off once a second tenant has rows", "", None, tenant)]
    if tenant is None:
        return [finding("bridge is off or sets the default tenant", "", None, tenant)]
    missing = [item["id"] for item in plan_install(state, model) if item["id"] != "bridge"]
    return [
        finding("bridge is off or sets the default tenant", "", model.bridge_value, tenant),
        finding("missing parts of the bridge's usage record", "", [], missing),
    ]


def rollback(back: Rollback) -> list[Statement]:
    """Return the statements that restore the original bridge of every role, and the original usage record."""
    now, before = back.state["bridges"], back.snapshot["bridges"]
    planned = [
        statement(f"bridge.{role}", "", "bridge", assign(back.model, role, before.get(role)),
                  "Restore the original bridge")
        for role in sorted({*now, *before})
        if now.get(role) != before.get(role)
    ]  # fmt: skip
    return planned + bridge_record.rollback(back)


def rollback_findings(back: Rollback) -> list[Finding]:
    """Return findings that show whether every role has its original bridge, and whether the usage record is
    complete."""
    found = []
    if bridge_record.was_kept(back):
        missing = [item["id"] for item in bridge_record.plan_restore(back)]
        found.append(finding("missing parts of the bridge's usage record", "", [], missing))
    return [*found, finding("original bridges", "", back.snapshot["bridges"], back.state["bridges"])]


def row_security_off_findings(state: State, model: Model) -> list[Finding]:
    """Return the finding that shows whether the bridge is off."""
    return [finding("bridge", "", None, value(state, model))]


CHANGE = Change(
    phases=frozenset({"bridge"}),
    hazards=hazards,
    plan=plan,
    findings=findings,
    rollback=rollback,
    rollback_findings=rollback_findings,
    row_security_off=plan_remove,
    row_security_off_findings=row_security_off_findings,
    ended_errors=(Ended("bridge", ("23502",), "{column}"), Ended("bridge", HELD_BACK, secured=True)),
)
