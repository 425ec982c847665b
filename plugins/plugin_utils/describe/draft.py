"""A draft of the model, from the catalogs of a database that the model does not know.

A decision is what the catalogs cannot tell. The draft holds a choice for each, so that it is complete as it is; what
lets one tenant see another's rows is never chosen.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from ...module_utils.messages import visible
from ..model.tenants import TENANT_TYPES
from . import bodies, frameworks, order
from .catalog import Catalog, Document, Table

Draft = dict[str, Any]

COLUMN, TYPE, SETTING = "tenant_id", "integer", "app.current_tenant"
# The first part of a column's name that says whose a row is.
TENANT_NAME = re.compile(
    "(tenant|organi[sz]ation|org|account|company|customer|client|workspace|team|site|shop|store|agency|firm)(_?(id|uuid))?",
    re.IGNORECASE,
)
# A default of such a column by which it is the session's tenant already.
SESSION = re.compile(r"current_setting\('([^']+)'")
# Names of the column that tells when a row was written, the best first.
WRITTEN = tuple(
    re.compile(pattern)
    for pattern in (
        "(last_)?(updated|modified|changed|written)(_(at|on|time))?|(update|modification)_(date|time)",
        "(created|inserted|added|date_added|date_joined)(_(at|on|time))?|(creation|insert)_(date|time)",
        "(recorded|measured|logged|occurred|happened|submitted|posted)(_(at|on|time))?",
    )
)
FIRST_TENANT: Mapping[str, int | str] = {
    "uuid": "00000000-0000-4000-8000-000000000001", "text": "first",
}  # fmt: skip
RAISING = re.compile(r"begin\s+raise\s+(?:exception|sqlstate)\b[^;]*;(\s*return\s+\w+\s*;)?\s*end\s*;?", re.IGNORECASE)
ERRCODE = re.compile(r"errcode\s*=\s*'(\w{5})'|sqlstate\s+'(\w{5})'", re.IGNORECASE)


def build(document: Document, schema: str | None = None, column: str | None = None) -> Draft:
    """Return the draft: the values of the model's variables, why each decision is left, and what is done by hand.

    ``document`` is what the query of ``catalog`` returns; ``schema`` and ``column`` are a model's, if there is one.
    """
    found = column or _existing_column(Catalog(document, schema))
    catalog = Catalog(document, schema, found)
    described = _Described(catalog, found or COLUMN)
    tables = described.entries()
    # The column, its type, the default tenant.
    return {
        "database": document["database"],
        "schema": catalog.schema,
        "column": described.tenant_column(),
        "tables": tables,
        "readable": described.readable(),
        "views": described.views(),
        "functions": described.functions(),
        "before": described.by_hand(),
    }


def decisions(draft: Draft) -> int:
    """Return how many decisions a draft leaves: three are the tenant column, its type and the default tenant."""
    parts = ("tables", "readable", "views", "functions", "before")
    return 3 + sum(item["decision"] is not None for part in parts for item in draft[part])


def _existing_column(catalog: Catalog) -> str | None:
    """Return the column that most tables share and whose name says whose a row is, or whose default does."""
    tables = [table for table in catalog.tables.values() if catalog.framework(table) is None]
    shared = Counter(
        name
        for table in tables
        for name, item in table.columns.items()
        if item["type"] in TENANT_TYPES
        and (TENANT_NAME.fullmatch(name) or SESSION.search(item["default"] or ""))
        and (name,) not in table.keys()
    )
    found = [name for name, tables_of in shared.most_common() if 2 * tables_of > len(tables)]
    return found[0] if found else None


class _Described:
    """What the parts of the draft are made of."""

    def __init__(self, catalog: Catalog, column: str) -> None:
        """Tell tenant tables from others."""
        self.catalog, self.column = catalog, column
        self.routines = {item["id"]: item for item in catalog.document["functions"]}
        self.frameworks = {
            title: own
            for title, table in catalog.tables.items()
            if (own := catalog.framework(table)) is not None
        }  # fmt: skip
        self.sessions = {
            title for title, table in catalog.tables.items() if frameworks.is_session(table.name, table.columns)
        }
        self.tenants = {
            title: table
            for title, table in catalog.tables.items()
            if title not in self.frameworks and title not in self.sessions
        }
        self.by_name = {table.name: table for table in self.tenants.values()}
        self.triggered = {title: self._written_by_triggers(table) for title, table in self.tenants.items()}

    def tenant_column(self) -> dict[str, Any]:
        """Return the tenant column: its name, type and setting, how many tables have it, and what else may be it."""
        of_type = Counter(
            table.columns[self.column]["type"] for table in self.tenants.values() if self.column in table.columns
        )
        known = [name for name, _ in of_type.most_common() if name in TENANT_TYPES]
        defaults = (
            table.columns.get(self.column, {}).get("default") or "" for table in self.tenants.values()
        )
        setting = next((match[1] for default in defaults if (match := SESSION.search(default))), SETTING)
        kind = known[0] if known else TYPE
        return {
            "name": self.column, "type": kind, "setting": setting, "tables": sum(of_type.values()),
            "tenant": FIRST_TENANT.get(kind, 1), "shared": self._shared(),
        }  # fmt: skip

    def _shared(self) -> dict[str, int]:
        """Return the other columns that most tables have, with their number: one of them may be the tenant's."""
        found = Counter(
            name
            for table in self.tenants.values()
            for name, item in table.columns.items()
            if item["type"].removesuffix("()") in (*TENANT_TYPES, "character varying") and not table.is_random(name)
            and name not in (self.column, "id", "name")
        )
        return {name: number for name, number in found.most_common() if 2 * number > len(self.tenants) > 1}

    def entries(self) -> list[dict[str, Any]]:
        """Return the entries of ``tenancy_tables`` in the order of their foreign keys, each with its decision."""
        links = {
            title: {key["references"] for key in table.foreign_keys()} & self.tenants.keys()
            for title, table in self.tenants.items()
        }
        nullable = {
            (title, key["references"])
            for title, table in self.tenants.items()
            for key in table.foreign_keys()
            if not all(table.columns[name]["not_null"] for name in key["columns"])
        }
        return [
            {"title": title, "entry": self._entry(self.tenants[title]), **self._judged(title)}
            for title in order.referenced_first(links, nullable)
        ]

    def _entry(self, table: Table) -> dict[str, Any]:
        surrogate, natural = self._keys(table)
        found: dict[str, Any] = {
            "name": table.name,
            "written_at": written_at(table),
            "surrogate_keys": surrogate,
            "natural_keys": natural,
            "foreign_keys": self._foreign_keys(table),
            "indexes": _indexes(table, natural),
            "sample_writes": sorted(
                self.tenants[title].name for title in self.triggered[table.title] if title != table.title
            ),
            "append_only": self._append_only(table),
        }
        return {name: value for name, value in found.items() if value}

    def _keys(self, table: Table) -> tuple[list[list[str]], list[list[str]]]:
        """Return surrogate and natural keys: what holds a foreign key's column has no meaning without it."""
        pointing = table.pointing()
        surrogate, natural = [], []
        for key in table.keys():
            random = any(table.is_random(name) for name in key) and pointing.isdisjoint(key)
            (surrogate if random else natural).append(list(key))
        return surrogate, natural

    def _foreign_keys(self, table: Table) -> list[dict[str, Any]]:
        found = []
        for item in table.foreign_keys():
            target = self.tenants.get(item["references"])
            if target is None:
                continue
            # Both sides in the order of the key that they point to.
            pairs = dict(zip(item["key"], item["columns"], strict=True))
            key = next((list(key) for key in target.keys() if set(key) == set(pairs)), item["key"])
            entry = {"columns": [pairs[name] for name in key], "references": target.name, "key": key}
            if entry not in found:
                found.append(entry)
        return found

    def _append_only(self, table: Table) -> list[Any]:
        """Return what a trigger forbids that does nothing but raise."""
        found: dict[str, Any] = {}
        for trigger in table.document["triggers"]:
            body = self.routines.get(trigger["function"], {}).get("body", "").strip()
            if RAISING.fullmatch(body):
                code = ERRCODE.search(body)
                raised = code and (code[1] or code[2])
                for event in sorted(set(trigger["events"]) & {"update", "delete"}, reverse=True):
                    found[event] = {"command": event, "sqlstate": raised} if raised else event
        return list(found.values())

    def _judged(self, title: str) -> dict[str, Any]:
        """Return the decision whether a table is the tenants' or shared."""
        table = self.tenants[title]
        out = {key["references"] for key in table.foreign_keys()} - {title}
        pointed = {
            other for other, item in self.tenants.items() for key in item.foreign_keys() if key["references"] == title
        } - {title}
        decision = None
        if not out and not pointed and not self._is_written_by_trigger(title):
            decision = "No foreign key says whose its rows are."
        elif not table.foreign_keys() and pointed and written_at(table) is None and not table.has_tenant and _is_small(table):
            names = ", ".join(sorted(self.tenants[other].name for other in pointed))
            decision = f"It points to nothing and {visible(names)} to it, as to a list that all tenants share."
        return {"decision": decision}

    def _is_written_by_trigger(self, title: str) -> bool:
        return any(title in found for source, found in self.triggered.items() if source != title)

    def _written_by_triggers(self, table: Table) -> set[str]:
        """Return the tables into which the table's triggers insert rows when a row is inserted."""
        found: set[str] = set()
        names: dict[str, str] = {}
        for item in self.catalog.document["functions"]:
            names[item["name"]] = names.get(item["name"], "") + source(item) + "\n"
        called = [item["function"] for item in table.document["triggers"] if "insert" in item["events"]]
        left = [self.routines[function]["name"] for function in called if function in self.routines]
        seen: set[str] = set()
        while left:
            name = left.pop()
            seen.add(name)
            for statement in bodies.written(names[name], self.catalog.schema):
                if statement.command == "insert into" and statement.table in self.by_name:
                    target = self.by_name[statement.table]
                    if not (statement.upserts and _is_one_to_one(target)):
                        found.add(target.title)
            left += [other for other in sorted(bodies.calls(names[name], names)) if other not in seen]
        return found - {table.title}

    def readable(self) -> list[dict[str, Any]]:
        """Return the relations that hold no tenant's rows, or of which somebody must say so (``commented``)."""
        found = [
            {
                "title": title, "commented": False, "decision": None,
                "why": f"{own.framework}: {own.holds}",
            }
            for title, own in self.frameworks.items()
        ] + [
            {
                "title": title, "commented": False, "why": "sessions or a cache",
                "decision": "Its rows are found by a key, often before there is a tenant: shared, or the tenants'"
                " (an entry of tenancy_tables).",
            }
            for title in sorted(self.sessions)
        ]  # fmt: skip
        for title, item in self.catalog.others().items():
            why = "a foreign table" if item["kind"] == "f" else f"in another schema than {self.catalog.schema}"
            found.append({
                "title": title, "commented": True, "why": why,
                "decision": "No policy protects it: keep it from the service, or let everybody read it here.",
            })  # fmt: skip
        found += [
            {"title": title, "commented": False, "decision": None, "why": "a view of shared tables"}
            for title, item in self.catalog.views().items()
            if item["kind"] == "v" and not self.catalog.below(title) & self._held()
        ]
        return found

    def _held(self) -> set[str]:
        """Return the titles of tenant tables and of their partitions."""
        parts = {title for title, item in self.catalog.relations.items() if item["partition"]}
        return self.tenants.keys() | parts | self.catalog.others().keys()

    def views(self) -> list[dict[str, Any]]:
        """Return the entries of ``tenancy_views``."""
        return [
            {"title": title, "entry": {"name": item["name"], "sample_rows": 1}, "decision": None}
            for title, item in self.catalog.views().items()
            if item["kind"] == "v" and item["schema"] == self.catalog.schema
            and self.catalog.below(title) & self._held()
        ]  # fmt: skip

    def _writers(self) -> list[tuple[Document, list[bodies.Written]]]:
        """Return the functions that write tenant tables and do not name the tenant, with the statements."""
        found = []
        for item in self.catalog.document["functions"]:
            body = source(item)
            statements = [
                entry for entry in bodies.written(body, self.catalog.schema) if entry.table in self.by_name
            ]
            if statements and not bodies.names_column(body, self.column):
                found.append((item, statements))
        return found

    def functions(self) -> list[dict[str, Any]]:
        """Return the entries of ``tenancy_functions``, with the tenant in the statements that could be changed."""
        keys = {table.name: [tuple(key) for key in self._keys(table)[1]] for table in self.tenants.values()}
        column = self.tenant_column()
        session = TENANT_TYPES[column["type"]].session(column["setting"])
        found = []
        for item, _ in self._writers():
            if not _can_be_replaced(item, self.catalog.schema):
                continue
            tenant = self._row_tenant(item) or session
            proposed = bodies.with_tenant(item["body"], self.catalog.schema, keys, self.column, tenant)
            entry = {name: item[name] for name in ("name", "arguments", "identity", "returns")}
            entry["body"] = proposed.body
            what = "It wrote without the tenant; the body below names it. Read it."
            if proposed.left:
                what = "It writes without the tenant. Name the tenant in: " + " / ".join(map(visible, proposed.left))
            found.append({"title": f"{item['name']}({item['identity']})", "entry": entry, "decision": what})
        return found

    def _row_tenant(self, function: Document) -> str | None:
        """Return the row's tenant, for a trigger function that always has one: of no table but the tenants'."""
        if not function["trigger"]:
            return None
        events: set[str] = set()
        for title, table in self.catalog.tables.items():
            for trigger in table.document["triggers"]:
                if trigger["function"] == function["id"]:
                    if title not in self.tenants:
                        return None
                    events |= set(trigger["events"]) if trigger["row"] else {"statement"}
        column = self.column if bodies.PLAIN.fullmatch(self.column) else f'"{self.column}"'
        if events == {"delete"}:
            return f"OLD.{column}"
        return f"NEW.{column}" if events and events <= {"insert", "update"} else None

    def by_hand(self) -> list[dict[str, Any]]:
        """Return what the migration does not do by itself: why, the SQL, and the decision."""
        return [*self._extensions(), *self._functions_by_hand(), *self._relations_by_hand()]

    def _extensions(self) -> list[dict[str, Any]]:
        """Return the extension that GiST needs for the tenant column of an exclusion."""
        excluded = [name for table in self.tenants.values() for name in table.gist_exclusions()]
        if not excluded or "btree_gist" in self.catalog.document["extensions"]:
            return []
        why = f"{', '.join(excluded)} will hold the tenant column, which GiST compares with this extension alone."
        return [{"why": why, "decision": None, "sql": "CREATE EXTENSION btree_gist;", "commented": False}]

    def _functions_by_hand(self) -> list[dict[str, Any]]:
        found = []
        for item, statements in self._writers():
            if _can_be_replaced(item, self.catalog.schema):
                continue
            body = source(item)
            lines = [bodies.line(body, entry.start) for entry in statements]
            kind = "procedure" if item["kind"] == "p" else "function"
            found.append({
                "why": f"The {kind} {item['schema']}.{item['name']}({item['identity']}) in the language"
                f" {item['language']} writes tenant tables without the tenant: {' / '.join(lines)}",
                "decision": "Name the tenant in these statements.",
                "sql": item["definition"].rstrip() + ";",
                "commented": True,
            })  # fmt: skip
        return found

    def _relations_by_hand(self) -> list[dict[str, Any]]:
        found = []
        for title, item in self.catalog.relations.items():
            name = f"{bodies.quoted(item['schema'])}.{bodies.quoted(item['name'])}"
            if item["kind"] == "m" and self.catalog.below(title) & self._held():
                found.append(_hand(
                    f"The materialized view {title} holds the rows of every tenant, and no policy filters them.",
                    "Drop it, or keep it from the service: an owner reads it whatever is revoked.",
                    f"DROP MATERIALIZED VIEW {name};",
                ))  # fmt: skip
            elif item["kind"] == "v" and item["schema"] != self.catalog.schema and (
                self.catalog.below(title) & self._held()
            ):
                found.append(_hand(
                    f"The view {title} shows tenant tables from another schema, with its owner's rights.",
                    f"Move it to {self.catalog.schema} and name it in tenancy_views, or drop it.",
                    f"ALTER VIEW {name} SET SCHEMA {bodies.quoted(self.catalog.schema)};",
                ))  # fmt: skip
            if title in self.tenants:
                found += [
                    _hand(
                        f"The table {title} inherits from {parent} and is no partition: a policy of {parent} does not"
                        " apply to it.",
                        "End the inheritance; both are tenant tables then.",
                        f"ALTER TABLE {name} NO INHERIT {'.'.join(map(bodies.quoted, parent.split('.', 1)))};",
                    )
                    for parent in item["inherits"]
                ] + [
                    _hand(
                        f"The rewrite rule {rule} of {title} runs with the rights of the table's owner.",
                        "Drop it, and use a trigger.",
                        f"DROP RULE {bodies.quoted(rule)} ON {name};",
                    )
                    for rule in item["rules"]
                ]
        return found


