"""Only a separate login assigns the default tenant to rows without a tenant."""

from __future__ import annotations

from typing import Any

import pglast
import pytest

import golden
from ansible_collections.aimemory.tenancy.plugins.module_utils import backfill_login
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.changes import backfill, online, plan
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.model import model
from conftest import blank_state
from production import model_source, rental_source

State = dict[str, Any]


def column(**changes: Any) -> State:
    """Return a tenant column that is NULL in three rows."""
    return {
        "type": "integer", "not_null": False, "default": None, "generated": False, "dependents": [], "nulls": 3,
        "tenants": {},
    } | changes  # fmt: skip


def planned(**changes: Any) -> list[backfill.Item]:
    """Return the backfill of the table memories, whose tenant column has these properties."""
    state = blank_state()
    state["tables"]["memories"]["column"] = column(**changes)
    return backfill.items(state, model.parse(model_source()))


def test_a_table_without_such_rows_is_left_alone() -> None:
    assert planned(nulls=0) == []
    assert [item["id"] for item in planned()] == ["memories.backfill"]


def test_an_existing_default_is_kept() -> None:
    assert planned(default="current_setting('x')::integer")[0]["default"] is None
    assert planned()[0]["default"].endswith('ALTER COLUMN "customer_id" SET DEFAULT 1')


def test_a_policy_is_made_where_row_security_is_on() -> None:
    state = blank_state()
    document = state["tables"]["memories"]
    document["column"] = column()
    wanted = model.parse(model_source())
    (off,) = backfill.items(state, wanted)
    document["rls"]["enabled"] = True
    (on,) = backfill.items(state, wanted)
    assert [text.split()[0] for text in off["prepare"]] == ["GRANT"]
    assert [text.split()[0] for text in on["prepare"]] == ["GRANT", "CREATE"]
    assert 'TO "tenancy_backfill_ai_memory"' in on["prepare"][1]
    assert len(pglast.parse_sql("; ".join(on["prepare"]))) == len(on["prepare"])


def test_rows_that_move_with_their_tenant_are_changed_at_once() -> None:
    state = golden.catalog("rental")
    levels = state["tables"]["water_levels"]
    levels["column"] = column(type="uuid")
    wanted = model.parse(rental_source(state["database"]))
    (item,) = backfill.items(state, wanted)
    assert len(item["updates"]) > 1
    assert all(update["paged"] for update in item["updates"])
    next(part for part in levels["partitions"] if part["partition_key"])["partition_key"] = ["marina"]
    (item,) = backfill.items(state, wanted)
    assert [(update["relation"], update["paged"]) for update in item["updates"]] == [('"rental"."water_levels"', False)]


def test_the_transaction_changes_no_row_and_refuses_those_that_came() -> None:
    state = blank_state()
    state["tables"]["memories"]["column"] = column()
    wanted = model.parse(model_source())
    statements = plan.build(state, wanted)
    assert "memories.backfill" in [item["id"] for item in statements]
    for strategy in ("atomic", "online"):
        assert "memories.backfill" not in [item["id"] for item in online.cutover(statements, strategy)]
    made = plan.transaction(statements, wanted, "5s")
    assert not [text for text in made if text.startswith("UPDATE")]
    (guard,) = [text for text in made if "were stored in memories" in text]
    (after,) = [text for text in made if text.endswith('ALTER COLUMN "customer_id" SET NOT NULL')]
    assert made.index(guard) == made.index(after) - 1


@pytest.mark.parametrize("name", ["ai_memory", "a" * 63])
def test_the_login_is_a_name_of_the_databases(name: str) -> None:
    assert len(backfill_login.role(name).encode()) <= 63
    given = {"name": backfill_login.role(name), "verifier": "SCRAM-SHA-256$x'", "database": name, "schema": "public"}
    for text in [*backfill_login.login(given), *backfill_login.removal(given["name"])]:
        assert len(pglast.parse_sql(text)) == 1
