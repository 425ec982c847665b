"""Input of the session test (``roles/tenancy/files/session_test.sql``)."""

from __future__ import annotations

from typing import Any

from . import state as catalog
from .model import Model
from .statement import State

# A tenant that nobody has: the largest number that fits every type the tenant column may have.
STRANGER = 32767


def session_input(state: State, model: Model) -> dict[str, Any]:
    """Return what the session test reads: schema, role, setting, tenant, stranger and the default tenant's rows.

    Tables without the tenant column are left out: their findings say already that it is missing.
    """
    rows = {}
    for item in model.tables:
        document = catalog.table(state, item.name)
        if document is not None and document["column"] is not None:
            rows[item.name] = document["column"]["tenants"].get(str(model.default_tenant), 0)
    return {
        "schema": model.schema,
        "role": model.application_role,
        "setting": model.setting,
        "tenant": str(model.default_tenant),
        "stranger": str(STRANGER),
        "rows": rows,
    }
