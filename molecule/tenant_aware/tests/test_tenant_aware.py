"""The tenant-aware release after the migration, and after each rollback."""

from __future__ import annotations

import pytest

from ansible_collections.aimemory.tenancy.plugins.module_utils import tokens
from lab import MIGRATE, ROWS, TOKEN_SECRET, Host, Run
from service import assert_works_in_full, deploy, traces

pytestmark = pytest.mark.usefixtures("migrated")

CALLER = "+15550000000-runbook"


def rows_of_the_test(machine: Host) -> dict[str, int]:
    return machine.rows(f"starts_with(user_id, '{CALLER}')")


def test_it_is_tried_with_a_token_that_is_kept_nowhere(machine: Host, migrated: Run) -> None:
    assert migrated.record["outcome"] == "SUCCESS"
    assert migrated.record["api"] == {
        "mode": "full", "token": "signed", "unproven": [], "shown": [], "endpoints": 0, "apart": 0,
    }  # fmt: skip
    assert set(rows_of_the_test(machine).values()) == {0}
    left = traces(machine, migrated)
    assert "JWT validated: customer_id=1" in left
    # Every token starts with this header. Its absence shows that no token was left behind.
    assert tokens.signed({}, "x").split(".")[0] not in left
    assert TOKEN_SECRET not in left


@pytest.mark.wide
def test_every_finding_holds_and_the_proof_can_be_repeated(machine: Host) -> None:
    before = machine.untouched()
    run = machine.playbook("playbooks/verify.yml", "-everify_proof=true")
    assert "attempts, none leaked" in run.words
    assert run.changed == 0
    assert machine.untouched() == before


def test_both_tenants_work_in_full_and_apart(machine: Host) -> None:
    assert_works_in_full(machine, tenant=1)
    assert_works_in_full(machine, tenant=2)
    machine.call("/memory/store", user_id="+15550001111", customer_id=2, content="a secret of tenant 2")
    try:
        own = machine.call("/memory/retrieve", user_id="+15550001111", customer_id=2)
        assert [memory["content"] for memory in own["memories"]] == ["a secret of tenant 2"]
        assert machine.call("/memory/retrieve", user_id="+15550001111", customer_id=1)["memories"] == []
    finally:
        machine.sql("DELETE FROM memories WHERE customer_id = 2")
        machine.sql("DELETE FROM caller_profiles WHERE customer_id = 2")
    assert machine.rows() == ROWS


def test_requests_of_two_tenants_on_one_connection_stay_apart(machine: Host) -> None:
    # With one worker and one connection, each request finds the setting of the previous request.
    user = "+15550002222"
    try:
        for turn in range(4):
            for tenant in (1, 2, 2, 1):
                stored = machine.call("/memory/store", user_id=user, customer_id=tenant, content=f"{tenant} {turn}")
                assert stored["success"], stored
                reader = 3 - tenant
                for asked in (reader, tenant):
                    found = machine.call("/memory/retrieve", user_id=user, customer_id=asked, limit=99)["memories"]
                    assert {memory["content"].split()[0] for memory in found} <= {str(asked)}
        for tenant in (1, 2):
            assert len(machine.call("/memory/retrieve", user_id=user, customer_id=tenant, limit=99)["memories"]) == 8
    finally:
        for table in ("memories", "caller_profiles"):
            machine.sql(f"DELETE FROM {table} WHERE user_id = %s", (user,))
    assert machine.rows() == ROWS


@pytest.mark.wide
def test_it_works_after_the_rollback_of_the_policies(machine: Host) -> None:
    machine.playbook("rollback.yml", "-erollback_mode=policies", "-erollback_confirm=YES")
    assert_works_in_full(machine)
    assert machine.rows() == ROWS
    assert "Enable row-level security" in machine.playbook("migrate.yml", "--check").words


@pytest.mark.wide
def test_the_original_schema_comes_back_with_the_legacy_release(machine: Host) -> None:
    # The original schema has no customer_id, so the tenant-aware release cannot work with it.
    deploy(machine, "legacy")
    machine.playbook("rollback.yml", "-erollback_mode=schema", "-erollback_confirm=YES")
    assert_works_in_full(machine)
    assert machine.rows() == ROWS
    machine.playbook(*MIGRATE)
    deploy(machine, "tenant_aware")
    assert_works_in_full(machine)


@pytest.mark.wide
def test_the_backup_comes_back_with_the_legacy_release(machine: Host) -> None:
    deploy(machine, "legacy")
    machine.playbook("rollback.yml", "-erollback_mode=restore", "-erollback_confirm=YES")
    assert_works_in_full(machine)
    assert machine.rows() == ROWS
