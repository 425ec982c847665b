"""Each defect of a migrated database causes exactly the expected findings to fail."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

import golden
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.changes import finding, findings
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.model import model
from production import model_source

State = dict[str, Any]
MIGRATED = json.loads((golden.DIRECTORY / "migrated/catalog.json").read_text())
WANTED = model.parse(model_source(MIGRATED["database"]))
ROWS = {name: table["rows"] for name, table in MIGRATED["tables"].items()}


def failures(change: Callable[[State], Any]) -> list[tuple[str, str]]:
    """Return the check and the table of each finding that fails after ``change``."""
    state = copy.deepcopy(MIGRATED)
    change(state)
    return [(item["check"], item["table"]) for item in findings.collect(state, WANTED, ROWS) if not item["ok"]]


def in_memories(*path: str, value: Any) -> Callable[[State], None]:
    """Return a change that sets one value in the state of the table memories."""

    def change(state: State) -> None:
        place = state["tables"]["memories"]
        for part in path[:-1]:
            place = place[part]
        place[path[-1]] = value

    return change


def another_policy(state: State) -> None:
    policies = state["tables"]["memories"]["policies"]
    policies.append(next(item for item in policies if item["permissive"]) | {"name": "open", "using": "true"})


def without_index(name: str) -> Callable[[State], None]:
    def change(state: State) -> None:
        for table in state["tables"].values():
            table["indexes"] = [index for index in table["indexes"] if index["name"] != name]

    return change


def other_function(state: State) -> None:
    name = "trigger_update_personality_averages"
    next(item for item in state["functions"] if item["name"] == name).update(body="BEGIN RETURN NEW; END")


def record(**changes: Any) -> Callable[[State], None]:
    """Return a change to a policy that records the bridge's use."""

    def change(state: State) -> None:
        policies = state["tables"]["memories"]["policies"]
        next(item for item in policies if item["name"] == "tenancy_bridge_memories_select").update(changes)

    return change


def second_tenant(state: State) -> None:
    state["tables"]["memories"]["column"]["tenants"]["2"] = 1


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda state: None, []),
        (in_memories("exists", value=False),
         [("table exists", "memories"), ("rows unchanged", "memories"), ("RLS policies created", "")]),
        (in_memories("column", "type", value="bigint"), [("type", "memories")]),
        (in_memories("column", "not_null", value=False), [("NOT NULL", "memories")]),
        (in_memories("column", "nulls", value=3), [("NULLs", "memories")]),
        (in_memories("column", "default", value="1"), [("default is the session's tenant", "memories")]),
        (in_memories("rls", "enabled", value=False), [("RLS", "memories")]),
        (in_memories("rls", "forced", value=False), [("FORCE", "memories")]),
        (in_memories("rows", value=5754), [("rows unchanged", "memories")]),
        (in_memories("excess_privileges", value=["TRUNCATE"]),
         [("privileges that bypass row security", "memories")]),
        (another_policy, [("permissive policies", "memories")]),
        (without_index("idx_memories_customer_id_user_id"), [("index (customer_id, user_id)", "memories")]),
        (without_index("caller_profiles_customer_id_user_id_key"), [("key (customer_id, user_id)", "caller_profiles")]),
        (other_function, [("function trigger_update_personality_averages() is tenant-aware", "")]),
        (lambda state: state.update(application_role=None), [("application role exists", "")]),
        (lambda state: state["application_role"].update(superuser=True), [("application role obeys row security", "")]),
        (lambda state: state["application_role"].update(bypassrls=True), [("application role obeys row security", "")]),
        (lambda state: state["application_role"].update(bypassing_memberships=["postgres"]),
         [("bypassing roles that the application role can become", "")]),
        (lambda state: state.update(bridges={"alice": "2"}), [("bridge is off or sets the default tenant", "")]),
        # If the bridge spells the tenant as sessions do, the use of the bridge cannot be recognized.
        (lambda state: state.update(bridges={"alice": "1"}), [("bridge is off or sets the default tenant", "")]),
        (lambda state: state["bridge_watch"]["sequences"]["tenancy_bridge_used_memories_select"].update(granted=False),
         [("missing parts of the bridge's usage record", "")]),
        (record(using="true"), [("missing parts of the bridge's usage record", "")]),
        (record(roles=["bob"]), [("missing parts of the bridge's usage record", "")]),
        (record(permissive=True),
         [("permissive policies", "memories"), ("missing parts of the bridge's usage record", "")]),
        (second_tenant, [("bridge is off once a second tenant has rows", "")]),
    ],
)  # fmt: skip
def test_what_is_wrong_is_what_fails(change: Callable[[State], Any], expected: list[tuple[str, str]]) -> None:
    assert failures(change) == expected


def test_what_fails_is_told_with_its_names() -> None:
    found = [finding.finding("ways past", "", [], ["a()", "b"]), finding.finding("rows", "t", 1, 1)]
    assert finding.failing([*found, finding.finding("rows", "t", 1, 2)]) == ["ways past (a(), b)", "rows (2)"]
