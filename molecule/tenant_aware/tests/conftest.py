"""One migration under the tenant-aware release serves all tests that need no other."""

from __future__ import annotations

import pytest

from lab import MIGRATE, Host, Run


@pytest.fixture(scope="module")
def migrated(machine: Host) -> Run:
    """Migrate under the tenant-aware release, with Ansible's highest verbosity."""
    machine.run("sudo lab-reset tenant_aware")
    return machine.playbook(*MIGRATE, "-vvv")
