"""Each tenant type has a spelling for sessions, another for the bridge, and values that no tenant is likely to have."""

from __future__ import annotations

import itertools
import uuid

import pglast
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.aimemory.tenancy.plugins.plugin_utils.changes import plan, revert, schema
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.model import model
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.model.tenants import TENANT_TYPES, Tenant, TenantType
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.proof import proof
from conftest import blank_state
from production import model_source
from simulator import run

UUID = "3f0c8a52-9d1e-4b7a-8c35-6e2f1d0b9a74"
TENANTS: dict[str, Tenant] = {"integer": 1, "bigint": 2**40, "smallint": 7, "uuid": UUID, "text": "o'neill \\"}
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1)
tenants = st.one_of(
    st.tuples(st.just(TENANT_TYPES["bigint"]), st.integers(1, 2**63 - 1)),
    st.tuples(st.just(TENANT_TYPES["uuid"]), st.uuids().map(str)),
    st.tuples(st.just(TENANT_TYPES["text"]), texts.filter(lambda text: not text.startswith(" "))),
)


def wanted(column_type: str) -> model.Model:
    return model.parse(model_source() | {"column_type": column_type, "default_tenant": TENANTS[column_type]})


@given(tenants)
def test_the_bridge_spells_it_otherwise_and_means_the_same(given: tuple[TenantType, Tenant]) -> None:
    kind, tenant = given
    spelled = kind.bridge(tenant)
    assert spelled != str(tenant)
    assert kind.plain(spelled) == str(tenant)
    assert kind.plain(str(tenant)) == str(tenant)


def test_a_uuid_in_capitals_is_the_same_tenant() -> None:
    assert TENANT_TYPES["uuid"].tenant(UUID.upper()) == UUID


def test_postgresql_reads_the_bridges_uuid_as_the_same() -> None:
    assert uuid.UUID(TENANT_TYPES["uuid"].bridge(UUID)) == uuid.UUID(UUID)


@pytest.mark.parametrize("kind", TENANT_TYPES.values(), ids=TENANT_TYPES)
def test_unused_tenants_are_tenants_and_differ(kind: TenantType) -> None:
    found = list(itertools.islice(kind.unused_tenants(), 5))
    assert len(set(found)) == 5
    for tenant in found:
        assert str(kind.tenant(int(tenant) if tenant.isdigit() else tenant)) == tenant


@pytest.mark.parametrize("column_type", TENANTS)
def test_every_plan_is_sql_and_can_be_rolled_back(column_type: str) -> None:
    target, state = wanted(column_type), blank_state()
    planned = plan.build(state, target)
    for item in [*planned, *schema.build(run(state, planned), target, state, lone=False)]:
        pglast.parse_sql(item["sql"])
    added = next(item["sql"] for item in plan.build(state, target) if item["id"] == "memories.column")
    assert f'"customer_id" {column_type} NOT NULL DEFAULT' in added
    for item in proof.attempts(target, *proof.synthetic_tenants(state, target)):
        pglast.parse_sql(item["sql"])


@pytest.mark.parametrize("column_type", TENANTS)
def test_the_constant_default_is_recognised(column_type: str) -> None:
    target, state = wanted(column_type), blank_state()
    for table in state["tables"].values():
        table["column"] = {
            "type": column_type, "not_null": True, "generated": False, "nulls": 0, "dependents": [],
            "tenants": {str(target.default_tenant): 3}, "default": target.printed_default,
        }  # fmt: skip
    assert revert.policies(state, target) == []
    state["tables"]["memories"]["column"]["default"] = target.tenant_type.printed_session(target.setting)
    assert [item["id"] for item in revert.policies(state, target)] == ["memories.default.constant"]


@pytest.mark.parametrize(("column_type", "wrong"), [("integer", 2), ("uuid", 2), ("text", 1)])
def test_every_setting_that_is_no_tenant_is_tried(column_type: str, wrong: int) -> None:
    found = [item["id"] for item in proof.attempts(wanted(column_type), "1", "2") if item["table"] == "memories"]
    tried = [name for name in found if name.startswith("memories.read.")]
    # Every type is tested with another tenant, the default tenant, and an unset, a reset and an empty setting.
    assert len(set(tried)) == 5 + wrong
