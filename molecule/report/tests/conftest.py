"""Every file of the scenario begins alike."""

from __future__ import annotations

import pytest

from lab import Host


@pytest.fixture(scope="module", autouse=True)
def _fresh(machine: Host) -> None:
    """Begin with a database that was not migrated, whatever the file before left."""
    machine.reset()
