"""Fixtures of all scenarios, and one worker per lab host."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

from lab import OWNER, Host
from planner import NAME, Database, unmigrated
from turns import places


@pytest.fixture(scope="module")
def machine(host: Any) -> Iterator[Host]:
    """Return the lab host that the test runs on."""
    machine = Host(host.backend.get_hostname())
    yield machine
    machine.close()


@pytest.fixture(scope="module")
def copy(machine: Host) -> Iterator[None]:
    """Copy the template database once; every test works in a transaction that is rolled back."""
    machine.sql(f"CREATE DATABASE {NAME} TEMPLATE ai_memory_template OWNER {OWNER}", database="postgres")
    yield
    machine.sql(f"DROP DATABASE {NAME} WITH (FORCE)", database="postgres")


@pytest.fixture
def database(machine: Host, copy: None) -> Iterator[Database]:
    """Return the unmigrated database."""
    with unmigrated(machine) as found:
        yield found


@pytest.fixture
def fresh(machine: Host) -> None:
    """Begin with a database that was not migrated."""
    machine.reset()


@pytest.fixture
def one_row_refuses(machine: Host) -> Iterator[None]:
    """Make one row refuse its tenant: the backfill fails inside the transaction."""
    machine.sql("ALTER TABLE personality_metrics ADD COLUMN customer_id integer")
    row = machine.sql("SELECT id FROM personality_metrics ORDER BY id LIMIT 1")[0][0]
    machine.sql(f"ALTER TABLE personality_metrics ADD CONSTRAINT one_row CHECK (id <> '{row}' OR customer_id IS NULL)")
    yield
    machine.sql("ALTER TABLE personality_metrics DROP COLUMN customer_id")


def pytest_configure(config: pytest.Config) -> None:
    """Name the markers of tests that need not be made on every host, or in every run (pytest's hook)."""
    config.addinivalue_line(
        "markers",
        "one_host(together): what it shows does not depend on the host; the hosts share such tests, or such modules",
    )
    config.addinivalue_line(
        "markers", "by_turns: of such tests, of a side path each, a run makes the fifth that the date chooses"
    )


def _host(nodeid: str) -> tuple[str, str] | None:
    """Return the lab host of a test, and the test without it."""
    # It stands before or after other parameters.
    found = re.search(r"ansible://(\w+)", nodeid)
    return (found.group(1), nodeid.replace(found.group(0), "")) if found else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Share the marked tests among the hosts, and leave out those whose turn it is not (pytest's hook)."""
    hosts: dict[str, list[str]] = {}
    by_turns: set[str] = set()
    shared: dict[pytest.Item, tuple[str, str]] = {}
    for item in items:
        marker = item.get_closest_marker("by_turns") or item.get_closest_marker("one_host")
        place = _host(item.nodeid)
        if marker and place:
            host, test = place
            if marker.kwargs.get("together"):
                test = test.partition("::")[0]
            shared[item] = host, test
            if host not in hosts.setdefault(test, []):
                hosts[test].append(host)
            if marker.name == "by_turns":
                by_turns.add(test)
    made = places(hosts, by_turns)
    dropped = [item for item, (host, test) in shared.items() if made.get(test) != host]
    config.hook.pytest_deselected(items=dropped)
    items[:] = [item for item in items if item not in dropped]


class OneWorkerPerHost(LoadScopeScheduling):  # type: ignore[misc]
    """The tests of one host share its database, so they run one after the other."""

    def _split_scope(self, nodeid: str) -> str:
        place = _host(nodeid)
        return place[0] if place else nodeid


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> OneWorkerPerHost:
    """Give each host a worker (pytest-xdist's hook)."""
    return OneWorkerPerHost(config, log)
