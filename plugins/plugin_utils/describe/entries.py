"""Draft the entries of ``tenancy_tables``, ``tenancy_readable`` and ``tenancy_views``.

An entry may have a decision: a sentence about what the operator must decide.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ...module_utils.messages import visible
from . import bodies, columns, frameworks, order
from .catalog import Table
from .described import Described, body_of

# Matches the body of a trigger function that only raises an error. ERRCODE matches the SQLSTATE in this body.
RAISING = re.compile(
    r"begin\s+raise\s+(?!notice|info|log|warning|debug)[^;]*;(\s*return\s+\w+\s*;)?\s*end\s*;?", re.IGNORECASE
)
ERRCODE = re.compile(r"(?:errcode\s*=\s*'|sqlstate\s*'|raise\s+(?!sqlstate\b))(\w+)", re.IGNORECASE)
SQLSTATE_LENGTH = 5
# The names of errors that such triggers often raise (PostgreSQL manual, appendix A).
CONDITIONS = {
    "raise_exception": "P0001", "restrict_violation": "23001", "integrity_constraint_violation": "23000",
    "check_violation": "23514", "foreign_key_violation": "23503", "insufficient_privilege": "42501",
    "feature_not_supported": "0A000", "object_not_in_prerequisite_state": "55000", "data_exception": "22000",
    "read_only_sql_transaction": "25006", "invalid_parameter_value": "22023", "triggered_action_exception": "09000",
    "modifying_sql_data_not_permitted": "38002", "prohibited_sql_statement_attempted": "38003",
    "triggered_data_change_violation": "27000", "with_check_option_violation": "44000",
}  # fmt: skip
# A table with at most this number of columns, apart from its generated key, may be a list that all tenants share.
FEW_COLUMNS = 3


def tables(described: Described) -> list[dict[str, Any]]:
    """Return title, entry and decision of each tenant table. A table comes after the tables that it references."""
    links, nullable = {}, set()
    for title, table in described.tables.items():
        keys = [key for key in table.foreign_keys() if key["references"] in described.tables]
        links[title] = {key["references"] for key in keys}
        nullable |= {
            (title, key["references"])
            for key in keys
            if not all(table.columns[name]["not_null"] for name in key["columns"])
        }
    return [
        {"title": title, "entry": _entry(described, title), "decision": _decision(described, title)}
        for title in order.referenced_first(links, nullable)
    ]


def _entry(described: Described, title: str) -> dict[str, Any]:
    table = described.tables[title]
    surrogate, natural = keys(table)
    foreign_keys = _foreign_keys(described, table)
    found: dict[str, Any] = {
        "name": table.name,
        "written_at": columns.written_at(table.columns),
        "surrogate_keys": surrogate,
        "natural_keys": natural,
        "foreign_keys": foreign_keys,
        "tenant_from": _tenant_from(described, table, foreign_keys),
        "indexes": _indexes(table, natural),
        "sample_writes": sorted(
            described.tables[other].name for other, rows in described.triggered(title).items() for _ in range(rows)
        ),
        "append_only": _append_only(described, table),
    }
    return {name: value for name, value in found.items() if value}


def keys(table: Table) -> tuple[list[list[str]], list[list[str]]]:
    """Return the surrogate and the natural keys of a table.

    A surrogate key has a column whose default is different in each row. A key with a foreign key column is natural,
    because the values of that column have a meaning.
    """
    pointing = table.pointing()
    surrogate: list[list[str]] = []
    natural: list[list[str]] = []
    for key in table.unique_keys():
        is_random = any(table.is_random(name) for name in key) and pointing.isdisjoint(key)
        (surrogate if is_random else natural).append(list(key))
    return surrogate, natural


def _foreign_keys(described: Described, table: Table) -> list[dict[str, Any]]:
    found = []
    for item in table.foreign_keys():
        target = described.tables.get(item["references"])
        if target is None:
            continue
        # On both sides, use the column order of the referenced key.
        pairs = dict(zip(item["key"], item["columns"], strict=True))
        key = next((list(key) for key in target.unique_keys() if set(key) == set(pairs)), item["key"])
        entry = {"columns": [pairs[name] for name in key], "references": target.name, "key": key}
        if entry not in found:
            found.append(entry)
    return found


def _tenant_from(described: Described, table: Table, foreign_keys: Sequence[dict[str, Any]]) -> list[str] | None:
    """Return the columns of the foreign key from which rows take their tenant, or None.

    Only a table that lacks the adopted tenant column needs this foreign key.
    """
    if not described.adopted or table.has_tenant:
        return None
    return next((key["columns"] for key in foreign_keys if _leads(described, table, key, {table.name})), None)


def _leads(described: Described, table: Table, key: Mapping[str, Any], seen: set[str]) -> bool:
    """Return whether the foreign key always leads to a row with a tenant, directly or through other foreign keys."""
    target = described.by_name[key["references"]]
    if target.name in seen or not all(table.columns[name]["not_null"] for name in key["columns"]):
        return False
    return target.has_tenant or any(
        _leads(described, target, other, seen | {target.name}) for other in _foreign_keys(described, target)
    )


def _indexes(table: Table, natural: Sequence[Sequence[str]]) -> list[list[Any]]:
    """Return the indexes to build with the tenant column.

    Indexes that start with a foreign key column are omitted, as are those that a natural key replaces.
    """
    found: list[list[Any]] = []
    pointing = table.pointing()
    for index in table.indexes():
        names = [name for name, _ in index]
        if names[0] in pointing or any(list(key[: len(names)]) == names for key in natural):
            continue
        entry = [{"name": name, "order": "desc"} if descends else name for name, descends in index]
        if entry not in found:
            found.append(entry)
    return found


def _append_only(described: Described, table: Table) -> list[Any]:
    """Return the commands (update, delete) that a table's triggers forbid by raising an error."""
    functions = {item["id"]: item for item in described.functions}
    found: dict[str, Any] = {}
    for trigger in table.document["triggers"]:
        function = functions.get(trigger["function"])
        body = body_of(function).strip() if function else ""
        if RAISING.fullmatch(body):
            code = _sqlstate(body)
            for command in ("update", "delete"):
                if command in trigger["events"]:
                    found[command] = {"command": command, "sqlstate": code} if code else command
    return list(found.values())


