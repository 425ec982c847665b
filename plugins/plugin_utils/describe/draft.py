"""Draft a model from the catalogs of a database that has no model.

The operator decides what the catalogs do not show. The draft already contains a choice for each decision, so it is
complete. None of these choices lets one tenant see another tenant's rows.
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
# Variables that the catalogs show only if the tenant column already exists.
UNDECIDED = ("column", "column_type", "default_tenant")


def build(document: Document, given: Mapping[str, Any] | None = None) -> Draft:
    """Return the draft: database, schema, column, undecided, adopted, tenants, and the lists named in PARTS.

    ``undecided`` lists the variables in UNDECIDED that the operator must decide. ``document`` is the result of the
    query in ``catalog``. ``given`` contains the earlier decisions: schema, column, column_type, setting,
    default_tenant, default_tenant_name and readable (titles of shared relations). Raises TenancyError if the database
    has no table, or if a given value is invalid.
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
    """Return the number of decisions that remain in a draft."""
    return (
        len(draft["undecided"])
        + bool(draft["tenants"])
        + sum(item["decision"] is not None for part in PARTS for item in draft[part])
    )
