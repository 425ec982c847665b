"""The online steps are the first part of the plan, and the transaction runs the rest."""

from __future__ import annotations

from collections.abc import Callable

import pglast
import pytest
from hypothesis import given
from pglast import ast

from ansible_collections.aimemory.tenancy.plugins.module_utils.errors import TenancyError
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.changes import online, plan, schema
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.model import model
from conftest import blank_state
from production import model_source
from simulator import index_entry, run
from test_plan import partial_states

PARALLEL = (ast.IndexStmt, ast.DropStmt)


@given(partial_states())
def test_both_parts_together_are_the_plan(state: dict[str, object]) -> None:
    statements = plan.build(state, model.parse(model_source()))
    early, late = online.expand(statements, "online"), online.cutover(statements, "online")
    # With every strategy, a separate login runs the backfill.
    rest = [item for item in statements if item["phase"] != online.BACKFILL]
    assert early + late == rest
    assert [*online.expand(statements, "live"), *online.early(statements, "live")] == [
        item for item in rest if item not in online.cutover(statements, "live")
    ]
    assert online.early(statements, "online") == online.early(statements, "atomic") == []
    assert online.expand(statements, "atomic") == []
    assert online.cutover(statements, "atomic") == rest


@given(partial_states())
def test_after_the_first_part_only_the_second_is_planned(state: dict[str, object]) -> None:
    wanted = model.parse(model_source())
    statements = plan.build(state, wanted)
    rest = plan.build(
        run(
            run(state, [item for item in statements if item["phase"] == online.BACKFILL]),
            online.expand(statements, "online"),
        ),
        wanted,
    )
    assert [item["id"] for item in rest] == [item["id"] for item in online.cutover(statements, "online")]


@given(partial_states())
def test_only_steps_without_waiting_sessions_are_patient(state: dict[str, object]) -> None:
    for step in online.steps(plan.build(state, model.parse(model_source()))):
        trees = [raw.stmt for raw in pglast.parse_sql(step["sql"])]
        concurrent = [isinstance(tree, PARALLEL) and bool(tree.concurrent) for tree in trees]
        assert concurrent == [step["patient"]] * len(trees), step
        # While the service is running, indexes are built and dropped only with CONCURRENTLY.
        assert not any(isinstance(tree, PARALLEL) for tree in trees) or step["patient"]


def test_an_index_of_an_interrupted_build_is_dropped_and_built_again() -> None:
    state = blank_state()
    name = "idx_memories_customer_id_user_id"
    left = index_entry(name, ["customer_id", "user_id"]) | {"valid": False}
    state["tables"]["memories"]["indexes"].append(left)
    early = online.steps(plan.build(state, model.parse(model_source())))
    steps = [step["sql"] for step in early if name in step["sql"]]
    assert [sql.split()[:3] for sql in steps] == [
        ["DROP", "INDEX", "CONCURRENTLY"],
        ["CREATE", "INDEX", "CONCURRENTLY"],
    ]


def test_a_check_that_an_interrupted_run_left_goes_both_ways() -> None:
    wanted = model.parse(model_source())
    state = blank_state()
    column = {
        "type": "integer", "not_null": False, "default": "1", "generated": False, "nulls": 0, "tenants": {"1": 3},
        "dependents": [{"name": "memories_customer_id_not_null_check", "description": "constraint …"}],
    }  # fmt: skip
    state["tables"]["memories"]["column"] = column
    (forward,) = [item["sql"] for item in plan.build(state, wanted) if item["id"] == "memories.not_null"]
    assert forward.endswith('SET NOT NULL, DROP CONSTRAINT "memories_customer_id_not_null_check"')
    # If the snapshot lacks the column, DROP COLUMN also drops the CHECK constraint, so the constraint is no obstacle.
    assert [item["id"] for item in schema.build(state, wanted, blank_state())] == ["memories.column.drop"]
    before = blank_state()
    before["tables"]["memories"]["column"] = column | {"dependents": []}
    (back,) = schema.build(state, wanted, before)
    assert back["sql"].endswith('DROP CONSTRAINT "memories_customer_id_not_null_check"')


def test_what_is_no_index_cannot_be_made_concurrently() -> None:
    with pytest.raises(ValueError, match="neither builds nor drops an index"):
        online.concurrently("DROP TABLE memories")


@pytest.mark.parametrize("part", [online.expand, online.early, online.cutover])
def test_an_unknown_strategy_is_an_error(part: Callable[..., object]) -> None:
    with pytest.raises(TenancyError, match="Unknown strategy 'auto'"):
        part(plan.build(blank_state(), model.parse(model_source())), "auto")
