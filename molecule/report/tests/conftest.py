"""All tests that do not need another run share two migrations."""

from __future__ import annotations

import pytest

from lab import Host
from reported import Runs, make

_MADE: dict[str, Runs] = {}


@pytest.fixture(scope="module")
def runs(machine: Host, tmp_path_factory: pytest.TempPathFactory) -> Runs:
    """Return the two runs, which all test files share."""
    if machine.name not in _MADE:
        _MADE[machine.name] = make(machine, tmp_path_factory.mktemp("webhook"))
    return _MADE[machine.name]
