"""A plan that is certain to fail is refused before anything changes, unless the plan is empty."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.aimemory.tenancy.plugins.module_utils.errors import UnsafeStateError
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.changes import hazards, plan
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.model import model
from conftest import attribute, blank_state
from simulator import run

PREPARED = {"gid": "left", "owner": "bob", "prepared": "2026-11-28", "tables": ["public.memories"]}


def refused(state: dict[str, Any], wanted: model.Model, url_options: str = "") -> list[str]:
    """Return the obstacles for which the plan is refused."""
    with pytest.raises(UnsafeStateError) as caught:
        plan.build(state, wanted, url_options)
    return caught.value.obstacles


def test_nothing_is_in_the_way_of_what_is_done(wanted: model.Model) -> None:
    before = blank_state()
    after = run(before, plan.build(before, wanted))
    for state in (before, after):
        state["hazards"]["prepared"] = [PREPARED]
    assert refused(before, wanted)[0].startswith("The prepared transaction left of bob")
    assert plan.build(after, wanted) == []
    # Without ``careful``, the plan ignores the hazards.
    assert plan.build(before, wanted, careful=False)


def test_all_hazards_are_told_with_the_other_obstacles(wanted: model.Model) -> None:
    state = blank_state()
    state["hazards"]["prepared"] = [PREPARED]
    state["tables"]["caller_profiles"]["exists"] = False
    assert len(refused(state, wanted)) == 2


def test_a_not_null_that_is_not_valid_is_refused(wanted: model.Model) -> None:
    state = blank_state()
    state["hazards"]["unvalidated"] = [{"schema": "public", "name": "memories", "constraint": "Set"}]
    (sentence,) = refused(state, wanted)
    assert sentence.startswith("The NOT NULL constraint Set of public.memories.customer_id is NOT VALID, and")
    assert sentence.endswith(' needs a valid one: ALTER TABLE "public"."memories" VALIDATE CONSTRAINT "Set" first.')


@pytest.mark.parametrize(
    ("options", "read_only"),
    [("-c default_transaction_read_only=on", True), ("-cdefault_transaction_read_only=TRUE", True),
     ("--default-transaction-read-only=on", True),
     ("-c default_transaction_read_only=off", False), ("-c my.default_transaction_read_only=on", False), ("", False)],
)  # fmt: skip
def test_a_url_may_let_the_service_only_read(wanted: model.Model, options: str, read_only: bool) -> None:
    found = hazards.obstacles(blank_state(), wanted, options)
    assert [text for text in found if "options= in DATABASE_URL" in text] == found
    assert bool(found) is read_only


def test_a_column_without_a_value_is_refused_unless_the_service_may_not_store_it(wanted: model.Model) -> None:
    state = blank_state()
    document = state["tables"]["memories"]
    document["columns"].append("c")
    document["attributes"].append(attribute("c", not_null=True))
    document["checks"] = [{"name": "c", "expression": "(c ~ '^(?=x)'::text)"}]
    (found,) = refused(state, wanted)
    assert found == (
        "public.memories.c is NOT NULL without a default, but no value for it can be derived (CHECK (c ~ "
        "'^(?=x)'::text)): add c: … to sample of memories in tenancy_tables."
    )
    document["rights"]["INSERT"] = ["k"]
    assert hazards.obstacles(state, wanted) == []


@pytest.mark.parametrize("enabled", [True, False])
def test_only_an_enabled_subscription_into_a_tenant_table_is_refused(wanted: model.Model, enabled: bool) -> None:
    state = blank_state()
    subscription = {"name": "sub", "enabled": enabled, "schema": "public", "table": "memories"}
    state["hazards"]["subscriptions"] = [subscription]
    found = hazards.obstacles(state, wanted)
    sentence = "The enabled subscription sub stores rows without a tenant in public.memories, and bypasses row security"
    assert [text.startswith(sentence) for text in found] == [True] * enabled
