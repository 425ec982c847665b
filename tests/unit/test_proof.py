"""Each attempt of the isolation proof has exactly one meaning, whatever the names of tables and columns are."""

from __future__ import annotations

import json
from typing import Any

import pglast
import pglast.ast
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pglast.enums import A_Expr_Kind

import golden
from ansible_collections.aimemory.tenancy.plugins.module_utils import outcomes
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.model import model
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.proof import proof
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.proof.attempt import Attempt
from production import model_source, projects_source, rental_source

names = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1, max_size=15)


def made(source: dict[str, Any]) -> list[Attempt]:
    return proof.attempts(model.parse(source), "32767", "32766")


def test_every_attempt_has_a_name_and_a_sentence_of_its_own_table() -> None:
    found = made(model_source())
    assert len({item["id"] for item in found}) == len(found) > 150
    assert all(item["id"].startswith(f"{item['table']}.") and item["sentence"] and item["expected"] for item in found)


@pytest.mark.parametrize("source", [model_source(), rental_source()])
def test_every_update_and_deletion_has_a_condition(source: dict[str, Any]) -> None:
    """An extension such as safeupdate rejects statements without a condition."""
    statements = [raw.stmt for item in made(source) for raw in pglast.parse_sql(item["sql"])]
    changes = [item for item in statements if isinstance(item, pglast.ast.UpdateStmt | pglast.ast.DeleteStmt)]
    assert len(changes) > 30
    assert [item for item in changes if item.whereClause is None] == []


def test_every_table_has_its_controls_and_every_attempt() -> None:
    found = made(model_source())
    for table in model.parse(model_source()).tables:
        ids = {item["id"].removeprefix(f"{table.name}.") for item in found if item["table"] == table.name}
        assert {
            "own.insert", "own.insert.same", "own.read", "own.update", "own.delete", "read.another", "read.default",
            "update.another", "delete.another", "insert", "insert.select", "update.tenant", "take.another", "truncate",
            "read.unset", "read.reset", "read.empty", "read.garbage", "insert.reset", "copy.out", "copy.in", "off",
        } <= ids  # fmt: skip
        assert {f"upsert.{'_'.join(key)}" for key in table.natural_keys} <= ids


def test_what_is_never_set_comes_before_anything_is_set() -> None:
    found = made(model_source())
    assert [item["id"].split(".")[1:] for item in found[:5]] == [["read", "unset"]] * 5
    assert [item["tenant"] for item in found[:6]] == [None] * 5 + ["32767"]


@given(names, names, names)
def test_odd_names_stay_names(table: str, column: str, value: str) -> None:
    source = model_source() | {
        "column": "tenant", "tables": [{"name": table, "natural_keys": [[column]], "sample": {column: value}}],
    }  # fmt: skip
    for item in made(source):
        assert 1 <= len(pglast.parse_sql(item["sql"])) <= 2


def test_synthetic_tenants_are_unused() -> None:
    state = json.loads((golden.DIRECTORY / "migrated/catalog.json").read_text())
    state["tables"]["memories"]["column"]["tenants"]["32767"] = 1
    state["tables"]["caller_profiles"]["column"]["tenants"]["32765"] = 1
    assert proof.synthetic_tenants(state, model.parse(model_source())) == ("32766", "32764")


def test_the_default_tenant_is_no_synthetic_one() -> None:
    empty = json.loads((golden.DIRECTORY / "unmigrated/catalog.json").read_text())
    wanted = model.parse(model_source() | {"default_tenant": 32767})
    assert proof.synthetic_tenants(empty, wanted) == ("32766", "32765")


def test_a_tenant_without_rows_that_the_tenants_table_has_is_no_synthetic_one() -> None:
    state = {**golden.catalog("projects-migrated"), "tenant_keys": ["1", "32767"]}
    wanted = model.parse(projects_source(state["database"]))
    assert proof.synthetic_tenants(state, wanted) == ("32766", "32765")


def test_without_a_default_tenant_the_rows_of_one_that_has_some_are_tried() -> None:
    state = golden.catalog("projects-migrated")
    made = proof.document(state, model.parse(projects_source(state["database"])), 10, 60)
    found = {item["id"]: item for item in made["attempts"]}
    assert found["tasks.content"]["tenant"] == "1"
    assert found["tasks.read.existing"]["sentence"] == "A tenant reads rows of an existing tenant"
    assert not [name for name in found if name.endswith(".default")]
    assert made["tenants_rows"] is None


