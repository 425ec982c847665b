"""The release that names its tenant, after the migration and after each way back."""

from __future__ import annotations

from lab import ROWS, Host
from service import assert_works_in_full


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


def test_it_works_after_the_rollback_of_the_policies(machine: Host) -> None:
    machine.playbook("rollback.yml", "-erollback_mode=policies", "-erollback_confirm=YES")
    assert_works_in_full(machine)
    assert machine.rows() == ROWS


def test_the_old_schema_comes_back_with_the_legacy_release(machine: Host) -> None:
    # The restored database has no customer_id, so the release that names it cannot be what runs on it.
    machine.run("sudo sed -i s/^AI_MEMORY_RELEASE=.*/AI_MEMORY_RELEASE=legacy/ /opt/ai-memory/.env")
    machine.playbook("rollback.yml", "-erollback_mode=restore", "-erollback_confirm=YES")
    assert_works_in_full(machine)
    assert machine.rows() == ROWS
