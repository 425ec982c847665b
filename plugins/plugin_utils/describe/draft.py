"""A draft of the model, from the catalogs of a database that the model does not know.

The catalogs cannot answer some questions: these are decisions. The draft makes a choice for each, so it is complete.
A choice never lets one tenant see another's rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import code, entries
from .catalog import Document
from .described import Described

Draft = dict[str, Any]

# Lists of items, each of which may need a decision.
PARTS = ("tables", "readable", "views", "functions", "before")
# Variables that the catalogs do not contain, unless the tenant column exists.
UNDECIDED = ("column", "column_type", "default_tenant")


def build(document: Document, given: Mapping[str, Any] | None = None) -> Draft:
    """Return the draft: database, schema, column, undecided (of UNDECIDED), adopted, tenants, and the lists of PARTS.

    ``document`` is the result of the query of ``catalog``. ``given`` holds the decisions made before:
    schema, column, column_type, setting, default_tenant, default_tenant_name and readable (titles of shared relations).
    Raises TenancyError if there is no table, or if a given value is invalid.
    """
    described = Described(document, given)
    column = described.tenant_column()
    told = {*described.given} | ({"column_type"} if column["tables"] else set())
    told |= {"default_tenant"} if described.adopted else set()
    return {
        "database": document["database"],
        "undecided": [name for name in UNDECIDED if name not in told],
        "adopted": described.adopted,
        "tenants": described.tenants_table,
        "schema": described.schema,
        "column": column,
        "tables": entries.tables(described),
        "readable": entries.readable(described),
        "views": entries.views(described),
        "functions": code.functions(described),
        "before": code.by_hand(described),
    }


def decisions(draft: Draft) -> int:
    """Return the number of decisions that a draft leaves."""
    return (
        len(draft["undecided"])
        + bool(draft["tenants"])
        + sum(item["decision"] is not None for part in PARTS for item in draft[part])
    )
