"""Row security on the tenant tables, their partitions and the tenants table.

The plan enables row security, and forces it, so that it also applies to the owner of the table.
"""

from __future__ import annotations

from ..catalog import state as catalog
from ..catalog.state import Relation
from ..model.model import Model
from .change import Change, Rollback, guarded_relations
from .finding import Finding, finding
from .statement import State, Statement, statement

PARTS = ("enabled", "forced")
# The keywords of ALTER TABLE for each property and its value.
ACTIONS = {
    ("enabled", True): "ENABLE", ("enabled", False): "DISABLE", ("forced", True): "FORCE", ("forced", False): "NO FORCE"
}  # fmt: skip
PHASES = {"enabled": "enable", "forced": "force"}


def _switch(relation: Relation, part: str, value: bool, identity: str, reason: str) -> Statement:
    sql = f"ALTER TABLE {relation.target} {ACTIONS[part, value]} ROW LEVEL SECURITY"
    table = relation.table.name
    return statement(f"{table}.{identity}{relation.suffix}", table, PHASES[part], sql, reason)


def plan(state: State, model: Model) -> list[Statement]:
    """Return the statements that enable and force row security."""
    words = {
        "enabled": ("enable", "Enable row-level security"),
        "forced": ("force", "Apply row-level security to the owner of the table as well (FORCE)"),
    }
    return [
        _switch(relation, part, True, *words[part])
        for relation in guarded_relations(state, model)
        for part in PARTS
        if not relation.document["rls"][part]
    ]


def findings(state: State, model: Model) -> list[Finding]:
    """Return findings that show whether row security is enabled and forced on each table and partition."""
    found = []
    for table in catalog.tables(state, model):
        rls = catalog.required(state, table.name)["rls"]
        found += [
            finding("RLS", table.name, True, rls["enabled"]),
            finding("FORCE", table.name, True, rls["forced"]),
        ]
        parts = catalog.partitions(state, table)
        lacking = [part.name for part in parts if not all(part.document["rls"][name] for name in PARTS)]
        found += [finding("partitions without row security", table.name, [], lacking)] if parts else []
    return found


def rollback(back: Rollback) -> list[Statement]:
    """Return the statements that restore the original row security."""
    return [
        _switch(item.relation, part, item.before["rls"][part], part, "Restore the original row-level security")
        for item in back.relations
        for part in reversed(PARTS)
        if item.now["rls"][part] != item.before["rls"][part]
    ]


def rollback_findings(back: Rollback) -> list[Finding]:
    """Return findings that show whether row security is in its original state."""
    return [
        finding(f"original row security{item.where}", item.table.name, item.before["rls"], item.now["rls"])
        for item in back.known
    ]


def row_security_off(state: State, model: Model) -> list[Statement]:
    """Return the statements that disable row security."""
    words = {
        "forced": ("no_force", "Exempt the owner of the table from row-level security again"),
        "enabled": ("disable", "Disable row-level security"),
    }
    return [
        _switch(relation, part, False, *words[part])
        for relation in guarded_relations(state, model)
        for part in reversed(PARTS)
        if relation.document["rls"][part]
    ]


def row_security_off_findings(state: State, model: Model) -> list[Finding]:
    """Return findings that show whether row security is off."""
    found = []
    for relation in guarded_relations(state, model):
        rls, where = relation.document["rls"], relation.where
        found += [
            finding(f"RLS{where}", relation.table.name, False, rls["enabled"]),
            finding(f"FORCE{where}", relation.table.name, False, rls["forced"]),
        ]
    return found


CHANGE = Change(
    phases=frozenset(PHASES.values()),
    plan=plan,
    findings=findings,
    rollback=rollback,
    rollback_findings=rollback_findings,
    row_security_off=row_security_off,
    row_security_off_findings=row_security_off_findings,
)
