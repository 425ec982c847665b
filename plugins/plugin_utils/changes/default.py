"""The default of the tenant column, which gives a row without a tenant the session's tenant."""

from __future__ import annotations

from ...module_utils.quoting import identifier
from ..catalog import definitions
from ..catalog import state as catalog
from ..model.model import Model
from .change import Change, Ended, Rollback, relations
from .finding import Finding, finding
from .statement import State, Statement, statement


def plan(state: State, model: Model) -> list[Statement]:
    """Return the statements that make the session's tenant the default of the column."""
    column, planned = identifier(model.column), []
    for relation in relations(state, model):
        # If the column is new, the partitions inherit the default of the table. A partition with an existing column may
        # have another default.
        is_new = catalog.tenant_column(state, relation.table.name) is None
        now, target = relation.document["column"], relation.target if is_new else relation.alone
        if is_new and relation.is_partition:
            continue
        if now is not None and catalog.is_session_default(now["default"], model):
            continue
        planned.append(
            statement(
                f"{relation.table.name}.default{relation.suffix}", relation.table.name, "default",
                f"ALTER TABLE {target} ALTER COLUMN {column} SET DEFAULT {model.session_tenant}",
                "Give a row without a tenant the session's tenant, or reject the row if the session has none",
            )
        )  # fmt: skip
    return planned


def findings(state: State, model: Model) -> list[Finding]:
    """Return findings that show whether the default is the session's tenant in each table and partition."""
    found = []
    for table in catalog.tables(state, model):
        column = catalog.tenant_column(state, table.name)
        if column is not None:
            is_session = catalog.is_session_default(column["default"], model)
            found.append(finding("default is the session's tenant", table.name, True, is_session))
        parts = catalog.partitions(state, table)
        lacking = [
            part.name
            for part in parts
            if not catalog.is_session_default((part.document["column"] or {}).get("default"), model)
        ]
        found += (
            [finding("partitions without the session's tenant as default", table.name, [], lacking)] if parts else []
        )
    return found


def rollback(back: Rollback) -> list[Statement]:
    """Return the statements that restore the original default, unless the column is dropped."""
    column, planned = identifier(back.model.column), []
    for item in back.relations:
        now, before = item.now["column"], item.before["column"]
        if now is None or before is None or now["default"] == before["default"]:
            continue
        action = "DROP DEFAULT" if before["default"] is None else f"SET DEFAULT {before['default']}"
        sql = f"ALTER TABLE {item.relation.alone} ALTER COLUMN {column} {action}"
        reason = f"Restore the original default of {back.model.column}"
        planned.append(item.statement("default", "default", sql, reason))
    return planned


def rollback_obstacles(back: Rollback) -> list[str]:
    """Return an obstacle for each type that would run an ordinary role's code when the default is restored."""
    found = []
    for item in back.relations:
        now, before = item.now["column"], item.before["column"]
        if now is not None and before is not None and now["default"] != before["default"]:
            what = f"The default of {item.title}.{back.model.column}"
            found += definitions.literals(back.state, what, [before["default"]], back.path)
    return found


def row_security_off(state: State, model: Model) -> list[Statement]:
    """Return the statements that make the default tenant the default of the column. Without a default tenant, the
    session's tenant remains the default."""
    if model.adopted:
        return []
    column, planned = identifier(model.column), []
    for relation in relations(state, model):
        now = relation.document["column"]
        if now is None or now["default"] == model.printed_default:
            continue
        planned.append(
            statement(
                f"{relation.table.name}.default.constant{relation.suffix}", relation.table.name, "default",
                f"ALTER TABLE {relation.alone} ALTER COLUMN {column} SET DEFAULT {model.default_constant}",
                f"Assign rows without a tenant to tenant {model.default_tenant} again",
            )
        )  # fmt: skip
    return planned


def row_security_off_findings(state: State, model: Model) -> list[Finding]:
    """Return findings that show whether the default of the column is the default tenant."""
    if model.adopted:
        return []
    found = []
    for relation in relations(state, model):
        column = relation.document["column"]
        if column is not None:
            found.append(
                finding(f"default{relation.where}", relation.table.name, model.printed_default, column["default"])
            )
    return found


# The rollback's finding about the column also covers its default.
CHANGE = Change(
    phases=frozenset({"default"}),
    plan=plan,
    findings=findings,
    rollback=rollback,
    rollback_obstacles=rollback_obstacles,
    row_security_off=row_security_off,
    row_security_off_findings=row_security_off_findings,
    ended_errors=(Ended("default", ("23502",), "{column}"),),
)
