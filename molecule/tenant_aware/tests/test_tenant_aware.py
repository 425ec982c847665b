"""The tenant-aware release after the migration, and after each rollback."""

from __future__ import annotations

import pytest

from lab import MIGRATE, ROWS, Host
from service import assert_works_in_full, deploy


@pytest.mark.by_turns
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
        refused = machine.playbook("rollback.yml", "-erollback_mode=policies", "-erollback_confirm=YES", check=False)
        assert "Rows of tenants other than 1 exist (memories 1, caller_profiles 1)" in refused.words
    finally:
        machine.sql("DELETE FROM memories WHERE customer_id = 2")
        machine.sql("DELETE FROM caller_profiles WHERE customer_id = 2")
    assert machine.rows() == ROWS


def test_requests_of_two_tenants_on_one_connection_stay_apart(machine: Host) -> None:
    # One worker, one connection: each request finds the setting of the previous one.
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


@pytest.mark.by_turns
def test_it_works_after_the_rollback_of_the_policies(machine: Host) -> None:
    machine.playbook("rollback.yml", "-erollback_mode=policies", "-erollback_confirm=YES")
    assert_works_in_full(machine)
    assert machine.rows() == ROWS
    assert "Switch row-level security on" in machine.playbook("migrate.yml", "--check").words


@pytest.mark.by_turns
def test_the_original_schema_comes_back_with_the_legacy_release(machine: Host) -> None:
    # The original schema has no customer_id, so the tenant-aware release cannot run on it.
    deploy(machine, "legacy")
    machine.playbook("rollback.yml", "-erollback_mode=schema", "-erollback_confirm=YES")
    assert_works_in_full(machine)
    assert machine.rows() == ROWS
    machine.playbook(*MIGRATE)
    deploy(machine, "tenant_aware")
    assert_works_in_full(machine)


@pytest.mark.by_turns
def test_the_backup_comes_back_with_the_legacy_release(machine: Host) -> None:
    deploy(machine, "legacy")
    machine.playbook("rollback.yml", "-erollback_mode=restore", "-erollback_confirm=YES")
    assert_works_in_full(machine)
    assert machine.rows() == ROWS
