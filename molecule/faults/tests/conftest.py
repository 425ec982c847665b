"""Everything with FAULTS=all; otherwise a sample that the date chooses, so that every fault is tried in time."""

from __future__ import annotations

import pytest

from faults import ALL, today


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep one fault, and the kills of one half of a run, which choose among themselves (pytest's hook)."""
    if ALL:
        return
    names = {item: item.name.split("[")[-1].rstrip("]").split("-", 1)[-1] for item in items if "harmed" in item.name}
    kills = {item: item.function.__name__ for item in items if isinstance(item, pytest.Function) and item not in names}
    chosen = {today().choice(sorted(set(kind.values()))) for kind in (names, kills)}
    dropped = [item for item in items if (names | kills)[item] not in chosen]
    config.hook.pytest_deselected(items=dropped)
    items[:] = [item for item in items if item not in dropped]
