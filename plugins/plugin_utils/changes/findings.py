"""The findings of a migrated database, as the guide's verification prints them."""

from __future__ import annotations

from collections.abc import Mapping

from ..catalog import state as catalog
from ..model.model import Model, Table
from . import bridge, foreign_keys, functions, views
from .finding import Finding, finding
from .statement import State


def collect(state: State, model: Model, rows_before: Mapping[str, int] | None = None) -> list[Finding]:
    """Return the findings for ``state``: what the model says, beside what the catalogs say.

    ``rows_before`` maps a table's name to its rows before the migration; given, the counts must be equal.
    """
    found = [item for table in model.tables for item in _table(state, model, table)]
    if rows_before is not None:
        found += [
            finding("rows unchanged", name, count, (catalog.table(state, name) or {}).get("rows"))
            for name, count in rows_before.items()
        ]
    wanted = len(model.tables)
    created = sum(
        any(catalog.is_wanted_policy(policy, model, table) for policy in document["policies"])
        for table in model.tables
        if (document := catalog.table(state, table.name)) is not None
    )
    found.append(finding("RLS policies created", "", f"{wanted}/{wanted}", f"{created}/{wanted}"))
    found += [
        finding(
            f"function {function.name}({function.identity}) is tenant-aware", "", True,
            functions.is_tenant_aware(state, function),
        )
        for function in model.functions
    ]  # fmt: skip
    role = catalog.application_role(state)
    found.append(finding("application role exists", "", True, role is not None))
    if role is not None:
        found.append(
            finding("application role obeys row security", "", True, not (role["superuser"] or role["bypassrls"]))
        )
        found.append(finding("roles it could become to bypass it", "", [], role["bypassing_memberships"]))
    return found + views.findings(state, model) + bridge.findings(state, model)


def _table(state: State, model: Model, table: Table) -> list[Finding]:
    document = catalog.table(state, table.name)
    if document is None:
        return [finding("table exists", table.name, True, False)]
    column = document["column"]
    found = [finding(model.column, table.name, True, column is not None)]
    if column is not None:
        found += [
            finding("type", table.name, model.column_type, column["type"]),
            finding("NOT NULL", table.name, True, column["not_null"]),
            finding("NULLs", table.name, 0, column["nulls"]),
            finding(
                "default is the session's tenant", table.name, True,
                catalog.is_session_default(column["default"], model),
            ),
        ]  # fmt: skip
    found += [
        finding("RLS", table.name, True, document["rls"]["enabled"]),
        finding("FORCE", table.name, True, document["rls"]["forced"]),
        finding(
            "permissive policies", table.name, [table.policy],
            [policy["name"] for policy in document["policies"] if policy["permissive"]],
        ),
        finding(
            "policy is the model's", table.name, True,
            any(catalog.is_wanted_policy(policy, model, table) for policy in document["policies"]),
        ),
        finding("privileges that pass row security by", table.name, [], document["excess_privileges"]),
    ]  # fmt: skip
    for key in model.tenant_keys(table):
        present = catalog.unique_key(document, (model.column, *key))
        found.append(finding(f"key ({', '.join((model.column, *key))})", table.name, True, present is not None))
    for key in table.natural_keys:
        remains = [index["name"] for index in document["indexes"] if index["unique"] and tuple(index["names"]) == key]
        found.append(finding(f"global key ({', '.join(key)}) left", table.name, [], remains))
    found += foreign_keys.findings(state, model, table)
    found += [
        finding(
            f"index ({', '.join([model.column, *(item.name for item in index)])})", table.name, True,
            catalog.has_index(
                document, [(model.column, False), *((item.name, item.descending) for item in index)]
            ),
        )
        for index in table.indexes
    ]  # fmt: skip
    found += _partitions(state, model, table)
    found.append(finding("invalid indexes", table.name, [], [i["name"] for i in document["indexes"] if not i["valid"]]))
    return found


def _partitions(state: State, model: Model, table: Table) -> list[Finding]:
    """Return whether whoever reads a partition by its name is held as whoever reads the table is."""
    parts = catalog.partitions(state, model, table)
    if not parts:
        return []
    lacking = {
        "row security": [
            part.name for part in parts if not (part.document["rls"]["enabled"] and part.document["rls"]["forced"])
        ],
        "the model's policy alone": [
            part.name
            for part in parts
            if [
                catalog.is_wanted_policy(policy, model, table)
                for policy in part.document["policies"]
                if policy["permissive"]
            ]
            != [True]
        ],
        "the session's tenant as default": [
            part.name
            for part in parts
            if not catalog.is_session_default((part.document["column"] or {}).get("default"), model)
        ],
        "valid indexes": [part.name for part in parts if not all(i["valid"] for i in part.document["indexes"])],
    }
    passing = [f"{privilege} on {part.name}" for part in parts for privilege in part.document["excess_privileges"]]
    return [
        *(finding(f"partitions without {what}", table.name, [], names) for what, names in lacking.items()),
        finding("privileges on partitions that pass row security by", table.name, [], passing),
    ]
