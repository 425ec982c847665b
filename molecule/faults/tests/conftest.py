"""Everything with FAULTS=all; otherwise a sample that the date chooses, so that every fault is tried in time."""

from __future__ import annotations

import pytest

from faults import ALL, today


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep the kills, which choose among themselves, and two of the other faults (pytest's hook)."""
    if ALL:
        return
    names = sorted({item.name.split("[")[-1].rstrip("]").split("-", 1)[-1] for item in items if "harmed" in item.name})
    chosen = tuple(today().sample(names, 2))
    dropped = [item for item in items if "harmed" in item.name and not item.name.rstrip("]").endswith(chosen)]
    config.hook.pytest_deselected(items=dropped)
    items[:] = [item for item in items if item not in dropped]
