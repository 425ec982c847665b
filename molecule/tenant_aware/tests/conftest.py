"""One migration under the release that names its tenant serves all tests that need no other."""

from __future__ import annotations

import pytest

from lab import MIGRATE, Host, Run


@pytest.fixture(scope="module")
def migrated(machine: Host) -> Run:
    """Migrate under the release that names its tenant, with every word that Ansible has."""
    machine.run("sudo lab-reset tenant_aware")
    return machine.playbook(*MIGRATE, "-vvv")
