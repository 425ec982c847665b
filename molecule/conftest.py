"""Fixtures of all scenarios, and one worker per lab host."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

from lab import Host


@pytest.fixture(scope="module")
def machine(host: Any) -> Iterator[Host]:
    """Return the lab host that the test runs on."""
    machine = Host(host.backend.get_hostname())
    yield machine
    machine.close()


class OneWorkerPerHost(LoadScopeScheduling):  # type: ignore[misc]
    """The tests of one host share its database, so they run one after the other."""

    def _split_scope(self, nodeid: str) -> str:
        found = re.search(r"\[ansible://(\w+)", nodeid)
        return found.group(1) if found else nodeid


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> OneWorkerPerHost:
    """Give each host a worker (pytest-xdist's hook)."""
    return OneWorkerPerHost(config, log)
