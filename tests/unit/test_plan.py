"""The plan turns every state into the model, and refuses states that it cannot change safely."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import golden
from ansible_collections.aimemory.tenancy.plugins.module_utils.errors import UnsafeStateError
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.changes import (
    bridge,
    enforce,
    findings,
    online,
    plan,
    revert,
)
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.model import model
from conftest import blank_state
from production import model_source, rental_source
from simulator import PREDICATE, SESSION, index_entry, run

TABLES = list(blank_state()["tables"])


def partial_column(rows: int) -> st.SearchStrategy[dict[str, Any] | None]:
    def column(nulls: int, not_null: bool, default: str | None) -> dict[str, Any]:
        return {
            "type": "integer", "generated": False, "dependents": [], "nulls": 0 if not_null else nulls,
            "not_null": not_null, "default": default, "tenants": {"1": rows - (0 if not_null else nulls)},
        }  # fmt: skip

    return st.none() | st.builds(column, st.integers(0, rows), st.booleans(), st.sampled_from([None, "1", SESSION]))


def some_policies(table: str) -> st.SearchStrategy[list[dict[str, Any]]]:
    def policy(name: str, command: str, roles: list[str], using: str | None, check: str | None) -> dict[str, Any]:
        return {
            "name": name, "command": command, "permissive": True, "roles": roles, "public": roles == ["public"],
            "using": using, "check": check,
        }  # fmt: skip

    expression = st.sampled_from([None, "true", "((customer_id = 1) OR false)", PREDICATE])
    return st.lists(
        st.builds(
            policy, st.sampled_from([f"tenant_isolation_{table}", "everyone", 'odd "name"']),
            st.sampled_from(["ALL", "SELECT", "INSERT"]), st.sampled_from([["alice"], ["public"], ["alice", "bob"]]),
            expression, expression,
        ),
        max_size=3, unique_by=lambda item: item["name"],
    )  # fmt: skip


@st.composite
def partial_states(draw: st.DrawFn) -> dict[str, Any]:
    state = blank_state(rows=5)
    for name, document in state["tables"].items():
        document["column"] = draw(partial_column(5))
        if document["column"] is not None:
            document["columns"] = [*document["columns"], "customer_id"]
        document["rls"] = {"enabled": draw(st.booleans()), "forced": draw(st.booleans())}
        document["policies"] = draw(some_policies(name))
        if draw(st.booleans()):
            document["granted_excess"] = document["excess_privileges"] = []
    state["bridges"] = draw(st.sampled_from([{}, {"alice": "1"}, {"alice": "2"}, {"bob": "1"}]))
    return state


@given(partial_states())
def test_a_plan_applied_leaves_an_empty_plan(state: dict[str, Any]) -> None:
    wanted = model.parse(model_source())
    after = run(state, plan.build(state, wanted))
    assert plan.build(after, wanted) == []
    assert [item for item in findings.collect(after, wanted) if not item["ok"]] == []


@given(st.integers(0, 200))
def test_every_prefix_of_the_plan_converges(length: int) -> None:
    wanted = model.parse(model_source())
    start = blank_state()
    statements = plan.build(start, wanted)
    half = run(start, statements[:length])
    assert plan.build(run(half, plan.build(half, wanted)), wanted) == []


def test_a_database_without_policies_plans_the_migration_again(wanted: model.Model) -> None:
    migrated = run(blank_state(), plan.build(blank_state(), wanted))
    reverted = run(migrated, revert.policies(migrated, wanted))
    assert revert.policies(reverted, wanted) == []
    for name in TABLES:
        document = reverted["tables"][name]
        assert document["rls"] == {"enabled": False, "forced": False}
        assert document["policies"] == []
        assert document["column"]["default"] == "1"
    assert reverted["bridges"] == {}
    assert not reverted["bridge_watch"]["exists"]
    again = run(reverted, plan.build(reverted, wanted))
    assert plan.build(again, wanted) == []


def test_only_new_parts_of_the_usage_record_are_early(wanted: model.Model) -> None:
    planned = plan.build(blank_state(), wanted)
    early = online.early(planned, "live")
    kinds = {" ".join(item["sql"].split()[:2]) for item in early}
    assert kinds == {"CREATE SEQUENCE", "GRANT UPDATE", "CREATE OR", "GRANT EXECUTE", "ALTER ROLE"}
    assert len([item for item in early if item["sql"].startswith("CREATE SEQUENCE")]) == 4 * len(TABLES)
    # If policies already call an earlier release's function, it is replaced in the transaction, not in an early step.
    migrated = run(blank_state(), planned)
    (note,) = (item for item in migrated["functions"] if item["name"] == "tenancy_bridge_note")
    note |= {"body": "BEGIN RETURN true; END", "returns": "boolean"}
    again = plan.build(migrated, wanted)
    assert [item["id"] for item in again] == ["bridge.note"]
    assert online.early(again, "live") == []


def test_the_bridge_stays_removed_once_everything_is_enforced(wanted: model.Model) -> None:
    migrated = run(blank_state(), plan.build(blank_state(), wanted))
    statements = enforce.build(migrated, wanted)
    # Until the transaction, the service needs the bridge.
    assert online.early(statements, "live") == []
    assert online.cutover(statements, "live") == statements
    enforced = run(migrated, statements)
    assert enforced["bridges"] == {"alice": ""}
    assert not enforced["bridge_watch"]["exists"]
    assert [policy["name"] for policy in enforced["tables"]["memories"]["policies"]] == ["tenant_isolation_memories"]
    assert plan.build(enforced, wanted) == []
    assert enforce.build(enforced, wanted) == []


def test_a_table_that_joins_later_does_not_bring_it_back(wanted: model.Model) -> None:
    migrated = run(blank_state(), plan.build(blank_state(), wanted))
    enforced = run(migrated, enforce.build(migrated, wanted))
    enforced["tables"]["memories"] = blank_state()["tables"]["memories"]
    after = run(enforced, plan.build(enforced, wanted))
    assert after["bridges"] == {"alice": ""}
    assert [policy["name"] for policy in after["tables"]["memories"]["policies"]] == ["tenant_isolation_memories"]
    # While the bridge is on, a table that is added later also gets the bridge's policies.
    migrated["tables"]["memories"] = blank_state()["tables"]["memories"]
    joined = run(migrated, plan.build(migrated, wanted))
    assert len(joined["tables"]["memories"]["policies"]) == 5


def test_only_a_migrated_database_is_enforced(wanted: model.Model) -> None:
    with pytest.raises(UnsafeStateError, match=r"not migrated completely \(\d+ statements remain\): run migrate.yml"):
        enforce.build(blank_state(), wanted)


def test_a_login_of_its_own_takes_the_bridge_over() -> None:
    wanted = model.parse(model_source())
    migrated = run(blank_state(), plan.build(blank_state(), wanted))
    own = model.parse(model_source() | {"application_role": "app", "replaced_role": "alice"})
    migrated["application_role"] = None
    after = run(migrated, plan.build(migrated, own))
    assert after["bridges"] == {"app": "01"}
    assert all(p["roles"] == ["app"] for table in after["tables"].values() for p in table["policies"])
    assert plan.build(after, own) == []


def test_a_bridge_that_was_removed_does_not_come_back_with_a_login_of_its_own() -> None:
    wanted = model.parse(model_source())
    migrated = run(blank_state(), plan.build(blank_state(), wanted))
    enforced = run(migrated, enforce.build(migrated, wanted))
    own = model.parse(model_source() | {"application_role": "app", "replaced_role": "alice"})
    after = run(enforced, plan.build(enforced, own))
    assert after["bridges"] == {"app": ""}
    assert plan.build(after, own) == []


def test_policies_of_ours_do_not_say_that_the_service_names_its_tenant(wanted: model.Model) -> None:
    migrated = run(blank_state(), plan.build(blank_state(), wanted))
    unbridged = run(migrated, bridge.plan_remove(migrated, wanted))
    assert unbridged["bridges"] == {}
    bridged = run(unbridged, plan.build(unbridged, wanted))
    assert bridged["bridges"] == {"alice": "01"}
    assert plan.build(bridged, wanted) == []
    # The bridge is not set again if the model excludes it.
    assert plan.build(unbridged, model.parse(model_source() | {"bridge": False})) == []


def test_what_enforcing_left_goes_with_the_policies(wanted: model.Model) -> None:
    migrated = run(blank_state(), plan.build(blank_state(), wanted))
    enforced = run(migrated, enforce.build(migrated, wanted))
    reverted = run(enforced, revert.policies(enforced, wanted))
    assert reverted["bridges"] == {}
    assert run(reverted, plan.build(reverted, wanted))["bridges"] == {"alice": "01"}


def test_the_bridge_is_not_brought_to_a_second_tenant(wanted: model.Model) -> None:
    migrated = run(blank_state(), plan.build(blank_state(), wanted))
    unbridged = run(migrated, bridge.plan_remove(migrated, wanted))
    for state in (migrated, unbridged):
        state["tables"]["memories"]["column"]["tenants"] = {"1": 3, "2": 1}
    assert plan.build(migrated, wanted) == []
    with pytest.raises(UnsafeStateError, match=r"tenants other than 1 exist \(memories 1\).*set tenancy_bridge: false"):
        plan.build(unbridged, wanted)
    assert plan.build(unbridged, model.parse(model_source() | {"bridge": False})) == []


def test_revert_refuses_while_another_tenant_has_rows(wanted: model.Model) -> None:
    migrated = run(blank_state(), plan.build(blank_state(), wanted))
    migrated["tables"]["memories"]["column"]["tenants"] = {"1": 3, "2": 4}
    with pytest.raises(UnsafeStateError, match=r"memories 4"):
        revert.policies(migrated, wanted)


def _break(state: dict[str, Any], **changes: Any) -> dict[str, Any]:
    broken = copy.deepcopy(state)
    broken["tables"]["caller_profiles"].update(changes)
    return broken


COLUMN = {"type": "text", "not_null": True, "default": None, "generated": False, "nulls": 0, "tenants": {}}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"exists": False}, r"Table public\.caller_profiles does not exist"),
        ({"partition_of": "everybody"}, r"is a partition of everybody: list that table in tenancy_tables instead"),
        (
            {"partitions": [{"schema": "elsewhere", "name": "old", "kind": "f", "partition_key": None, "indexes": []}]},
            r"elsewhere\.old, a partition of public\.caller_profiles, is not a table \(kind 'f'\) and has no row",
        ),
        ({"kind": "v"}, r"not an ordinary table \(kind 'v'\)"),
        ({"column": COLUMN}, r"exists with type text, but the model has integer"),
        ({"column": COLUMN | {"type": "integer", "generated": True}}, r"identity or generated"),
        ({"columns": ["id"]}, r"has no column updated_at, user_id: correct its entry"),
        ({"indexes": [index_entry("odd_key", ["email"], unique=True)]}, r"odd_key .* is not in the model"),
        (
            {"indexes": [index_entry("u", ["user_id"], unique=True, constraint="u") | {"dependents": ["view v"]}]},
            r"view v depends on it",
        ),
    ],
)
def test_a_state_that_cannot_be_reconciled_is_refused(
    wanted: model.Model, changes: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(UnsafeStateError, match=sentence):
        plan.build(_break(blank_state(), **changes), wanted)


def test_all_obstacles_are_told_at_once(wanted: model.Model) -> None:
    state = _break(blank_state(), exists=False)
    state["application_role"] = None
    with pytest.raises(UnsafeStateError) as caught:
        plan.build(state, wanted)
    assert len(caught.value.obstacles) == 2


def test_a_key_of_a_partitioned_table_is_named_once() -> None:
    state = golden.catalog("rental")
    levels = state["tables"]["water_levels"]
    for document, root in [(levels, None), *((part, "odd") for part in levels["partitions"])]:
        odd = index_entry("odd", ["metres"], unique=True) | {"root": root}
        document["indexes"] = [*document["indexes"], odd]
    with pytest.raises(UnsafeStateError) as caught:
        plan.build(state, model.parse(rental_source(state["database"])))
    assert [text.split(" on ")[0] for text in caught.value.obstacles] == [
        "The unique key odd of rental.water_levels"
    ]  # fmt: skip


def test_the_order_is_the_one_that_postgresql_needs(wanted: model.Model) -> None:
    phases = [item["phase"] for item in plan.build(blank_state(), wanted)]
    assert phases == sorted(phases, key=plan.PHASES.index)
    assert [phase for phase in plan.PHASES if phase in phases] == [
        "column", "build", "key", "function", "privilege", "bridge", "default", "policy", "enable", "force",
    ]  # fmt: skip
