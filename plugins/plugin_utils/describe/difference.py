"""Find the differences between a database and its model after a release of the application.

This module drafts a new model with the schema and the tenant column of the existing one, and compares the two models.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from . import text
from .catalog import Catalog, Document, Table
from .draft import Draft, build

Model = Mapping[str, Any]

# A difference has a sentence, the variable to change, the entry in the variable, the field of the entry, and the value
# to add. ``add`` is None if the operator must decide.
Difference = dict[str, Any]
KINDS = ("surrogate_keys", "natural_keys")


def differences(document: Document, source: Model) -> list[Difference]:
    """Return the differences between a database and its model, each with say, variable, entry, field and add.

    ``document`` is the result of the query in ``catalog``. ``source`` contains the ``tenancy_*`` variables without
    their prefix. New keys and foreign keys of a table are reported, but not new indexes or triggers.
    """
    draft = build(document, source)
    catalog = Catalog(document, source["schema"], source["column"])
    tables = {table.name: table for table in catalog.tables.values()}
    return [
        *_new_tables(draft, source, tables),
        *(item for entry in source["tables"] for item in _of_table(entry, draft, tables.get(entry["name"]))),
        *_relations(draft, source, catalog.relations),
        *_functions(draft, source),
    ]


def _difference(say: str, variable: str, entry: str = "", field: str = "", add: Any = None) -> Difference:
    return {"say": say, "variable": variable, "entry": entry, "field": field, "add": add}


def _new_tables(draft: Draft, source: Model, tables: Mapping[str, Table]) -> Iterator[Difference]:
    """Yield a difference for each table that is not in the model. A table comes after the tables that it references."""
    known = {entry["name"] for entry in source["tables"]} | {(source.get("tenants") or {}).get("table")}
    for item in draft["tables"]:
        name, entry = item["entry"]["name"], dict(item["entry"])
        if name in known or item["title"] in source.get("readable", ()):
            continue
        if tables[name].has_tenant:
            entry["adopt"] = True
        say = f"The table {item['title']} is new."
        if item["decision"]:
            say += f" {item['decision']}"
        yield _difference(say, "tenancy_tables", add=entry)


def _of_table(entry: Mapping[str, Any], draft: Draft, table: Table | None) -> Iterator[Difference]:
    """Yield the differences between a table and its entry in the model. ``table`` is None if it does not exist."""
    name = entry["name"]
    if table is None:
        yield _difference(f"The table {name} of the model does not exist: remove its entry.", "tenancy_tables", name)
        return
    described: Mapping[str, Any] = next(
        (item["entry"] for item in draft["tables"] if item["entry"]["name"] == name), {}
    )
    named = [set(key) for kind in KINDS for key in entry.get(kind, ())]
    for kind in KINDS:
        for key in described.get(kind, ()):
            if set(key) not in named:
                yield _difference(f"{name} has the unique key {_list(key)}.", "tenancy_tables", name, kind, key)
    pairs = [_pairs(key) for key in entry.get("foreign_keys", ())]
    for key in described.get("foreign_keys", ()):
        if _pairs(key) not in pairs:
            say = f"{name} has the foreign key {_list(key['columns'])} to {key['references']}."
            yield _difference(say, "tenancy_tables", name, "foreign_keys", key)
    yield from _gone(entry, described, table)


def _gone(entry: Mapping[str, Any], described: Mapping[str, Any], table: Table) -> Iterator[Difference]:
    """Yield a difference for each key, foreign key or column that the entry names but the table does not have."""
    name = entry["name"]
    there = [set(key) for key in table.unique_keys()]
    for kind in KINDS:
        for key in entry.get(kind, ()):
            if set(key) not in there:
                say = f"{name} has no unique key {_list(key)}: remove the key from {kind}."
                yield _difference(say, "tenancy_tables", name, kind)
    pairs = [_pairs(key) for key in described.get("foreign_keys", ())]
    for key in entry.get("foreign_keys", ()):
        if _pairs(key) not in pairs:
            say = (
                f"{name} has no foreign key {_list(key['columns'])} to {key['references']}: remove the key from"
                " foreign_keys."
            )
            yield _difference(say, "tenancy_tables", name, "foreign_keys")
    fields = {"indexes": _indexed(entry), "sample": [*entry.get("sample", {})]}
    fields["written_at"] = [entry["written_at"]] if entry.get("written_at") else []
    for field, columns in fields.items():
        for column in columns:
            if column not in table.columns:
                say = f"{name} has no column {column}: remove the column from {field}."
                yield _difference(say, "tenancy_tables", name, field)


def _indexed(entry: Mapping[str, Any]) -> list[str]:
    found = [column for index in entry.get("indexes", ()) for column in index]
    return list(dict.fromkeys(item["name"] if isinstance(item, Mapping) else item for item in found))


def _relations(draft: Draft, source: Model, relations: Mapping[str, Document]) -> Iterator[Difference]:
    """Yield a difference for each new view, new relation without tenants' rows, and missing relation of the model."""
    readable = source.get("readable", ())
    views = {view["name"] for view in source.get("views", ())}
    for item in draft["views"]:
        if item["entry"]["name"] not in views and item["title"] not in readable:
            yield _difference(f"The view {item['title']} is new.", "tenancy_views", add=item["entry"])
    for item in draft["readable"]:
        if item["title"] not in readable and not _is_in_model(item["title"], source):
            say = f"{item['title']} is new ({item['why']})." + (f" {item['decision']}" if item["decision"] else "")
            yield _difference(say, "tenancy_readable", add=item["title"])
    for view in views:
        if f"{source['schema']}.{view}" not in relations:
            yield _difference(f"The view {view} of the model does not exist: remove its entry.", "tenancy_views", view)
    for title in readable:
        if title not in relations:
            yield _difference(f"{title} does not exist: remove it from tenancy_readable.", "tenancy_readable", title)


def _is_in_model(title: str, source: Model) -> bool:
    names = [item["name"] for part in ("tables", "views") for item in source.get(part, ())]
    return title in [f"{source['schema']}.{name}" for name in names]


def _functions(draft: Draft, source: Model) -> Iterator[Difference]:
    """Yield a difference for each function outside the model that writes to tenant tables without the tenant."""
    known = {(item["name"], item["identity"]) for item in source.get("functions", ())}
    for item in draft["functions"]:
        entry = item["entry"]
        if (entry["name"], entry["identity"]) not in known:
            say = f"The function {item['title']} is new. {item['decision']}"
            yield _difference(say, "tenancy_functions", add=entry)
    # Report only the functions to change by hand. The audit reports relations that no policy filters.
    for item in draft["before"]:
        if item["function"]:
            yield _difference(f"{item['why']} {item['decision']}", "by hand")


def _pairs(key: Mapping[str, Any]) -> tuple[str, list[tuple[str, str]]]:
    return key["references"], sorted(zip(key["columns"], key["key"], strict=True))


def _list(columns: Sequence[str]) -> str:
    return f"({', '.join(columns)})"


def lines(found: Sequence[Difference]) -> list[str]:
    """Return lines for the operator: a comment about each difference, followed by the lines to add to the model."""
    shown: list[str] = []
    for item in found:
        shown += text.comment(item["say"])
        if item["add"] is None:
            continue
        if item["field"]:
            shown += [f"# in the entry {item['entry']} of {item['variable']}, under {item['field']}:"]
            shown.append(f"      - {text.flow(item['add'])}")
        elif isinstance(item["add"], str):
            shown += [f"{item['variable']}:", f"  - {text.flow(item['add'])}"]
        else:
            shown += [f"{item['variable']}:", *text.item(item["add"])]
    return shown
