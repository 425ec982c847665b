"""All tests that do not need another run share one migration with the tenant-aware release."""

from __future__ import annotations

import pytest

from lab import MIGRATE, Host, Run


@pytest.fixture(scope="module")
def migrated(machine: Host) -> Run:
    """Migrate with the tenant-aware release, with Ansible's highest verbosity."""
    machine.run("sudo lab-reset tenant_aware")
    return machine.playbook(*MIGRATE, "-vvv")
