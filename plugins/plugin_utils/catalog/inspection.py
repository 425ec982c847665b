"""The queries that read the catalogs of a database, and the conversion of their rows to the state and the audit."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ...module_utils import backfill_login
from ..audit import audit
from ..changes import hazards
from ..model import model as models
from ..model.model import Model

HERE = Path(__file__).parent
# A PL/pgSQL block inspects the service's statements: one setting contains its input, and another its result.
INPUT = "SELECT set_config('tenancy_runbook.input', %(input)s, false)"
STATEMENTS = "SELECT current_setting('tenancy_runbook.statements')::json AS statements"

# Options of the actions that inspect a database.
OPTIONS: dict[str, Any] = {
    "model": {"type": "dict", "required": True},
    "readable": {"type": "list", "elements": "str", "required": True},
    "url_options": {"type": "str", "required": True},
}


def request(source: Mapping[str, Any], readable: Iterable[str]) -> dict[str, Any]:
    """Return the input of ``module_utils.inspection.database``: ``queries`` and ``values``.

    ``source`` is the input of ``models.parse``. ``readable`` contains the qualified names of other relations that every
    tenant may read.
    """
    model = models.parse(source)
    return {
        "queries": [
            {"name": "state", "sql": (HERE / "state.sql").read_text()},
            {"name": "audit", "sql": audit.query()},
            {"name": "hazards", "sql": (HERE / "hazards.sql").read_text()},
            {"name": "input", "sql": INPUT},
            {"name": "block", "sql": audit.statements_query()},
            {"name": "statements", "sql": STATEMENTS},
        ],
        "values": values(model, readable),
    }


def values(model: Model, readable: Iterable[str]) -> dict[str, Any]:
    """Return the named arguments of all queries."""
    tables = [table.name for table in model.tables]
    views, tenants = [view.name for view in model.views], model.tenants
    # The service can read these relations, and no rule for tenant tables applies to them.
    others = [*views, *([tenants.name] if tenants is not None else [])]
    natural_keys = hazards.natural_keys(model)
    document = {
        "schema": model.schema, "tables": tables, "column": model.column, "application_role": model.application_role,
        "replaced_role": model.replaced_role, "natural_keys": natural_keys,
    }  # fmt: skip
    return {
        "input": json.dumps(document),
        "schema": model.schema,
        "tables": json.dumps(tables),
        "views": json.dumps(views),
        "column": model.column,
        "setting": model.setting,
        "functions": json.dumps([function.name for function in model.functions]),
        "keys": json.dumps(hazards.keys(model)),
        "natural_keys": json.dumps(natural_keys),
        "backfill_role": backfill_login.role(model.database),
        "links": json.dumps(hazards.links(model)),
        "shared_keys": json.dumps(hazards.shared_keys(model)),
        "default_tenant": str(model.default_tenant or ""),
        "tenants": tenants.name if tenants is not None else "",
        "tenants_key": tenants.key if tenants is not None else "",
        "application_role": model.application_role,
        "readable": json.dumps([*readable, *(f"{model.schema}.{name}" for name in others)]),
    }


def read(rows: Mapping[str, Any], source: Mapping[str, Any], url_options: str) -> dict[str, Any]:
    """Return ``state``, the state document, and ``audit``, the entries of the audit.

    ``rows`` maps the name of each query to its rows. ``source`` is the input of ``models.parse``.
    ``url_options`` is the options parameter of DATABASE_URL.
    """
    state = {**rows["state"][0]["state"], **rows["hazards"][0]}
    facts = {**rows["audit"][0]["audit"], **rows["statements"][0]["statements"]}
    return {"state": state, "audit": audit.collect(facts, state, models.parse(source), url_options)}
