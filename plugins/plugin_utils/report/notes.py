"""Write notes for the confirmation prompt: obstacles to the change, and effects on other roles and systems."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..catalog import state as catalog
from ..catalog import unique_keys
from ..changes import hazards, readers
from ..changes.statement import State
from ..model.model import Model
from ..proof import proof

Document = Mapping[str, Any]


def of_plan(state: State, model: Model) -> list[str]:
    """Return a sentence for each fact that may stop the change, and for each of its effects on others."""
    found = state["hazards"]
    publications = {item["name"] for item in found["publications"]}
    return [
        *(
            f"The event trigger {item['name']} ({item['event']}{hazards.tags(item)}) runs {item['function']}() of "
            f"{item['owner']} for the statements of the plan and may reject them."
            for item in found["event_triggers"]
            if item["enabled"]
        ),
        *(
            f"Subscribers of the publication {name} need the column {model.column} before the migration, or their "
            "replication stops at the first row with that column."
            for name in sorted(publications)
            if any(item["name"] == name and item["columns"] is None and not _is_migrated(state, item, model)
                   for item in found["publications"])
        ),
        *(
            f"{item['command']} is running on {item['schema']}.{item['table']} (pid {item['pid']}): the change waits "
            "for the end of this command, or fails when its lock timeout expires."
            for item in found["building"]
        ),
        *(
            f"{item['schema']}.{item['name']} is unlogged: a crash of the server truncates it, and standbys do not "
            "contain its rows."
            for item in found["relations"]
            if item["persistence"] == "u"
        ),
        *(
            f"The disabled subscription {item['name']} writes to {item['schema']}.{item['table']}: if it "
            "is enabled, its rows bypass row security."
            for item in found["subscriptions"]
            if not item["enabled"]
        ),
        *readers.notes(state, model),
        *_upserts(state, model),
        *_adopted(state, model),
        *hazards.uncompared(state, model),
        *proof.gaps(state, model),
    ]  # fmt: skip


def _is_migrated(state: State, item: Document, model: Model) -> bool:
    return any(
        relation.document["column"] is not None
        for table in model.tables
        for relation in catalog.relations(state, model, table)
        if (relation.schema, relation.name) == (item["schema"], item["table"])
    )


def _upserts(state: State, model: Model) -> list[str]:
    """Return a list with a note about the keys that the service's INSERTs may name.

    The list is empty if the database records statements, because the audit then reads them, or if no key changes.
    """
    if state["hazards"]["records_statements"]:
        return []
    exchanged = [
        f"{table.name} ({', '.join(index['columns'])})"
        for table in model.tables
        for index in catalog.required(state, table.name)["indexes"]
        if unique_keys.is_global(index, model, table)
    ]
    if not exchanged:
        return []
    sentence = (
        "After the change, an INSERT … ON CONFLICT (columns) of the service fails if it names one of these keys, which "
        f"then contain {model.column}: {', '.join(exchanged)}. Without pg_stat_statements, the audit reads only "
        "functions and the last statement of each session. Also search the service's code."
    )
    return [sentence]


def _adopted(state: State, model: Model) -> list[str]:
    """Return a note for each existing tenant column that contains no value except the default tenant.

    The column may have another meaning and contain this value by coincidence.
    """
    return [
        f"{model.schema}.{table.name}.{model.column} already exists and contains "
        f"{model.default_tenant if document['column']['tenants'] else 'nothing'} in all {document['rows']} rows: the "
        "plan uses it as the tenant column. If it has another meaning, rename it first."
        for table in model.tables
        if (document := catalog.required(state, table.name))["column"] is not None
        and set(document["column"]["tenants"]) <= {str(model.default_tenant)}
        and not hazards.is_tied(document, model)
        and not (table.adopt or model.adopted)
    ]