def test_a_large_table_is_probed_instead_of_counted_in_full() -> None:
    state = json.loads((golden.DIRECTORY / "migrated/catalog.json").read_text())
    wanted = model.parse(model_source())
    for rows, probed in ((5755, False), (5756, True)):
        state["tables"]["memories"]["rows"] = rows
        made = proof.document(state, wanted, 5755, 60)
        own = next(item["sql"] for item in made["attempts"] if item["id"] == "memories.content")
        for sql in (made["contents"]["memories"], own):
            assert ("'probed'" in sql) is probed
            assert len(pglast.parse_sql(sql)) == 1


def with_rights(**rights: Any) -> dict[str, Attempt]:
    """Return the attempts on caller_profiles by id, for a role with these privileges on this table."""
    document = {"rights": dict.fromkeys(("SELECT", "INSERT", "UPDATE", "DELETE"), True) | rights, "required": []}
    made = proof.attempts(model.parse(model_source()), "1", "2", None, {"caller_profiles": document})
    return {item["id"].removeprefix("caller_profiles."): item for item in made if item["table"] == "caller_profiles"}


def test_a_right_to_some_columns_is_one_to_them_alone() -> None:
    assert with_rights(UPDATE=["user_id"])["own.update"]["expected"] == ["1 rows"]
    assert with_rights(UPDATE=["context"])["own.update"]["expected"] == ["error 42501"]
    # Locking a row requires the privilege to update at least one column. A condition on the tenant requires the
    # privilege to read the tenant column.
    assert with_rights(UPDATE=["context"])["lock.another"]["expected"] == ["0 rows"]
    assert with_rights(UPDATE=[])["lock.another"]["expected"] == ["error 42501"]
    assert with_rights(SELECT=["user_id"])["read.another"]["expected"] == ["error 42501"]
    assert with_rights(SELECT=["user_id"])["own.read"]["expected"] == ["1 rows"]


def test_a_tenant_that_may_not_store_has_no_rows() -> None:
    found = with_rights(INSERT=[])
    assert found["own.insert"]["expected"] == ["error 42501"]
    assert found["own.read"]["expected"] == found["own.delete"]["expected"] == ["0 rows"]
    assert found["insert"]["expected"] == ["error 42501"]
    assert not {identity for identity in found if identity.startswith(("own.upsert", "own.skip"))}
    # With every privilege, the role can also delete its own row.
    assert with_rights()["own.delete"]["expected"] == ["1 rows"]


def operators(sql: str) -> list[str]:
    """Return a statement's operators and functions that are not schema-qualified."""
    bare = []

    def look(node: object) -> None:
        if isinstance(node, pglast.ast.A_Expr) and len(node.name) == 1 and node.kind != A_Expr_Kind.AEXPR_DISTINCT:
            bare.append(node.name[0].sval)
        if isinstance(node, pglast.ast.FuncCall) and len(node.funcname) == 1:
            bare.append(node.funcname[0].sval)
        if isinstance(node, pglast.ast.Node):
            for name in node:
                look(getattr(node, name))
        elif isinstance(node, tuple):
            for item in node:
                look(item)

    look(tuple(raw.stmt for raw in pglast.parse_sql(sql)))
    return bare


def test_no_attempt_asks_an_operator_or_a_function_of_the_services() -> None:
    assert operators("SELECT a = 1 FROM f(1)") == ["=", "f"]
    state = json.loads((golden.DIRECTORY / "migrated/catalog.json").read_text())
    for attempt in proof.document(state, model.parse(model_source()), 10, 60)["attempts"]:
        assert operators(attempt["sql"]) == [], attempt["sql"]


ATTEMPT = {"id": "t.read", "table": "t", "sentence": "A tenant reads", "expected": ["0 rows", "error 42501"]}


