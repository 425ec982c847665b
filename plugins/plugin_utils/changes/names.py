"""The names that a plan creates. If another object already has one of these names, the plan is refused.

A plan drops objects that an interrupted run left, for example an invalid index. Any other object with such a name was
created for another purpose, and PostgreSQL would reject the statement that creates the name again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ...module_utils.quoting import identifier, qualified
from ..catalog import state as catalog
from ..catalog.state import Relation
from ..model.model import Model
from .statement import State, Statement

# A name that a statement creates: its kind, its schema, and further fields that depend on the kind.
Made = Mapping[str, Any]

# The values of pg_class.relkind. In addition, "type" stands for a type without a relation.
KINDS = {
    "r": "a table", "p": "a partitioned table", "i": "an index", "I": "an index", "S": "a sequence", "v": "a view",
    "m": "a materialized view", "c": "a composite type", "f": "a foreign table", "t": "a TOAST table",
    "type": "a type",
}  # fmt: skip
RESULT = "boolean"


def words(columns: Sequence[str], earlier: Iterable[Sequence[str]]) -> tuple[str, ...]:
    """Return columns as the parts of a name. If a list in ``earlier`` results in the same name, add a number."""
    twins = sum("_".join(other) == "_".join(columns) for other in earlier)
    return (*columns, *([str(twins + 1)] if twins else []))


def index(relation: Relation, name: str) -> Made:
    """Return the name of the index that CREATE INDEX creates."""
    return {"kind": "index", "schema": relation.schema, "table": relation.name, "name": name}


def key(relation: Relation, name: str, taken: str, gone: Sequence[str]) -> Made:
    """Return the name of a new key. ``taken`` is the name of the index that the key uses. ``gone`` contains the names
    of the keys that are dropped first."""
    free = name == taken or name in gone
    kind = "constraint" if free else "key"
    return {"kind": kind, "schema": relation.schema, "table": relation.name, "name": name, "gone": list(gone)}


def check(relation: Relation, name: str) -> Made:
    """Return the name of the CHECK constraint that ADD CONSTRAINT creates."""
    return {"kind": "constraint", "schema": relation.schema, "table": relation.name, "name": name, "gone": []}


def policy(relation: Relation, name: str) -> Made:
    """Return the name of the policy that CREATE POLICY creates."""
    return {"kind": "policy", "schema": relation.schema, "table": relation.name, "name": name}


def sequence(schema: str, name: str) -> Made:
    """Return the name of the sequence that CREATE SEQUENCE creates."""
    return {"kind": "sequence", "schema": schema, "name": name}


def function(schema: str, name: str, types: Sequence[str]) -> Made:
    """Return the name and the argument types of the function that CREATE OR REPLACE FUNCTION creates."""
    return {"kind": "function", "schema": schema, "name": name, "types": list(types)}


def obstacles(state: State, model: Model, statements: Iterable[Statement]) -> list[str]:
    """Return one sentence, with a remedy, for each name in ``statements`` that another object already has."""
    relations = {
        (relation.schema, relation.name): relation
        for table in catalog.tables(state, model)
        for relation in catalog.relations(state, model, table)
    }
    return [text for item in statements for made in item["makes"] for text in _taken(state, relations, made)]


def _taken(state: State, relations: Mapping[tuple[str, str], Relation], made: Made) -> list[str]:
    kind, schema, name = made["kind"], made["schema"], made["name"]
    if kind == "function":
        return _function(state, schema, name, made["types"])
    if kind == "sequence":
        return _relation(state, relations, made, None)
    own = relations[schema, made["table"]]
    if kind == "policy":
        return _policy(own, name)
    if kind == "index":
        return _relation(state, relations, made, own)
    if kind == "constraint":
        return _constraint(state, own, name, made["gone"])
    if kind == "key":
        return _constraint(state, own, name, made["gone"]) + _relation(state, relations, made, own)
    raise KeyError(kind)


def _relation(
    state: State, relations: Mapping[tuple[str, str], Relation], made: Made, own: Relation | None
) -> list[str]:
    schema, name, makes = made["schema"], made["name"], made["kind"]
    found = [
        KINDS.get(item["kind"], "something else") + (f" of {item['table']}" if item["table"] else "")
        for item in state["hazards"]["names"]
        if (item["schema"], item["name"]) == (schema, name) and (item["kind"] != "type" or makes == "sequence")
    ]
    found += ["a tenant table"] if (schema, name) in relations else []
    for relation in relations.values():
        there = catalog.index_named(relation.document, name) if relation.schema == schema else None
        if there is None:
            continue
        # If an index of the same table has this name and no constraint, the plan drops the index.
        if relation is not own or makes != "index" or there["constraint"] is not None:
            found.append(f"an index of {relation.name}")
    article = "an index" if makes == "index" else f"a {makes}"
    return [
        f"{schema}.{name} already exists ({what}), and the plan creates {article} with this name: rename or drop it "
        "first."
        for what in found
    ]


def _constraint(state: State, relation: Relation, name: str, gone: Sequence[str]) -> list[str]:
    there = {
        item["name"]
        for item in state["hazards"]["constraints"]
        if (item["schema"], item["table"]) == (relation.schema, relation.name)
    }
    there |= {item["name"] for item in relation.document.get("foreign_keys", [])}
    if name not in there or name in gone:
        return []
    target = qualified(relation.schema, relation.name)
    refusal = (
        f"{relation.title} already has a constraint {name}, and the plan adds another one with this "
        f"name: ALTER TABLE {target} RENAME CONSTRAINT {identifier(name)} TO another name first, or drop the existing "
        "constraint."
    )
    return [refusal]


def _policy(relation: Relation, name: str) -> list[str]:
    # The plan drops a restrictive policy with this name before it creates the new policy. It would drop a permissive
    # policy only afterwards.
    if not any(item["name"] == name and item["permissive"] for item in relation.document["policies"]):
        return []
    target = qualified(relation.schema, relation.name)
    refusal = (
        f"{relation.title} already has a permissive policy {name}, and the plan creates another one "
        f"with this name: DROP POLICY {identifier(name)} ON {target} first."
    )
    return [refusal]


def _function(state: State, schema: str, name: str, types: Sequence[str]) -> list[str]:
    arguments = ", ".join(types)
    now = catalog.function(state, name, arguments)
    there = [item for item in state["hazards"]["routines"] if (item["name"], item["types"]) == (name, types)]
    if not there and (now is None or now["returns"] == RESULT):
        return []
    refusal = (
        f"{schema}.{name}({arguments}) already exists and does not return {RESULT}, and the plan creates a function "
        "with this name: rename or drop it first."
    )
    return [refusal]
