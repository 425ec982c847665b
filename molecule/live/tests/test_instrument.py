"""The load reports requests that fail during a restart, and rows that are lost. Without a fault, it reports nothing."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from lab import Host
from loaded import load
from renewed import with_workers

# Each module with this marker runs on one of the hosts.
pytestmark = pytest.mark.one_host(together=True)


@pytest.fixture(scope="module", autouse=True)
def service(machine: Host) -> Iterator[None]:
    """Run the service with two workers on every host."""
    with with_workers(machine, 2):
        yield


def test_nothing_happens_and_nothing_fails(machine: Host) -> None:
    with load(machine) as calls, load(machine, 5, keep_alive=True) as kept:
        time.sleep(5)
    calls.assert_faultless(least=50)
    kept.assert_faultless(least=10)


def test_a_restart_fails_requests(machine: Host) -> None:
    with load(machine) as calls, load(machine, 5, keep_alive=True) as kept:
        time.sleep(2)
        machine.run("sudo systemctl restart ai-memory")
        machine.wait_until_healthy()
        time.sleep(2)
    for found in (calls.summary, kept.summary):
        assert found["failed"] > 0, found
        assert found["wrong"] == 0, found
    assert any("Connection" in failure for failure in calls.summary["failures"])
    assert calls.summary["longest_gap_s"] > 0.2


def test_a_row_that_is_lost_or_moved_is_seen(machine: Host) -> None:
    with load(machine) as calls:
        time.sleep(3)
        values = (f"{calls.prefix}%",)
        machine.sql("DELETE FROM memories WHERE user_id LIKE %s", values)
        machine.sql("UPDATE caller_profiles SET total_calls = total_calls - 1 WHERE user_id LIKE %s", values)
        time.sleep(2)
    assert calls.summary["failed"] == 0, calls.summary
    assert any("acknowledged rows are missing" in fault for fault in calls.summary["faults"]), calls.summary
    assert any(", memories: " in fault for fault in calls.summary["row_faults"]), calls.summary
    assert any(", caller_profiles: total_calls is" in fault for fault in calls.summary["row_faults"]), calls.summary


def test_a_table_that_is_gone_fails_writes_and_makes_reads_wrong(machine: Host) -> None:
    with load(machine) as calls:
        time.sleep(2)
        machine.sql("ALTER TABLE memories RENAME TO memories_elsewhere")
        time.sleep(2)
        machine.sql("ALTER TABLE memories_elsewhere RENAME TO memories")
        time.sleep(1)
    # In both cases, the service responds with HTTP 200.
    assert any(failure.startswith("store: no success") for failure in calls.summary["failures"]), calls.summary
    assert any(fault.startswith("retrieve of") for fault in calls.summary["faults"]), calls.summary
    assert calls.summary["row_faults"] == []
