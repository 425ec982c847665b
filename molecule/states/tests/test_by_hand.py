"""What was run on production by hand: the older release's service is migrated, and works in full afterwards."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from by_hand import FIRST_HALF
from lab import Host
from service import assert_works_in_full, schema

pytestmark = pytest.mark.one_host(together=True)


@pytest.fixture(scope="module", autouse=True)
def left_as_on_production(machine: Host) -> Iterator[None]:
    machine.reset()
    machine.sql(FIRST_HALF.sql("ai_memory"))
    yield
    machine.reset()


@pytest.fixture(scope="module")
def left(machine: Host) -> str:
    """Return the schema of before."""
    return schema(machine)


def test_the_dry_run_says_that_the_bridge_is_planned(machine: Host, left: str) -> None:
    run = machine.playbook("migrate.yml", "--check")
    assert "Let code that names no tenant yet work as tenant 1" in run.words
    assert schema(machine) == left


def test_it_is_migrated_and_the_older_release_works_in_full(machine: Host, left: str) -> None:
    run = machine.playbook("migrate.yml", "-emigrate_confirm=YES", "-ebackup_copy_max_bytes=0")
    assert run.record["outcome"] == "SUCCESS"
    assert "NOTE The bridge is on" in run.words
    assert_works_in_full(machine)
    assert machine.playbook("migrate.yml").changed == 0
    machine.playbook("playbooks/verify.yml")


def test_it_goes_back_to_what_was_left(machine: Host, left: str) -> None:
    machine.playbook("rollback.yml", "-erollback_mode=schema", "-erollback_confirm=YES")
    assert schema(machine) == left
