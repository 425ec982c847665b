"""Find the tenant tables and the tenant column of a database that no model describes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from ...module_utils.errors import ModelError
from ..model.tenants import TENANT_TYPES
from . import bodies, columns, frameworks
from .catalog import Catalog, Document, Table

COLUMN, TYPE, SETTING = "tenant_id", "integer", "app.current_tenant"
FIRST_TENANT: dict[str, int | str] = {"uuid": "00000000-0000-4000-8000-000000000001", "text": "first"}


class Described:
    """The relations of a database, divided into tenant tables (``tables``, by title) and shared tables (``shared``)."""

    def __init__(self, document: Document, given: Mapping[str, Any] | None = None) -> None:
        """Read the result of the query in ``catalog``.

        ``given`` contains the variables of the model that are already decided.
        """
        self.given = {name: value for name, value in (given or {}).items() if value not in (None, "")}
        schema = self.given.get("schema")
        found = self.given.get("column") or _existing_column(Catalog(document, schema))
        self.column: str = found or COLUMN
        self.catalog = Catalog(document, schema, found)
        self.schema = self.catalog.schema
        self.functions: list[Document] = document["functions"]
        # The reason why each shared table is shared.
        self.shared = dict.fromkeys(self.given.get("readable", ()), "shared by all tenants")
        for title, table in self.catalog.tables.items():
            own = frameworks.owner(table.name, table.columns)
            if own is not None:
                self.shared[title] = f"{own.framework}: {own.holds}"
        candidates = {title: table for title, table in self.catalog.tables.items() if title not in self.shared}
        there = [table for table in candidates.values() if table.has_tenant]
        # A column that the migration creates has the session's tenant as its default. Any other column is adopted.
        self.adopted = bool(there) and not any(table.has_session_tenant for table in there)
        self.tenants_table = _tenants_table(self.catalog, there)
        self.tables = {
            title: table
            for title, table in candidates.items()
            if self.tenants_table is None or title != self.tenants_table["title"]
        }
        self.by_name = {table.name: table for table in self.tables.values()}
        self._triggered = {title: self._written_by_triggers(table) for title, table in self.tables.items()}

    def tenant_column(self) -> dict[str, Any]:
        """Return the tenant column as a dict with name, type, setting, tenant, tenant_name, tables and shared.

        ``tables`` is the number of tables that have the column. ``shared`` counts the tables for each other column that
        most tables have. Raises TenancyError for an unsupported type, or for an invalid default tenant.
        """
        there = [table.columns[self.column] for table in self.tables.values() if self.column in table.columns]
        types = [name for name, _ in Counter(item["type"] for item in there).most_common() if name in TENANT_TYPES]
        kind = self.given.get("column_type") or (types[0] if types else TYPE)
        if kind not in TENANT_TYPES:
            raise ModelError(f"tenancy_column_type must be one of {', '.join(TENANT_TYPES)}, not {kind!r}.")
        settings = [match[1] for item in there if (match := columns.SESSION.search(item["default"] or ""))]
        tenant = None if self.adopted else self.given.get("default_tenant", FIRST_TENANT.get(kind, 1))
        return {
            "name": self.column,
            "type": kind,
            "setting": self.given.get("setting") or (settings[0] if settings else SETTING),
            "tenant": None if tenant is None else TENANT_TYPES[kind].tenant(tenant),
            "tenant_name": self.given.get("default_tenant_name", "no tenant" if self.adopted else "the first tenant"),
            "tables": len(there),
            "shared": self._shared_columns(),
        }

    def _shared_columns(self) -> dict[str, int]:
        """Return the number of tables for each column, other than the tenant column, that most tables have."""
        found = Counter(
            name
            for table in self.tables.values()
            for name, item in table.columns.items()
            if item["type"] in (*TENANT_TYPES, "character varying")
            and not table.is_random(name)
            and name not in (self.column, "id", "name")
        )
        return {name: number for name, number in found.most_common() if 2 * number > len(self.tables) > 1}

    def triggered(self, title: str) -> Mapping[str, int]:
        """Return the tables into which a table's triggers insert rows, with the number of rows for each new row."""
        return self._triggered[title]

    def is_triggered(self, title: str) -> bool:
        """Return whether another table's triggers insert rows into this table."""
        return any(title in found for source, found in self._triggered.items() if source != title)

    def is_over_tenants(self, title: str) -> bool:
        """Return whether a view shows rows of tenants, or of relations that the operator must still decide about."""
        parts = {name for name, item in self.catalog.relations.items() if item["partition"]}
        held = (self.tables.keys() | parts | self.catalog.others().keys()) - self.shared.keys()
        return bool(self.catalog.below(title) & held)

    def _written_by_triggers(self, table: Table) -> dict[str, int]:
        texts: dict[str, str] = {}
        names: dict[int, str] = {}
        for item in self.functions:
            texts[item["name"]] = f"{texts.get(item['name'], '')}{body_of(item)}\n"
            names[item["id"]] = item["name"]
        triggers = [item for item in table.document["triggers"] if "insert" in item["events"]]
        left = [names[item["function"]] for item in triggers if item["function"] in names]
        found: dict[str, int] = {}
        seen: set[str] = set()
        while left:
            name = left.pop()
            seen.add(name)
            for statement in bodies.written(texts[name], self.schema):
                target = self.by_name.get(statement.table)
                if statement.command == "insert into" and target and target is not table:
                    # Perhaps only one of several INSERTs runs, as in IF and ELSE, so use the maximum, not the sum.
                    found[target.title] = max(found.get(target.title, 1), bodies.rows(texts[name], statement))
            left += sorted(bodies.calls(texts[name], texts) - seen)
        return found


def body_of(function: Document) -> str:
    """Return the body of a function. For an SQL-standard body, return the whole definition, which contains it."""
    return str(function["body"] or function["definition"])


def _tenants_table(catalog: Catalog, tables: Iterable[Table]) -> dict[str, str] | None:
    """Return title, name and key of the table that the tenant columns reference most often, or None."""
    found = Counter(reference for table in tables if (reference := table.tenant_reference()) is not None)
    if not found:
        return None
    title, key = found.most_common(1)[0][0]
    return {"title": title, "name": catalog.relations[title]["name"], "key": key}


def _existing_column(catalog: Catalog) -> str | None:
    """Return the column that most tables have and whose name or default suggests the tenant, or None."""
    tables = [table for table in catalog.tables.values() if frameworks.owner(table.name, table.columns) is None]
    shared = Counter(
        name
        for table in tables
        for name, item in table.columns.items()
        if item["type"] in TENANT_TYPES
        and (columns.TENANT.fullmatch(name) or columns.SESSION.search(item["default"] or ""))
        and (name,) not in table.unique_keys()
    )
    found = [name for name, number in shared.most_common() if 2 * number > len(tables)]
    return found[0] if found else None
