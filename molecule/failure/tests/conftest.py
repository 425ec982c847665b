"""Every file of the scenario starts in the same way."""

from __future__ import annotations

import pytest

from lab import Host


@pytest.fixture(scope="module", autouse=True)
def _fresh(machine: Host) -> None:
    """Start with an unmigrated database, whatever the previous file left."""
    machine.reset()
