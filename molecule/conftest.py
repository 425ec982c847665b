"""Fixtures of all scenarios."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from lab import Host


@pytest.fixture(scope="module")
def machine(host: Any) -> Iterator[Host]:
    """Return the lab host that the test runs on."""
    machine = Host(host.backend.get_hostname())
    yield machine
    machine.close()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests of one host on one worker: they share its database."""
    for item in items:
        callspec: Any = getattr(item, "callspec", None)
        if callspec is not None and "_testinfra_host" in callspec.params:
            item.add_marker(pytest.mark.xdist_group(str(callspec.params["_testinfra_host"])))
