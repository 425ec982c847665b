"""The service, the migration, the verification and the rollback on PostgreSQL 16, production's major version."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from lab import MIGRATE, ROOT, ROWS, Host
from service import assert_works_in_full

pytestmark = pytest.mark.one_host


def choose_postgresql(machine: Host, *variables: str) -> None:
    """Replace the PostgreSQL of the host, and start the service with a freshly seeded database."""
    command = ["ansible-playbook", "lab/postgresql.yml", "--inventory=inventory/lab.yml", f"--limit={machine.name}"]
    done = subprocess.run(
        [*command, *variables], cwd=ROOT, capture_output=True, text=True, timeout=900, check=False
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    machine.reset()


@pytest.fixture(scope="module")
def on_16(machine: Host) -> Iterator[Host]:
    """Yield a lab host with PostgreSQL 16, and restore the packaged version afterwards."""
    try:
        choose_postgresql(machine, "-elab_postgresql=16", "-elab_pgvector=", "-elab_embedding=real[]")
        yield machine
    finally:
        choose_postgresql(machine)


def test_a_migration_on_production_s_version(on_16: Host) -> None:
    assert on_16.sql("SELECT current_setting('server_version_num')::int / 10000") == [(16,)]
    run = on_16.playbook(*MIGRATE)
    assert run.record["outcome"] == "SUCCESS"
    assert run.record["versions"]["PostgreSQL"].startswith("16.")
    assert on_16.rows("customer_id = 1") == ROWS
    assert_works_in_full(on_16)


@pytest.mark.wide
def test_a_verification_and_a_rollback_on_production_s_version(on_16: Host) -> None:
    on_16.playbook("playbooks/verify.yml")
    run = on_16.playbook("rollback.yml", "-erollback_mode=schema", "-erollback_confirm=YES")
    assert run.record["outcome"] == "SUCCESS"
    assert on_16.rows() == ROWS
