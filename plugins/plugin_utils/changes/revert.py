"""The rollback of rollback_mode=policies: it removes row security, and keeps the columns, the keys and the rows.

This rollback uses no snapshot, because its result is neither the original nor the migrated schema. Therefore each kind
of change defines its own statements for this rollback.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...module_utils.errors import UnsafeStateError
from ...module_utils.quoting import dollar_quoted, identifier, literal, qualified
from ..catalog import state as catalog
from ..model.model import Model
from .finding import Finding, by_table, rows_unchanged
from .registry import CHANGES
from .statement import State, Statement

# The constant default comes first, so that an INSERT without a tenant never fails. Row security is disabled before the
# policies are dropped, because without a policy the owner would see no rows.
PHASES = ("default", "force", "enable", "policy", "bridge")


def policies(state: State, model: Model, *, lone: bool = True) -> list[Statement]:
    """Return the statements of "Manual Rollback" in the guide, which disable row security and keep columns and data.

    Raises UnsafeStateError if a table is missing. With ``lone``, also raises it if tenants other than the default
    tenant have rows, which every session would see without row security.
    """
    missing = [table.name for table in model.tables if catalog.table(state, table.name) is None]
    if missing:
        raise UnsafeStateError([f"Table {model.schema}.{name} does not exist." for name in missing])
    foreign = catalog.other_tenants(state, model)
    if foreign and lone and not model.adopted:
        counts = ", ".join(f"{name} {count}" for name, count in foreign.items())
        obstacle = (
            f"Rows of tenants other than {model.default_tenant} exist ({counts}): without row security "
            "every session would see them. Move or delete those rows first, or use rollback_mode=restore."
        )
        raise UnsafeStateError([obstacle])
    statements = [item for change in CHANGES for item in change.row_security_off(state, model)]
    return sorted(statements, key=lambda item: PHASES.index(item["phase"]))


def refuse_other_tenants(state: State, model: Model) -> list[str]:
    """Return the SQL that raises an error if another tenant has rows, which may have been stored after the plan was
    made.

    Run the SQL after the tables are locked, before the first statement of ``policies`` or of ``schema.build``.
    """
    if model.adopted:
        return []
    column, default = identifier(model.column), model.default_constant
    queries = []
    for table in model.tables:
        if catalog.tenant_column(state, table.name) is None:
            continue
        problem = (
            f"Rows of tenants other than {model.default_tenant} were stored in {table.name} after this run made its "
            "plan. Run the playbook again: it lists these rows."
        )
        # Each of these conditions reads only the matching part of an index. A condition with <> or OR reads all of it.
        rows = f"EXISTS (SELECT FROM {qualified(model.schema, table.name)} WHERE {column}"
        found = f"{rows} < {default}) OR {rows} > {default})"
        block = f"BEGIN IF {found} THEN RAISE USING MESSAGE = {literal(problem)}; END IF; END"
        queries.append(f"DO {dollar_quoted(block)}")
    return queries


def policies_findings(state: State, model: Model, rows_before: Mapping[str, Any]) -> list[Finding]:
    """Return findings that show whether the statements of ``policies`` were applied, and whether all rows are kept.

    ``rows_before`` is empty if the service runs during the rollback, because the rows are then not counted.
    """
    found = [item for change in CHANGES for item in change.row_security_off_findings(state, model)]
    found += [
        rows_unchanged(table.name, rows_before[table.name], catalog.required(state, table.name))
        for table in model.tables
        if rows_before
    ]
    return by_table(found, model)
