"""Conversion of snapshots that earlier versions of this runbook made. Their definitions have another printed form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...module_utils.quoting import identifier
from ..catalog import state as catalog
from ..model.model import Model
from .statement import State, Statement

# The phases of a rollback whose SQL contains definitions from the snapshot.
QUOTING = ("function", "default", "build", "attach", "link", "restore")


def upgraded(snapshot: State, state: State, model: Model) -> State:
    """Return a snapshot whose definitions are comparable with those of ``state``.

    An earlier version of this runbook read the catalogs with the search path of the session. PostgreSQL therefore did
    not qualify names with the schema in that path. If a definition differs only in these schema names, the current form
    replaces it.
    """
    if snapshot.get("qualified"):
        return snapshot
    found: State = _upgraded(snapshot, state, model)
    return found


def _upgraded(before: Any, now: Any, model: Model) -> Any:
    if isinstance(before, str) and isinstance(now, str):
        return now if _plain(before, model) == _plain(now, model) else before
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        return {key: _upgraded(value, now.get(key), model) for key, value in before.items()}
    if isinstance(before, list) and isinstance(now, list):
        return [_upgraded(item, _counterpart(item, now, model), model) for item in before]
    return before


def _counterpart(item: Any, now: list[Any], model: Model) -> Any:
    def name(document: Any) -> Any:
        if isinstance(document, Mapping):
            # Functions with the same name differ in their argument types.
            types = [_plain(each, model) for each in document.get("types", [])]
            return document.get("name"), types, document.get("description") if document.get("name") is None else None
        return _plain(document, model) if isinstance(document, str) else document

    return next((other for other in now if name(other) == name(item)), None)


def _plain(text: str, model: Model) -> str:
    return catalog.without_schema(text, model.schema)


def under_its_path(item: Statement, model: Model) -> Statement:
    """Return a statement from an old snapshot with the search path that its unqualified names need.

    pg_catalog comes first in the path, so that PostgreSQL finds built-in names first. PostgreSQL still finds overloaded
    functions of the schema, because the explicit casts in printed expressions determine the argument types.
    """
    if item["phase"] not in QUOTING:
        return item
    path = f"SET LOCAL search_path = pg_catalog, {identifier(model.schema)}, pg_temp"
    sql = f"{path}; {item['sql'].rstrip(';')}; SET LOCAL search_path = pg_catalog, pg_temp"
    # SET LOCAL needs a transaction block, and CREATE INDEX CONCURRENTLY cannot run in one.
    return {**item, "sql": sql, "online": []}
