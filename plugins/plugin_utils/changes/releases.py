"""The original schema, updated with the changes of later releases of the application.

The first snapshot of a migration lacks the objects that later releases added, and still contains those that they
dropped. Each later run of migrate.yml also saves a snapshot. This later snapshot contains the objects of new releases
as they were before the run made them tenant-aware. If a release created a key with the tenant column, the rollback
restores the key without that column.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ...module_utils.quoting import derived_name
from ..catalog import state as catalog
from ..catalog import unique_keys
from ..catalog.state import Relation
from ..model.model import Model, Table
from . import foreign_keys, functions, indexes
from .change import Document, by_name
from .statement import State

# The migration does not change these parts, so the newest snapshot contains their original form.
UNCHANGED = ("checks", "owner", "triggers", "views")


def combined(snapshots: Sequence[State], model: Model) -> dict[str, Any]:
    """Return the original schema after all releases: the first of ``snapshots``, changed by each later one.

    The snapshots are state documents, the oldest first. At least one is required.
    """
    first, *later = snapshots
    found = dict(first)
    for now in later:
        # A snapshot of an earlier version of this runbook lacks fields that are compared here.
        if now.get("qualified"):
            found = _after(found, now, model)
    return found


def _after(before: State, now: State, model: Model) -> dict[str, Any]:
    tables = dict(before["tables"])
    for table in model.tables:
        if catalog.table(now, table.name) is None:
            continue
        document = catalog.required(now, table.name)
        if catalog.table(before, table.name) is not None:
            tables[table.name] = _table(tables[table.name], document, model, table)
        # The migration enables row security. If the snapshot already has it, the snapshot does not show the table's
        # original form.
        elif not document["rls"]["enabled"]:
            tables[table.name] = document
    return {
        **before,
        "tables": {name: _pointing(document, tables, model) for name, document in tables.items()},
        "functions": [*before["functions"], *_new_functions(before, now, model)],
        "views": now["views"] | before["views"],
    }


def _table(before: Document, now: Document, model: Model, table: Table) -> Document:
    relation = Relation(table, model.schema, table.name, now, is_partition=False)
    changed = {
        **_relation(before, model, relation),
        **{name: now[name] for name in UNCHANGED},
        "columns": [name for name in now["columns"] if name != model.column or name in before["columns"]],
        "attributes": [
            item for item in now["attributes"] if item["name"] != model.column or item["name"] in before["columns"]
        ],
    }
    there = {(part["schema"], part["name"]): part for part in now["partitions"]}
    if "partitions" in before:
        changed["partitions"] = [_partition(part, there, model, table) for part in before["partitions"]]
    return {**before, **changed}


def _partition(
    before: Document, there: Mapping[tuple[str, str], Document], model: Model, table: Table
) -> Document:  # fmt: skip
    now = there.get((before["schema"], before["name"]))
    if now is None:
        return before
    relation = Relation(table, before["schema"], before["name"], now, is_partition=True)
    return {**before, **_relation(before, model, relation)}


def _relation(before: Document, model: Model, relation: Relation) -> dict[str, Any]:
    """Return the keys, indexes and foreign keys of a table or partition, without those that the migration created."""
    now = relation.document
    ours = {index["name"] for index in indexes.of_migration(model, relation)}

    known = by_name(before["indexes"])
    created = {name for name in ours if name not in known and name in _created(model, relation)}
    released = [
        text
        for index in now["indexes"]
        if index["name"] in ours and index["name"] not in {*known, *created} and before["column"] is None
        for text in _of_release(index, model)
    ]
    kept = _merged(before["indexes"], now["indexes"], lambda index: index["name"] in ours)
    # An earlier version of this runbook gave new names to the keys that it replaced.
    renamed = [{*index["names"]} - {model.column} for index in now["indexes"] if index["name"] in created]
    there = by_name(now["indexes"])
    kept += [
        index for name, index in known.items() if name not in there and index["unique"] and {*index["names"]} in renamed
    ]
    links = _links(foreign_keys.of_table(before), foreign_keys.of_table(now), model)
    return {"indexes": [*kept, *released], "foreign_keys": links}


def _created(model: Model, relation: Relation) -> set[str]:
    """Return the names that the migration gives to the keys that it adds."""
    wanted = [(model.column, *key) for key in model.tenant_keys(relation.table)]
    return {derived_name(relation.name, *key, end) for key in wanted for end in ("key", "tenant_key")}


def _links(before: Sequence[Document], now: Sequence[Document], model: Model) -> list[Document]:
    """Return the foreign keys of ``now``. Each key that the migration replaced has its original form."""
    links = _merged(before, now, lambda key: model.column in key["columns"])
    # Of several equal foreign keys, the migration replaces one and drops the others.
    exchanged = [_meaning(key) for key in links if key in before]
    twins = [key for key in before if key not in links and _meaning(key) in exchanged]
    there = by_name([*links, *twins])
    return [*links, *twins, *(key for key in now if key["name"] not in there)]


def _meaning(key: Document) -> Any:
    return key["references"], sorted(zip(key["columns"], key["key"], strict=True))


def _merged(
    before: Sequence[Document], now: Sequence[Document], ours: Callable[[Document], bool]
) -> list[Document]:  # fmt: skip
    """Return the objects of ``now``, with each object of the migration (``ours``) replaced by the object of the same
    name in ``before``.

    An object of ``before`` whose name does not exist in ``now`` is omitted, because a release dropped it.
    """
    known, there = by_name(before), by_name(now)
    kept = [item for name, item in known.items() if name in there and ours(there[name])]
    return [*kept, *(item for item in now if not ours(item))]


def _of_release(index: Document, model: Model) -> list[Document]:
    """Return a list with the key that a release created, but without the tenant column.

    The list is empty if the index is not a key whose first column is the tenant column.
    """
    key = index["key"]
    front = re.compile(rf"\((?:{'|'.join(map(re.escape, catalog.printed(model.column)))})(?: WITH =)?, ")
    texts = {part: index[part] for part in ("definition", "constraint_definition") if index[part] is not None}
    if not unique_keys.is_key(index) or not all(map(front.search, texts.values())):
        return []
    plain: dict[str, Any] = {
        **index,
        **{part: front.sub("(", text, count=1) for part, text in texts.items()},
        "key": {**key, "elements": key["elements"][1:], "columns": [*_others(key["columns"], model)]},
        "names": index["names"][1:],
        "columns": index["columns"][1:],
        "descending": index["descending"][1:],
    }
    return [plain]


def _others(columns: Sequence[str], model: Model) -> list[str]:
    return [name for name in columns if name != model.column]


def _pointing(document: Document, tables: Mapping[str, Document], model: Model) -> Document:
    """Return a table with the tenant column removed from its foreign keys, unless both tables have that column."""
    keys = []
    for key in foreign_keys.of_table(document):
        target = key["references"]
        there = tables.get(target["table"]) if target["schema"] == model.schema else None
        has_both = document["column"] is not None and there is not None and there.get("column") is not None
        if model.column in key["columns"] and not has_both:
            key = {**key, "columns": _others(key["columns"], model), "key": _others(key["key"], model)}
        keys.append(key)
    return {**document, "foreign_keys": keys} if keys else document


def _new_functions(before: State, now: State, model: Model) -> list[Document]:
    """Return the functions of later releases. Functions with the body of the model are omitted, because the migration
    created them."""
    return [
        found
        for function in model.functions
        if catalog.function(before, function.name, function.identity) is None
        and (found := catalog.function(now, function.name, function.identity)) is not None
        and not functions.is_tenant_aware(now, function)
    ]
