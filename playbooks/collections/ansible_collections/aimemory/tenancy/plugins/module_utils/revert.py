"""The plan backwards: what switches row security off again and keeps the columns and the rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import bridge
from . import state as catalog
from .errors import UnsafeStateError
from .finding import Finding, finding
from .model import Model, Table
from .quoting import identifier, qualified
from .statement import State, Statement, statement

# The constant default comes first, so that no moment exists in which an insert that names no tenant fails; row security
# goes before the policies, or the owner would see no row between.
PHASES = ("default", "force", "enable", "policy", "bridge")


def policies(state: State, model: Model) -> list[Statement]:
    """Return the statements of the guide's "Manual Rollback": row security off, columns and data kept.

    Raises UnsafeStateError while rows of another tenant exist: without row security every
    session would see them.
    """
    missing = [table.name for table in model.tables if catalog.table(state, table.name) is None]
    if missing:
        raise UnsafeStateError([f"Table {model.schema}.{name} does not exist." for name in missing])
    foreign = catalog.other_tenants(state, model)
    if foreign:
        counts = ", ".join(f"{name} {count}" for name, count in foreign.items())
        obstacle = (
            f"Rows of tenants other than {model.default_tenant} exist ({counts}): without row security "
            "every session would see them. Move or delete those rows first, or use rollback_mode=restore."
        )
        raise UnsafeStateError([obstacle])
    statements = [item for table in model.tables for item in _table(state, model, table)]
    statements += bridge.remove(state, model)
    return sorted(statements, key=lambda item: PHASES.index(item["phase"]))


def policies_findings(state: State, model: Model, rows_before: Mapping[str, int]) -> list[Finding]:
    """Return the findings after ``policies``: row security off, columns and rows kept."""
    found = [finding("bridge", "", None, bridge.value(state, model))]
    for item in model.tables:
        document = catalog.required(state, item.name)
        column = document["column"]
        own = [policy["name"] for policy in document["policies"] if policy["name"] == item.policy]
        found += [
            finding("RLS", item.name, False, document["rls"]["enabled"]),
            finding("FORCE", item.name, False, document["rls"]["forced"]),
            finding("tenant policies", item.name, [], own),
            finding("rows unchanged", item.name, rows_before[item.name], document["rows"]),
        ]
        if column is not None:
            found.append(finding("default", item.name, model.printed_default, column["default"]))
    return found


def _table(state: State, model: Model, table: Table) -> list[Statement]:
    target, column = qualified(model.schema, table.name), identifier(model.column)
    document: Any = catalog.required(state, table.name)
    planned = []
    now = document["column"]
    if now is not None and now["default"] != model.printed_default:
        before = f"SET DEFAULT {now['default']}" if now["default"] is not None else "DROP DEFAULT"
        planned.append(
            statement(
                f"{table.name}.default.constant", table.name, "default",
                f"ALTER TABLE {target} ALTER COLUMN {column} SET DEFAULT {model.default_constant}",
                f"Give a row that names no tenant to tenant {model.default_tenant} again",
                f"ALTER TABLE {target} ALTER COLUMN {column} {before}",
            )
        )  # fmt: skip
    if document["rls"]["forced"]:
        planned.append(
            statement(
                f"{table.name}.no_force", table.name, "force",
                f"ALTER TABLE {target} NO FORCE ROW LEVEL SECURITY",
                "Exempt the owner of the table again",
                f"ALTER TABLE {target} FORCE ROW LEVEL SECURITY",
            )
        )  # fmt: skip
    if document["rls"]["enabled"]:
        planned.append(
            statement(
                f"{table.name}.disable", table.name, "enable",
                f"ALTER TABLE {target} DISABLE ROW LEVEL SECURITY",
                "Switch row-level security off",
                f"ALTER TABLE {target} ENABLE ROW LEVEL SECURITY",
            )
        )  # fmt: skip
    planned += [
        statement(
            f"{table.name}.policy.drop.{policy['name']}", table.name, "policy",
            f"DROP POLICY {identifier(policy['name'])} ON {target}",
            "Remove the tenant policy",
            catalog.policy_sql(policy, target),
        )
        for policy in document["policies"]
        if policy["name"] == table.policy
    ]  # fmt: skip
    return planned
