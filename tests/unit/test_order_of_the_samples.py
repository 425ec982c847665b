"""The proof stores its rows in an order that the foreign keys allow, even if they form a cycle."""

from __future__ import annotations

from typing import Any

from ansible_collections.aimemory.tenancy.plugins.filter import tenancy
from ansible_collections.aimemory.tenancy.plugins.module_utils import outcomes
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.model import model
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.proof import order
from conftest import attribute
from production import model_source
from simulator import foreign_key_entry


def wanted(**tables: str) -> model.Model:
    """Return a model of these tables; each value lists the referenced tables, separated by spaces."""
    entries = [
        {
            "name": name, "surrogate_keys": [["id"]],
            "foreign_keys": [{"columns": [other], "references": other, "key": ["id"]} for other in others.split()],
        }
        for name, others in tables.items()
    ]  # fmt: skip
    return model.parse(model_source() | {"tables": entries, "functions": []})


def document(name: str, *others: str, not_null: bool = True, deferrable: bool = False) -> dict[str, Any]:
    """Return the columns and foreign keys in the state of a table that references ``others``."""
    keys = [foreign_key_entry(f"{name}_{other}", name, [other], other, ["id"]) for other in others]
    return {
        "attributes": [attribute("id", not_null=True), *(attribute(other, not_null=not_null) for other in others)],
        "foreign_keys": [key | {"deferrable": deferrable} for key in keys],
    }


def names(found: order.Order) -> list[str]:
    return [table.name for table in found.tables]


def test_referenced_tables_come_first_and_otherwise_the_models_order_stays() -> None:
    target = wanted(a="c", b="", c="", d="a b")
    found = order.of(target, {name: document(name, *others) for name, others in (("a", "c"), ("d", "ab"))})
    assert names(found) == ["b", "c", "a", "d"]
    assert [table.name for table in found.pointers(["c"])] == ["d", "a", "c"]


def test_a_circle_begins_with_a_nullable_foreign_key() -> None:
    target = wanted(a="b", b="c", c="a")
    documents = {"a": document("a", "b"), "b": document("b", "c", not_null=False), "c": document("c", "a")}
    found = order.of(target, documents)
    assert names(found) == ["b", "a", "c"]
    assert [key.references for key in found.left["b"]] == ["c"]
    assert not any(found.deferred.values())
    assert [table.name for table in found.pointers(["b"])] == ["c", "a", "b"]
    assert found.circle(target.tables[0]) == [target.tables[0]]


def test_a_circle_without_null_begins_with_a_deferrable_foreign_key() -> None:
    target = wanted(a="b", b="c", c="a", d="c")
    documents = {
        "a": document("a", "b"), "b": document("b", "c", deferrable=True), "c": document("c", "a"),
        "d": document("d", "c"),
    }  # fmt: skip
    found = order.of(target, documents)
    assert names(found) == ["b", "a", "c", "d"]
    assert [key.references for key in found.deferred["b"]] == ["c"]
    assert [table.name for table in found.circle(target.tables[2])] == ["b", "a", "c"]
    assert [table.name for table in found.circle(target.tables[3])] == ["d"]


def test_a_planned_rewrite_of_a_table_is_allowed_and_required() -> None:
    before = {"t": {"files": [1], "inserted": 0, "updated": 0, "deleted": 0}}
    now = {"t": {**before["t"], "files": [2]}}
    cases = [(now, ["t"], True), (now, [], False), (before, ["t"], False), (before, [], True)]
    for then, rewritten, ok in cases:
        assert [item["ok"] for item in outcomes.unchanged(before, then, rewritten)] == [ok]


def test_the_question_names_the_tenant_of_existing_rows() -> None:
    lines = tenancy.assignment_warning("customer_id", 1, "North", adopted=False)
    assert lines == ["WARNING: all existing data will be assigned to customer_id=1", "(North):"]
    (line,) = tenancy.assignment_warning("customer_id", None, "", adopted=True)
    assert "keeps its tenant" in line


def test_the_tenants_table_is_readable_and_gets_the_rights_of_a_tenant_table() -> None:
    tenants = {"table": "organizations", "key": "id", "policy": "own"}
    assert tenancy.with_tenants(["a"], tenants) == ["a", "organizations"]
    assert tenancy.with_tenants(["a"], {}) == ["a"]
