"""Servers of the major versions that no lab host has, each with the unmigrated database of AI-Memory."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator

import pytest

from lab import OWNER
from planner import NAME, Database
from server import MAJORS, TEMPLATE, Server, fill, running
from turns import Case, places

ON_EACH = ("test_audit_rules", "test_chain", "test_generated_keys", "test_trap")
# These many combinations run on a single version, even with TESTS=all.
ON_ONE = ("test_states_of_production",)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Divide the tests among the versions, except those in ON_EACH (a pytest hook).

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
    """Return a server with a populated template database."""
    with running(request.param) as found:
        fill(found)
        yield found


@pytest.fixture
def database(server: Server) -> Iterator[Database]:
    """Return a copy of the unmigrated database, in a transaction."""
    server.sql(f"CREATE DATABASE {NAME} TEMPLATE {TEMPLATE} OWNER {OWNER}")
    try:
        with contextlib.closing(server.connect(NAME)) as connection:
            connection.autocommit = False
            yield Database(connection, NAME)
            connection.rollback()
    finally:
        server.sql(f"DROP DATABASE {NAME} WITH (FORCE)")
