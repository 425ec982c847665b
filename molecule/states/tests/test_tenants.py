"""Tenants of types other than integer have the same plan, proof, findings and rollback, on a real database."""

from __future__ import annotations

import pytest

from ansible_collections.aimemory.tenancy.plugins.module_utils.quoting import literal
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.changes import bridge, plan, revert
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.model import model
from lab import OWNER
from planner import Database
from production import production_source

pytestmark = pytest.mark.one_host

# Functions that expect integer tenants write to the other tables, which are therefore left out.
TABLES = ("memories", "call_summaries", "caller_profiles")
TENANTS = {
    "bigint": 2**40, "smallint": 7, "uuid": "3F0C8A52-9d1e-4b7a-8c35-6e2f1d0b9a74", "text": "O'Neill \\ Söhne ",
}  # fmt: skip


@pytest.fixture(params=TENANTS)
def other_type(request: pytest.FixtureRequest, database: Database) -> Database:
    """Return the unmigrated database with a model whose tenants have another type."""
    source = production_source(database.model.database)
    tables = [table for table in source["tables"] if table["name"] in TABLES]
    database.model = model.parse(
        source
        | {
            "column": "Mandant", "setting": "Firma.mandant", "column_type": request.param, "tables": tables,
            "default_tenant": TENANTS[request.param], "functions": [],
        }
    )  # fmt: skip
    return database


def test_it_is_migrated_proven_and_rolled_back(other_type: Database) -> None:
    before = other_type.state()
    proven = other_type.migrate()
    assert len(proven) > 100
    assert [item for item in proven if not item["ok"]] == []
    assert other_type.plan() == []
    assert other_type.failures(before) == []
    assert other_type.back_to(before) == []
    assert other_type.plan() != []


def test_half_a_migration_is_finished(other_type: Database) -> None:
    wanted = other_type.model
    other_type.run(
        f'ALTER TABLE memories ADD COLUMN "Mandant" {wanted.column_type}',
        f"UPDATE memories SET \"Mandant\" = {wanted.default_constant} WHERE type = 'fact'",
    )
    before = other_type.state()
    assert before["tables"]["memories"]["column"]["nulls"] > 0
    other_type.migrate()
    assert other_type.plan() == []
    assert other_type.failures(before) == []


def test_the_default_of_the_rolled_back_policies_is_recognised(other_type: Database) -> None:
    other_type.migrate()
    wanted = other_type.model
    other_type.run(*plan.transaction(revert.policies(other_type.state(), wanted), wanted, "5s"))
    state = other_type.state()
    assert revert.policies(state, wanted) == []
    rows = {name: table["rows"] for name, table in state["tables"].items()}
    assert [item for item in revert.policies_findings(state, wanted, rows) if not item["ok"]] == []


def test_what_the_bridge_spells_is_the_default_tenant_and_is_noted(other_type: Database) -> None:
    rows = other_type.value("SELECT count(*) FROM memories")
    other_type.migrate()
    wanted = other_type.model
    assert bridge.named(other_type.state(), wanted) == str(wanted.default_tenant)
    for tenant, noted in ((str(wanted.default_tenant), False), (wanted.bridge_value, True)):
        other_type.run("SET LOCAL row_security = on", f"SET LOCAL ROLE {OWNER}", _named(wanted, tenant))
        assert other_type.value("SELECT count(*) FROM memories") == rows
        other_type.run("RESET ROLE")
        used = "SELECT pg_sequence_last_value('tenancy_bridge_used_memories_select'::regclass)"
        assert (other_type.value(used) is not None) is noted


def _named(wanted: model.Model, tenant: str) -> str:
    """Return the statement that sets a session's tenant."""
    return f"SELECT set_config({literal(wanted.setting)}, {literal(tenant)}, true)"
