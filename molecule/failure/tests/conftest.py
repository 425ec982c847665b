"""Every test file of the scenario starts with the same state."""

from __future__ import annotations

import pytest

from lab import Host


@pytest.fixture(scope="module", autouse=True)
def _fresh(machine: Host) -> None:
    """Start with an unmigrated database, whatever state the previous file left."""
    machine.reset()