@pytest.mark.parametrize(
    ("outcome", "actual", "ok"),
    [
        ({"rows": 0}, "0 rows", True),
        ({"rows": 1}, "1 rows", False),
        ({"error": "42501", "column": "", "table": None}, "error 42501", True),
        ({"error": "23502", "column": "c", "table": "t", "constraint": "", "datatype": ""},
         "error 23502 (column c, table t)", False),
        ({"error": "23514", "column": "she said", "table": "t", "constraint": "caller +15551234567"},
         "error 23514 (table t)", False),
        # An error that a function in the database raises is an ordinary outcome.
        ({"error": "TR001"}, "error TR001", False),
    ],
)  # fmt: skip
def test_an_outcome_is_judged_by_what_was_expected(outcome: dict[str, Any], actual: str, ok: bool) -> None:
    [found] = outcomes.judge([ATTEMPT], [outcome], {}, {"c", "t"})
    assert (found["actual"], found["ok"]) == (actual, ok)
    assert ("t.read: A tenant reads: " in outcomes.failure([found])) is not ok


@pytest.mark.parametrize("told", [[], [{"rows": 0}, {"rows": 0}], [None]])
def test_an_attempt_without_an_outcome_is_no_proof(told: list[Any]) -> None:
    with pytest.raises(outcomes.ProofError, match="outcomes for 1 attempts"):
        outcomes.judge([ATTEMPT], told, {})
    with pytest.raises(outcomes.ProofError, match="no attempt was made"):
        outcomes.judge([], told, {})


@pytest.mark.parametrize(
    ("now", "ok"),
    [
        ({}, True),
        ({"updated": 3}, False),
        ({"inserted": 1}, False),
        ({"deleted": 1}, False),
        ({"inserted": 1, "deleted": 1}, False),
        ({"files": [2]}, False),
    ],
)
def test_a_row_that_the_change_wrote_is_found(now: dict[str, Any], ok: bool) -> None:
    before = {"files": [1], "inserted": 5, "updated": 5, "deleted": 5}
    after = {name: value if name == "files" else value + now.get(name, 0) for name, value in before.items()}
    [found] = outcomes.unchanged({"t": before}, {"t": {**after, "files": now.get("files", [1])}})
    assert found["ok"] is ok


def test_what_follows_from_a_row_that_could_not_be_stored_is_counted() -> None:
    def found(check: str, actual: Any = "0 rows", *, ok: bool = False) -> dict[str, Any]:
        return {
            "check": f"t.{check}",
            "table": "t",
            "sentence": "S",
            "expected": ["1 rows"],
            "actual": actual,
            "ok": ok,
        }

    refused = found("own.insert", "error 23503")
    both = outcomes.failure([refused, found("own.read"), found("point.b", "error 42501"), found("own.update", ok=True)])
    assert both == (
        "t.own.insert: S: error 23503 instead of 1 rows; 2 more attempts failed, possibly as a result."
        " In tenancy_tables, set sample of t to values that the table accepts"
    )
    # Access to another tenant's row, or a changed row, cannot result from the missing row, so it is reported first.
    for check, actual in (("read.another", "7 rows"), ("unchanged", {"written": 1})):
        leak = outcomes.failure([refused, found("own.read"), found(check, actual)])
        assert leak.startswith(f"t.{check}: S: {actual} instead of 1 rows; t.own.insert: ")
        assert "; 1 more attempt failed, possibly as a result. In tenancy_tables, set sample of t to " in leak
    # A missing permission has nothing to do with the sample's values.
    assert outcomes.failure([found("own.insert", "error 42501")]) == "t.own.insert: S: error 42501 instead of 1 rows"
    assert "correct sample_writes of t in" in outcomes.failure([found("own.trigger.u")])
    more = found("own.read", "3 rows") | {"expected": ["2 rows"]}
    assert "If triggers insert rows into t, list t in sample_writes of" in outcomes.failure([more])
    assert "set append_only: [update] for t in" in outcomes.failure([found("own.update", "error P0001")])
    fewer = found("own.delete", "1 rows") | {"expected": ["2 rows"]}
    assert "1 more attempt" in outcomes.failure([refused, fewer])
    for expected in (["error 42501"], ["0 rows", "error 42501"], ["1 rows"]):
        reached = found("own.delete", "3 rows") | {"expected": expected}
        assert "3 rows instead of" in outcomes.failure([refused, reached])
    assert outcomes.failure([found("own.read"), found("own.update")]).count("instead of") == 2
    assert outcomes.failure([found("own.read", ok=True)]) == ""
