"""Views over tenant tables: made to work with the rights, and so the tenant, of whoever reads them.

A view reads with its owner's rights, and row security sees the owner. ``security_invoker`` came with PostgreSQL 15.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...module_utils.quoting import qualified
from ..model.model import Model, View
from .change import Change, Rollback, nothing
from .finding import Finding, finding
from .statement import State, Statement, statement

Document = Mapping[str, Any]

INVOKER_VERSION = 150000
# As PostgreSQL reads a boolean option: the beginning of a word is enough.
TRUE = ("t", "tr", "tru", "true", "on", "y", "ye", "yes", "1")


def of_state(state: State, view: View) -> Document | None:
    """Return the view's part of the state, or None where nothing has its name."""
    found: Document | None = state.get("views", {}).get(view.name)
    return found if found and found["exists"] else None


def _is_invoker(document: Document) -> bool:
    return str(document["security_invoker"]).lower() in TRUE


def obstacles(state: State, model: Model) -> list[str]:
    """Return what keeps the views from working with their reader's rights."""
    found = []
    for view in model.views:
        document, name = of_state(state, view), f"{model.schema}.{view.name}"
        if document is None:
            found.append(f"View {name} does not exist: correct tenancy_views or the database.")
        elif document["kind"] != "v":
            found.append(
                f"{name} is no view (kind {document['kind']!r}): take it out of tenancy_views. What a materialized "
                "view holds is filtered by no policy: drop it, or keep it from the service."
            )
        elif not _is_invoker(document) and state["server_version_num"] < INVOKER_VERSION:
            found.append(
                f"View {name} reads with its owner's rights, and only PostgreSQL 15 and newer can change that "
                "(security_invoker): drop it and let the service read the tables, or update PostgreSQL first."
            )
    return found


def plan(state: State, model: Model) -> list[Statement]:
    """Return the statements that make the views work with their reader's rights."""
    return [
        statement(
            f"{view.name}.invoker", view.name, "view",
            f"ALTER VIEW {qualified(model.schema, view.name)} SET (security_invoker = true)",
            "Let views work with the rights, and the tenant, of whoever reads them",
        )
        for view in model.views
        if (document := of_state(state, view)) is not None and not _is_invoker(document)
    ]  # fmt: skip


def rollback(back: Rollback) -> list[Statement]:
    """Return the statements that bring the option of each view back to what it was."""
    return [
        statement(
            f"{view.name}.invoker.back", view.name, "view", _set(back.model, view, before),
            "Bring the rights that views work with back to what they were",
        )
        for view in back.model.views
        if (before := of_state(back.snapshot, view)) is not None
        and (now := of_state(back.state, view)) is not None
        and now["security_invoker"] != before["security_invoker"]
    ]  # fmt: skip


def findings(state: State, model: Model) -> list[Finding]:
    """Return whether each view works with its reader's rights."""
    return [
        finding(
            f"view {view.name} works with its reader's rights", "", True,
            (document := of_state(state, view)) is not None and _is_invoker(document),
        )
        for view in model.views
    ]  # fmt: skip


def rollback_findings(back: Rollback) -> list[Finding]:
    """Return whether each view works with the rights that it worked with before."""
    return [
        finding(
            f"view {view.name} as before", "", *((document or {}).get("security_invoker") for document in documents)
        )
        for view in back.model.views
        if (documents := (of_state(back.snapshot, view), of_state(back.state, view)))[0] is not None
    ]


def _set(model: Model, view: View, document: Document) -> str:
    before = document["security_invoker"]
    action = "RESET (security_invoker)" if before is None else f"SET (security_invoker = {before})"
    return f"ALTER VIEW {qualified(model.schema, view.name)} {action}"


CHANGE = Change(
    phases=frozenset({"view"}),
    obstacles=obstacles,
    hazards=nothing,
    plan=plan,
    findings=findings,
    rollback=rollback,
    rollback_obstacles=nothing,
    rollback_findings=rollback_findings,
    # With the rights of its reader a view shows the same once no policy filters.
    row_security_off=nothing,
    row_security_off_findings=nothing,
    ended_errors=(),
    audit_rules=frozenset({"view-definer"}),
)