def _sqlstate(body: str) -> str | None:
    """Return the SQLSTATE that a body raises, or None. The body may contain a code or the name of an error."""
    named = [name.lower() for name in ERRCODE.findall(body)]
    found = [CONDITIONS.get(name, name.upper()) for name in named if name in CONDITIONS or len(name) == SQLSTATE_LENGTH]
    return found[-1] if found else None


def _decision(described: Described, title: str) -> str | None:
    """Return the sentences about what the operator must decide for a table, or None."""
    table = described.tables[title]
    found = [_shared(described, title, table), *_chosen(table), *_upserts(described, table)]
    return " ".join(text for text in found if text is not None) or None


def _chosen(table: Table) -> list[str]:
    """Return a decision for each uuid key that the application may generate at random."""
    return [
        f"The key ({visible(key[0])}) is a uuid without a default. If the application generates it at random, move the"
        " key to surrogate_keys. Later releases can then add foreign keys that reference it."
        for key in keys(table)[1]
        if len(key) == 1 and table.columns[key[0]]["type"] == "uuid" and key[0] not in table.pointing()
    ]


def _upserts(described: Described, table: Table) -> list[str]:
    """Return a decision for each ON CONFLICT in the service's statements that names the columns of a natural key.

    The migration adds the tenant column to this key.
    """
    natural = {frozenset(key) for key in keys(table)[1]}
    return [
        f"The service stores rows with ON CONFLICT ({visible(item['columns'])}), which matches no key after the"
        " migration. First, deploy a release that uses ON CONFLICT ON CONSTRAINT."
        for item in described.catalog.document["upserts"]
        if bodies.names(item["relation"], ".") in ((table.name,), (described.schema, table.name))
        and frozenset(bodies.names(item["columns"], ",")) in natural
    ]


def _shared(described: Described, title: str, table: Table) -> str | None:
    """Return why the operator must decide whether a table is a tenant table or shared, or None."""
    way = f"The draft makes it a tenant table. If it is shared, move {visible(title)} to tenancy_readable."
    if frameworks.is_session(table.name, table.columns):
        return (
            "The table contains sessions or a cache. The service finds a row by its key, often before it knows the"
            f" tenant. {way}"
        )
    if table.has_tenant:
        return None
    pointed = {
        other.name
        for other in described.tables.values()
        if other is not table and any(key["references"] == title for key in other.foreign_keys())
    }
    if described.adopted and _tenant_from(described, table, _foreign_keys(described, table)) is None:
        lacking = f"The table lacks {visible(described.column)}, and no NOT NULL foreign key leads to a tenant."
        return f"{lacking} {way}"
    if not pointed and not table.foreign_keys() and not described.is_triggered(title):
        return f"No foreign key shows which tenant a row belongs to. {way}"
    own = [name for name in table.columns if not table.is_random(name)]
    is_list = len(own) <= FEW_COLUMNS and columns.written_at(table.columns) is None
    if pointed and not table.foreign_keys() and is_list:
        users = visible(", ".join(sorted(pointed)))
        return f"The table may be a list that all tenants share. Tables that reference it: {users}. {way}"
    return None


def readable(described: Described) -> list[dict[str, Any]]:
    """Return the relations other than tenant tables that the service can read.

    Each has title, why, decision and ``commented``, which is true if the operator must still decide about the relation.
    """
    found: list[dict[str, Any]] = [
        {"title": title, "why": why, "decision": None, "commented": False} for title, why in described.shared.items()
    ]
    for title, item in described.catalog.others().items():
        if title in described.shared:
            continue
        where = "a foreign table" if item["kind"] == "f" else f"a table outside the schema {described.schema}"
        decision = (
            "No policy protects this table. Revoke the service's privileges on it, or list it here so that every "
            "tenant can read it."
        )
        found.append({"title": title, "why": where, "decision": decision, "commented": True})
    return found + [
        {"title": title, "why": "a view of shared tables", "decision": None, "commented": False}
        for title, item in described.catalog.views().items()
        if item["kind"] == "v" and title not in described.shared and not described.is_over_tenants(title)
    ]


def views(described: Described) -> list[dict[str, Any]]:
    """Return title, entry and decision of each view over tenant tables in the model's schema."""
    return [
        {"title": title, "entry": {"name": item["name"], "sample_rows": 1}, "decision": None}
        for title, item in described.catalog.views().items()
        if item["kind"] == "v" and item["schema"] == described.schema and described.is_over_tenants(title)
    ]