def source(function: Document) -> str:
    """Return the body of a function; one of the SQL standard's form stands in its definition alone."""
    return str(function["body"] or function["definition"])


def written_at(table: Table) -> str | None:
    """Return the column that tells when a row was written, or None."""
    times = {
        name: item for name, item in table.columns.items() if item["type"].startswith("timestamp") and not item["generated"]
    }
    for pattern in WRITTEN:
        for name in times:
            if pattern.fullmatch(name):
                return name
    # One that is always there, at best by itself.
    certain = [name for name, item in times.items() if item["not_null"]]
    by_itself = [name for name in certain if times[name]["default"]]
    return next(iter([*by_itself, *certain]), None)


def _is_one_to_one(table: Table) -> bool:
    """Say whether a key of the table is a foreign key's: its sample meets whatever is written for the same row."""
    return any(table.pointing() >= set(key) for key in table.keys())


def _indexes(table: Table, natural: Sequence[Sequence[str]]) -> list[list[Any]]:
    """Return its indexes to have per tenant: neither a foreign key's, nor one that a natural key serves."""
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


def _is_small(table: Table) -> bool:
    """Say whether a table looks like a list: a name, and little else."""
    return len([name for name in table.columns if not table.is_random(name)]) <= 3


def _can_be_replaced(function: Document, schema: str) -> bool:
    return function["schema"] == schema and function["kind"] == "f" and function["language"] == "plpgsql"


def _hand(why: str, decision: str, sql: str) -> dict[str, Any]:
    return {"why": why, "decision": decision, "sql": sql, "commented": True}




