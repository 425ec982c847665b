"""The kinds of changes in order. Each kind has one file, and one line in this list."""

from __future__ import annotations

from . import (
    backfill,
    bridge,
    column,
    default,
    foreign_keys,
    functions,
    keys,
    policies,
    privileges,
    readers,
    row_security,
    tenants_table,
    views,
)
from .change import Change

# plan.py defines the order of the phases. The order of the kinds matters only within a phase.
CHANGES: tuple[Change, ...] = (
    column.CHANGE,
    backfill.CHANGE,
    keys.CHANGE,
    foreign_keys.CHANGE,
    functions.CHANGE,
    views.CHANGE,
    privileges.CHANGE,
    bridge.CHANGE,
    default.CHANGE,
    policies.CHANGE,
    readers.CHANGE,
    tenants_table.CHANGE,
    row_security.CHANGE,
)
