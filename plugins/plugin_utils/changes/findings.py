"""The findings of a migrated database, as the guide's verification prints them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..catalog import state as catalog
from ..model.model import Model
from .finding import Finding, by_table, finding, rows_unchanged
from .registry import CHANGES
from .statement import State


def collect(state: State, model: Model, rows_before: Mapping[str, Any] | None = None) -> list[Finding]:
    """Return the findings that compare ``state`` with the model.

    ``rows_before`` maps the name of a table to its row count before the migration, either in total or per tenant. If
    it is given, further findings show whether the row counts are unchanged.
    """
    found = [
        finding("table exists", table.name, True, False)
        for table in model.tables
        if catalog.table(state, table.name) is None
    ]
    found += [item for change in CHANGES for item in change.findings(state, model)]
    found += [
        rows_unchanged(name, count, catalog.table(state, name) or {}) for name, count in (rows_before or {}).items()
    ]
    return by_table([*found, *_of_role(state)], model)


def _of_role(state: State) -> list[Finding]:
    role = catalog.application_role(state)
    found = [finding("application role exists", "", True, role is not None)]
    if role is not None:
        found += [
            finding("application role obeys row security", "", True, not (role["superuser"] or role["bypassrls"])),
            finding("bypassing roles that the application role can become", "", [], role["bypassing_memberships"]),
        ]
    return found
