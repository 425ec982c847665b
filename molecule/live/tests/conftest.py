"""Run the tests that cause every kind of interruption only with FAULTS=all."""

from __future__ import annotations

import pytest

from faults import ALL


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without FAULTS=all, deselect the tests of interruptions that need several runs each (a pytest hook)."""
    dropped = [] if ALL else [item for item in items if item.get_closest_marker("every_fault")]
    config.hook.pytest_deselected(items=dropped)
    items[:] = [item for item in items if item not in dropped]


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker of the tests that run only with FAULTS=all (a pytest hook)."""
    config.addinivalue_line("markers", "every_fault: runs with FAULTS=all only")
