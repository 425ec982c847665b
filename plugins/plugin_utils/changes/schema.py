"""The rollback to the schema of a snapshot, which is the state document from before the migration.

The plan is the difference between the current state and the snapshot. Therefore the result is the same after a partial
migration, after rollback_mode=policies, and without the bridge. The rollback changes no rows.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from ...module_utils.errors import UnsafeStateError
from ..catalog import state as catalog
from ..model.model import Model
from . import snapshots
from .change import Rollback, missing
from .finding import Finding, by_table, finding, rows_unchanged
from .registry import CHANGES
from .statement import State, Statement

# Objects that depend on the tenant column are dropped before it, and a primary key is dropped before NOT NULL on its
# columns. The old keys are created after the new keys are dropped.
PHASES = (
    "policy", "force", "enable", "bridge", "function", "view", "default", "unlink", "key", "not_null", "build",
    "attach", "column", "link", "restore", "privilege", "comment",
)  # fmt: skip


def build(state: State, model: Model, snapshot: State, *, lone: bool = True) -> list[Statement]:
    """Return the statements that turn ``state`` into the schema of ``snapshot``, a state document from before the
    migration.

    Raises UnsafeStateError with all obstacles, such as other objects that use the tenant column. With ``lone``, rows of
    tenants other than the default tenant are also an obstacle.
    """
    is_old, snapshot = not snapshot.get("qualified"), snapshots.upgraded(snapshot, state, model)
    obstacles = _obstacles(state, model, snapshot, lone=lone)
    if obstacles:
        raise UnsafeStateError(obstacles)
    back = Rollback(state, model, snapshot)
    statements = [item for change in reversed(CHANGES) for item in change.rollback(back)]
    if is_old:
        statements = [snapshots.under_its_path(item, model) for item in statements]
    return sorted(statements, key=lambda item: PHASES.index(item["phase"]))


def findings(state: State, model: Model, snapshot: State, rows_before: Mapping[str, Any]) -> list[Finding]:
    """Return findings that show whether the schema of ``snapshot`` is restored, and whether all rows still exist.

    ``rows_before`` maps the name of a table to its number of rows before the rollback. It is empty if the service runs
    during the rollback, because the rows are then not counted. No finding reports objects that were created after the
    snapshot and do not use the tenant column, because the rollback keeps such objects.
    """
    snapshot = snapshots.upgraded(snapshot, state, model)
    back, found = Rollback(state, model, snapshot), []
    for table in model.tables:
        now, before = catalog.required(state, table.name), catalog.required(snapshot, table.name)
        found += [
            finding(f"original {part} that are missing", table.name, [], missing(before[part], now[part]))
            for part in ("columns", "triggers", "views")
        ]
        if rows_before:
            found.append(rows_unchanged(table.name, rows_before[table.name], now))
    found += [
        finding(f"original owner{item.where}", item.table.name, item.before["owner"], item.now["owner"])
        for item in back.known
    ]
    found += [item for change in CHANGES for item in change.rollback_findings(back)]
    return by_table(found, model)


def _obstacles(state: State, model: Model, snapshot: State, *, lone: bool) -> list[str]:
    if snapshot["database"] != state["database"]:
        return [
            f"The snapshot is of database {snapshot['database']}, not of {state['database']}: choose another snapshot."
        ]
    found = []
    foreign = catalog.other_tenants(state, model)
    # If the column existed before the migration, the old schema can also distinguish the rows of tenants.
    if foreign and lone and not model.adopted:
        counts = ", ".join(f"{name} {count}" for name, count in foreign.items())
        found.append(
            f"Rows of tenants other than {model.default_tenant} exist ({counts}), which the old schema cannot "
            "distinguish. Move or delete those rows first, or use rollback_mode=restore."
        )
    there = tuple(table for table in catalog.tables(state, model) if catalog.table(snapshot, table.name) is not None)
    found += [
        f"Table {model.schema}.{table.name} does not exist, now or in the snapshot."
        for table in model.tables
        if table not in there
    ]
    back = Rollback(state, dataclasses.replace(model, tables=there), snapshot)
    return found + [text for change in CHANGES for text in change.rollback_obstacles(back)]
