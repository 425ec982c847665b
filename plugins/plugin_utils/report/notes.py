"""What may stop the change, and what others notice of it: named before the question."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..catalog import state as catalog
from ..changes import hazards
from ..changes.statement import State
from ..model.model import Model
from ..proof import proof

Document = Mapping[str, Any]


def of_plan(state: State, model: Model) -> list[str]:
    """Return what may stop the change and what others notice of it, a sentence each."""
    found = state["hazards"]
    publications = {item["name"] for item in found["publications"]}
    return [
        *(
            f"The event trigger {item['name']} ({item['event']}{hazards.tags(item)}) runs {item['function']}() of "
            f"{item['owner']} at the statements of the plan and may stop them."
            for item in found["event_triggers"]
            if item["enabled"]
        ),
        *(
            f"Subscribers of the publication {name} need the column {model.column} before the migration, or their "
            "replication stops at the first row that comes with it."
            for name in sorted(publications)
            if any(item["name"] == name and item["columns"] is None and not _is_migrated(state, item, model)
                   for item in found["publications"])
        ),
        *(
            f"{item['command']} works on {item['schema']}.{item['table']} (pid {item['pid']}): the change waits for "
            "its end, or fails with the lock timeout."
            for item in found["building"]
        ),
        *(
            f"{item['schema']}.{item['name']} is unlogged: a crash of the server empties it, and standbys have no rows."
            for item in found["relations"]
            if item["persistence"] == "u"
        ),
        *(
            f"The disabled subscription {item['name']} leads into {item['schema']}.{item['table']}: it stores rows "
            "around row security once it is enabled."
            for item in found["subscriptions"]
            if not item["enabled"]
        ),
        *_adopted(state, model),
        *proof.gaps(state, model),
    ]  # fmt: skip


def _is_migrated(state: State, item: Document, model: Model) -> bool:
    return any(
        relation.document["column"] is not None
        for table in model.tables
        for relation in catalog.relations(state, model, table)
        if (relation.schema, relation.name) == (item["schema"], item["table"])
    )


def _adopted(state: State, model: Model) -> list[str]:
    """Name each column that is there already and holds no tenant but the default one: it may be so by accident."""
    return [
        f"{model.schema}.{table.name}.{model.column} is there already and holds "
        f"{model.default_tenant if document['column']['tenants'] else 'nothing'} in all {document['rows']} rows: it is "
        "taken for the tenant column. If it means something else, rename it first."
        for table in model.tables
        if (document := catalog.required(state, table.name))["column"] is not None
        and set(document["column"]["tenants"]) <= {str(model.default_tenant)}
        and not hazards.is_tied(document, model)
        and not (table.adopt or model.adopted)
    ]
