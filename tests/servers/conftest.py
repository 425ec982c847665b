"""Fixtures: a server of each supported PostgreSQL version, with AI-Memory's unmigrated database."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

import pytest

import temporary
from planner import NAME, Database
from server import MAJORS, NEWEST, OLDEST, Server, fill, running
from turns import Case, places

ON_EACH = ("test_chain",)
ON_BOTH = ("test_audit_rules", "test_generated_keys", "test_live", "test_trap")
# These tests have so many combinations that each runs on only one version, even with TESTS=all.
ON_ONE = ("test_states_of_production",)


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker ``since`` (a pytest hook)."""
    config.addinivalue_line("markers", "since(major): the test uses syntax that this version of PostgreSQL introduced")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Select the PostgreSQL versions for each test (a pytest hook).

    Tests in ON_EACH run on every version. Tests in ON_BOTH run on the oldest and the newest version. Any other test
    runs on one of these two versions, or on both with TESTS=all unless it is in ON_ONE. The version in a
    marker ``since`` replaces the oldest version.
    """
    every = os.environ.get("TESTS") == "all"
    cases: dict[str, Case] = {}
    of_version: dict[pytest.Item, tuple[str, str]] = {}
    dropped = []
    for item in items:
        version = re.search(r"postgresql-(\d+)", item.name)
        if version is None:
            continue
        least = max((marker.args[0] for marker in item.iter_markers("since")), default=OLDEST)
        both = [str(major) for major in (least, NEWEST)]
        if int(version[1]) < least or (item.path.stem not in ON_EACH and version[1] not in both):
            dropped.append(item)
        elif item.path.stem in ON_ONE if every else item.path.stem not in (*ON_EACH, *ON_BOTH):
            name = item.nodeid.replace(version[0], "")
            cases[name] = Case(both, name)
            of_version[item] = version[1], name
    made = places(cases, ())
    dropped += [item for item, (version, name) in of_version.items() if made[name] != version]
    config.hook.pytest_deselected(items=dropped)
    left_out = set(dropped)
    items[:] = [item for item in items if item not in left_out]


@pytest.fixture(scope="session", params=MAJORS, ids=lambda major: f"postgresql-{major}")
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """Yield a server that has a populated template database."""
    with running(request.param) as found:
        fill(found)
        yield found


@pytest.fixture
def database(server: Server) -> Iterator[Database]:
    """Yield a copy of the unmigrated database, in a transaction that is rolled back."""
    with temporary.copied(server, NAME) as found:
        yield found
