"""Under load, a host is migrated, enforced and rolled back without a failed request or a wrong response.

The tests share one host, one after the other. Each playbook runs once.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from lab import MIGRATE, ROWS, TABLES, Host
from loaded import Load, load
from renewed import WORKERS, deploy, with_workers, workers
from service import schema

LIVE = "-etenancy_strategy=live"
ENFORCE = (
    "playbooks/enforce.yml", "-eenforce_confirm=YES", "-eenforce_accept=startup", "-etenancy_bridge_quiet_seconds=0",
    "-etenancy_bridge_startup_seconds=20", LIVE,
)  # fmt: skip
ROLLBACK = ("rollback.yml", "-erollback_confirm=YES", LIVE)


@pytest.fixture(scope="module")
def original(machine: Host) -> Iterator[str]:
    """Run the legacy release with the host's number of workers, and yield the original schema."""
    with with_workers(machine, WORKERS[machine.name]):
        yield schema(machine)


@pytest.fixture(scope="module")
def calls(machine: Host, original: str) -> Iterator[Load]:
    """Send 20 requests per second over new connections during all tests of this module."""
    with load(machine) as found:
        yield found


@pytest.fixture(scope="module")
def kept(machine: Host, calls: Load) -> Iterator[Load]:
    """Send more requests over persistent connections."""
    with load(machine, 2, keep_alive=True) as found:
        yield found


def live(machine: Host, *arguments: str) -> dict[str, Any]:
    """Run a playbook, assert that it succeeds without stopping the service, and return the run's record."""
    pid, number = machine.service_pid(), len(workers(machine))
    record = machine.playbook(*arguments).record
    assert (record["outcome"], record["strategy"], record["stopped_at"]) == ("SUCCESS", "live", None)
    assert "stop" not in [phase["name"] for phase in record["phases"]]
    assert (machine.service_pid(), len(workers(machine))) == (pid, number)
    assert not machine.failsafe_armed()
    return record


def assert_faultless_until_now(*loads: Load) -> None:
    """Assert that no request has failed and no response has been wrong so far, while the loads continue."""
    for found in loads:
        bad = [item for item in found.so_far() if item["failed"] or item["wrong"]]
        assert bad == []


def test_a_migration(machine: Host, calls: Load, kept: Load) -> None:
    before = workers(machine)
    record = live(machine, *MIGRATE, LIVE)
    names = [phase["name"] for phase in record["phases"]]
    assert [name for name in names if name in ("expand", "bridge", "renew", "apply", "answer")] == [
        "expand", "bridge", "renew", "apply", "answer",
    ]  # fmt: skip
    # Every session of the service is younger than the bridge.
    assert not workers(machine) & before
    assert machine.rows("customer_id <> 1") == dict.fromkeys(TABLES, 0)
    assert_faultless_until_now(calls, kept)


def test_the_tenant_aware_release_is_deployed_and_enforced_with_two_tenants(
    machine: Host, calls: Load, kept: Load
) -> None:
    for found in (calls, kept):
        found.serve(tenant_aware=True)
    deploy(machine, tenant_aware=True)
    # The callers of tenant 2 have the same names as those of tenant 1.
    with load(machine, 5, tenant=2, prefix=calls.prefix, tenant_aware=True) as other:
        # An earlier use of the bridge could still count as part of the service's start-up.
        time.sleep(22)
        record = live(machine, *ENFORCE)
        time.sleep(2)
    assert record["kind"] == "enforce"
    other.assert_faultless(least=100)
    assert sum(machine.rows("customer_id = 2").values()) > 20
    assert_faultless_until_now(calls, kept)
    for table in TABLES:
        machine.sql(f"DELETE FROM {table} WHERE customer_id = 2")


def test_both_rollbacks(machine: Host, original: str, calls: Load, kept: Load) -> None:
    # The legacy release does not work without the bridge, and the tenant-aware release does not work with the original
    # schema. Therefore the legacy release is deployed while row security is off.
    live(machine, *ROLLBACK, "-erollback_mode=policies")
    deploy(machine, tenant_aware=False)
    for found in (calls, kept):
        found.serve(tenant_aware=False)
    live(machine, *ROLLBACK, "-erollback_mode=schema")
    assert schema(machine) == original
    assert_faultless_until_now(calls, kept)


def test_nothing_failed_and_nothing_was_lost(machine: Host, calls: Load, kept: Load) -> None:
    time.sleep(2)
    calls.stop()
    kept.stop()
    calls.assert_faultless(least=1000)
    kept.assert_faultless(least=100)
    assert machine.rows("NOT starts_with(user_id, '+1777') OR user_id IS NULL") == ROWS
