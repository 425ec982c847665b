"""Input of the session test (``roles/tenancy/files/session_test.sql``)."""

from __future__ import annotations

from typing import Any

from . import state as catalog
from .model import Model
from .proof import synthetic_tenants
from .statement import State


def session_input(state: State, model: Model) -> dict[str, Any]:
    """Return what the session test reads: schema, role, setting, column, tenant, stranger and tables.

    Tables without the tenant column are left out: their findings say already that it is missing.
    """
    return {
        "schema": model.schema,
        "role": model.application_role,
        "setting": model.setting,
        "column": model.column,
        "tenant": str(model.default_tenant),
        "stranger": synthetic_tenants(state, model)[0],
        "tables": [
            item.name
            for item in model.tables
            if catalog.table(state, item.name) is not None and catalog.tenant_column(state, item.name) is not None
        ],
    }
