"""A restore runs the owner's code with only the owner's privileges, and connects to no other server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lab import Host
from planted import planted

BACKUP = ("playbooks/backup.yml", "-ebackup_copy_max_bytes=0")
PATH = "$(dirname $(readlink -f $(ls -d /usr/lib/postgresql/*/bin/pg_restore)))/pg_restore"


@pytest.fixture
def trap(machine: Host) -> Iterator[None]:
    """Plant code that fails if it runs with a superuser's privileges."""
    with planted(machine):
        yield


@pytest.mark.one_host
@pytest.mark.usefixtures("trap")
def test_the_test_restore_runs_nothing_above_its_owner(machine: Host) -> None:
    run = machine.playbook(*BACKUP)
    assert run.record["outcome"] == "SUCCESS"
    backup = machine.backups()[-1]
    assert machine.manifest(backup)["proven_seconds"] > 0
    # A restore as the superuser triggers the trap.
    machine.sql("CREATE DATABASE ai_memory_trap", database="postgres")
    try:
        done = machine.run(
            f"cd /; sudo -u postgres {PATH} --exit-on-error --dbname=ai_memory_trap {backup}/database 2>&1", check=False
        )
        assert "planted: " in done
    finally:
        machine.sql("DROP DATABASE ai_memory_trap", database="postgres")


@pytest.mark.wide
def test_a_copy_holds_no_subscription(machine: Host) -> None:
    machine.sql(
        "CREATE SUBSCRIPTION elsewhere CONNECTION 'host=127.0.0.1 port=1' PUBLICATION p"
        " WITH (connect = false, slot_name = NONE, enabled = false)"
    )
    before = machine.databases()
    try:
        for _ in range(2):
            assert machine.playbook(*BACKUP).record["outcome"] == "SUCCESS"
        assert machine.databases() == before
    finally:
        machine.sql("DROP SUBSCRIPTION elsewhere")
