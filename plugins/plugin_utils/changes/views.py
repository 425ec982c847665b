"""Views over tenant tables. They must read with the privileges of the calling role, so that its policies apply.

By default, a view reads with its owner's privileges, and PostgreSQL applies the owner's policies.
``security_invoker`` exists since PostgreSQL 15.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...module_utils.quoting import qualified
from ..catalog import state as catalog
from ..model.model import Model, View
from .change import Change, Rollback
from .finding import Finding, finding
from .statement import State, Statement, statement

Document = Mapping[str, Any]

INVOKER_VERSION = 150000


def of_state(state: State, view: View) -> Document | None:
    """Return the document of a view in the state, or None if no relation has its name."""
    found: Document | None = state.get("views", {}).get(view.name)
    return found if found and found["exists"] else None


def _is_invoker(document: Document) -> bool:
    return catalog.is_true(str(document["security_invoker"]))


def obstacles(state: State, model: Model) -> list[str]:
    """Return the reasons why views cannot read with the privileges of the calling role."""
    found = []
    for view in model.views:
        document, name = of_state(state, view), f"{model.schema}.{view.name}"
        if document is None:
            found.append(f"View {name} does not exist: correct tenancy_views or the database.")
        elif document["kind"] != "v":
            found.append(
                f"{name} is not a view (kind {document['kind']!r}): remove it from tenancy_views. No policy filters "
                "the rows of a materialized view: drop it, or revoke the service's privileges on it."
            )
        elif not _is_invoker(document) and state["server_version_num"] < INVOKER_VERSION:
            found.append(
                f"View {name} reads with its owner's privileges, and only PostgreSQL 15 and newer can change that "
                "(security_invoker): drop the view and let the service read the tables, or upgrade PostgreSQL first."
            )
    return found


def plan(state: State, model: Model) -> list[Statement]:
    """Return the statements that make the views read with the privileges of the calling role."""
    return [
        statement(
            f"{view.name}.invoker", view.name, "view",
            f"ALTER VIEW {qualified(model.schema, view.name)} SET (security_invoker = true)",
            "Let views read with the privileges and the tenant of the calling role",
        )
        for view in model.views
        if (document := of_state(state, view)) is not None and not _is_invoker(document)
    ]  # fmt: skip


def rollback(back: Rollback) -> list[Statement]:
    """Return the statements that restore the original security_invoker option of each view."""
    return [
        statement(
            f"{view.name}.invoker.back", view.name, "view", _set(back.model, view, before),
            "Restore the original privileges that views read with",
        )
        for view in back.model.views
        if (before := of_state(back.snapshot, view)) is not None
        and (now := of_state(back.state, view)) is not None
        and now["security_invoker"] != before["security_invoker"]
    ]  # fmt: skip


def findings(state: State, model: Model) -> list[Finding]:
    """Return findings that show whether each view reads with the privileges of the calling role."""
    return [
        finding(
            f"view {view.name} reads with the caller's privileges", "", True,
            (document := of_state(state, view)) is not None and _is_invoker(document),
        )
        for view in model.views
    ]  # fmt: skip


def rollback_findings(back: Rollback) -> list[Finding]:
    """Return findings that show whether each view has its original security_invoker option."""
    return [
        finding(
            f"original security_invoker of view {view.name}",
            "",
            *((document or {}).get("security_invoker") for document in documents),
        )
        for view in back.model.views
        if (documents := (of_state(back.snapshot, view), of_state(back.state, view)))[0] is not None
    ]


def _set(model: Model, view: View, document: Document) -> str:
    before = document["security_invoker"]
    action = "RESET (security_invoker)" if before is None else f"SET (security_invoker = {before})"
    return f"ALTER VIEW {qualified(model.schema, view.name)} {action}"


# rollback_mode=policies keeps the option: without policies, a view shows the same rows with or without it.
CHANGE = Change(
    phases=frozenset({"view"}),
    obstacles=obstacles,
    plan=plan,
    findings=findings,
    rollback=rollback,
    rollback_findings=rollback_findings,
    audit_rules=frozenset({"view-definer"}),
)
