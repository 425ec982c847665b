"""Run all tests with FAULTS=all, and a fixed sample otherwise."""

from __future__ import annotations

import pytest

from faults import ALL, sampled


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Without FAULTS=all, select only one of the tests that kill a run (a pytest hook)."""
    if ALL:
        return
    kills = {item: item.function.__name__ for item in items if isinstance(item, pytest.Function)}
    chosen = sampled(sorted({name for name in kills.values() if "harmed" not in name}))
    dropped = [item for item in items if kills.get(item) != chosen]
    config.hook.pytest_deselected(items=dropped)
    items[:] = [item for item in items if item not in dropped]
