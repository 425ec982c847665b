"""A database with production's manual changes is migrated, and the legacy release works completely afterwards."""

from __future__ import annotations

import pytest

from by_hand import FIRST_HALF, KNOWN, Made
from lab import MIGRATE, Host
from service import assert_works_in_full, schema

pytestmark = pytest.mark.one_host(together=True)


def make(machine: Host, made: Made) -> str:
    """Apply the change to a fresh database, and return its schema."""
    machine.reset()
    machine.sql(made.sql("ai_memory"))
    return schema(machine)


def test_the_first_half_is_migrated_and_rolled_back(machine: Host) -> None:
    left = make(machine, FIRST_HALF)
    dry = machine.playbook("migrate.yml", "--check")
    assert "Let sessions that set no tenant work as tenant 1" in dry.words
    assert schema(machine) == left
    run = machine.playbook("migrate.yml", "-emigrate_confirm=YES", "-ebackup_copy_max_bytes=0")
    assert run.record["outcome"] == "SUCCESS"
    assert "NOTE The bridge is on" in run.words
    assert_works_in_full(machine)
    machine.playbook("rollback.yml", "-erollback_mode=schema", "-erollback_confirm=YES")
    assert schema(machine) == left


@pytest.mark.wide
@pytest.mark.parametrize("made", KNOWN[1:], ids=str)
def test_a_service_that_can_store_nothing_is_migrated_all_the_same(machine: Host, made: Made) -> None:
    make(machine, made)
    assert not machine.call("/memory/store", user_id="+1", content="she prefers mornings")["success"]
    run = machine.playbook(*MIGRATE)
    assert run.record["outcome"] == "SUCCESS"
    assert "does not work before the change" in run.words
    assert_works_in_full(machine)
    machine.reset()
