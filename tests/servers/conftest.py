"""Servers of every major version without a host, each with the unmigrated database of AI-Memory."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

import pytest

import temporary
from planner import NAME, Database
from server import MAJORS, Server, fill, running
from turns import Case, places

ON_EACH = ("test_audit_rules", "test_chain", "test_generated_keys", "test_trap")
# A single version tests these many combinations, with any TESTS.
ON_ONE = ("test_states_of_production",)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Share the tests among the versions, except those of ON_EACH (pytest's hook).

    With TESTS=all, every version runs each test, except combinations.
    """
    every = os.environ.get("TESTS") == "all"
    cases: dict[str, Case] = {}
    of_version: dict[pytest.Item, tuple[str, str]] = {}
    for item in items:
        version = re.search(r"postgresql-\d+", item.name)
        if version and (item.path.stem in ON_ONE if every else item.path.stem not in ON_EACH):
            name = item.nodeid.replace(version.group(), "")
            known = cases.get(name, Case((), name))
            cases[name] = Case((*known.hosts, version.group()), name)
            of_version[item] = version.group(), name
    made = places(cases, ())
    dropped = [item for item, (version, name) in of_version.items() if made[name] != version]
    config.hook.pytest_deselected(items=dropped)
    items[:] = [item for item in items if item not in dropped]


@pytest.fixture(scope="session", params=MAJORS, ids=lambda major: f"postgresql-{major}")
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """Return a server with the filled template database."""
    with running(request.param) as found:
        fill(found)
        yield found


@pytest.fixture
def database(server: Server) -> Iterator[Database]:
    """Return a copy of the unmigrated database, in a transaction."""
    with temporary.copied(server, NAME) as found:
        yield found
