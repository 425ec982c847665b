"""Fixtures for all scenarios, and one worker for each lab host."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

from lab import OWNER, Host
from planner import NAME, Database, unmigrated
from rows import NO_ROW_OF_THE_PROOF
from turns import ALL, Case, places


@pytest.fixture(scope="module")
def machine(host: Any) -> Iterator[Host]:
    """Yield the lab host on which the test runs."""
    machine = Host(host.backend.get_hostname())
    yield machine
    machine.close()


@pytest.fixture(scope="module")
def copy(machine: Host) -> Iterator[None]:
    """Copy the template database once. Every test works in a transaction that is rolled back."""
    machine.sql(f"CREATE DATABASE {NAME} TEMPLATE ai_memory_template OWNER {OWNER}", database="postgres")
    yield
    machine.sql(f"DROP DATABASE {NAME} WITH (FORCE)", database="postgres")


@pytest.fixture
def database(machine: Host, copy: None) -> Iterator[Database]:
    """Yield the unmigrated database."""
    with unmigrated(machine) as found:
        yield found


@pytest.fixture
def fresh(machine: Host) -> None:
    """Start with an unmigrated database."""
    machine.reset()


@pytest.fixture
def one_row_refuses(machine: Host) -> Iterator[None]:
    """Make a table reject the proof's row, so that the transaction fails at its end."""
    machine.sql(f"ALTER TABLE personality_metrics ADD CONSTRAINT one_row {NO_ROW_OF_THE_PROOF}")
    yield
    machine.sql("ALTER TABLE personality_metrics DROP CONSTRAINT one_row")


def pytest_configure(config: pytest.Config) -> None:
    """Register the markers for tests that run on only one host or only in some runs (a pytest hook)."""
    config.addinivalue_line(
        "markers",
        "one_host(together): the result does not depend on the host, so the hosts share these tests (or modules)",
    )
    config.addinivalue_line(
        "markers", "by_turns: each test covers a variant; a run tests one variant in thirty, always the same ones"
    )
    config.addinivalue_line("markers", "wide: runs only with TESTS=all, because it runs more playbooks")
    config.addinivalue_line("markers", "sample: always runs, although its module is wide")


def _host(nodeid: str) -> tuple[str, str] | None:
    """Return the lab host in the ID of a test, and the ID without the host."""
    # The host's parameter may precede or follow other parameters.
    found = re.search(r"ansible://(\w+)", nodeid)
    return (found.group(1), nodeid.replace(found.group(0), "")) if found else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Divide the marked tests among the hosts, and deselect those that are not part of this run (a pytest hook)."""
    if not ALL:
        wide = [item for item in items if item.get_closest_marker("wide") and not item.get_closest_marker("sample")]
        config.hook.pytest_deselected(items=wide)
        items[:] = [item for item in items if item not in wide]
    tests: dict[str, Case] = {}
    by_turns: set[str] = set()
    marked: dict[pytest.Item, tuple[str, str]] = {}
    for item in items:
        side_path, shared = item.get_closest_marker("by_turns"), item.get_closest_marker("one_host")
        if side_path or shared:
            # A test that uses several hosts is not assigned to one of them.
            host, name = _host(item.nodeid) or ("", item.nodeid)
            together = shared is not None and shared.kwargs.get("together", False)
            group = name.partition("::")[0] if together else name
            hosts = tests[name].hosts if name in tests else []
            tests[name] = Case([*hosts, host], group)
            marked[item] = host, name
            if side_path:
                by_turns.add(name)
    made = places(tests, by_turns)
    dropped = [item for item, (host, name) in marked.items() if made.get(name) != host]
    config.hook.pytest_deselected(items=dropped)
    items[:] = [item for item in items if item not in dropped]


class OneWorkerPerHost(LoadScopeScheduling):  # type: ignore[misc]
    """Run the tests of each host one after the other, because they share the host's database."""

    def _split_scope(self, nodeid: str) -> str:
        place = _host(nodeid)
        return place[0] if place else nodeid


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> OneWorkerPerHost:
    """Assign a worker to each host (a pytest-xdist hook)."""
    return OneWorkerPerHost(config, log)
