"""The rehearsal does in a restored copy what the migration will do, and the real database does not notice."""

from __future__ import annotations

import pytest

from lab import ROWS, Host

REHEARSE = "playbooks/rehearse.yml"
BACKUP = ("playbooks/backup.yml", "-ebackup_copy_max_bytes=0")


def test_it_takes_a_backup_where_there_is_none(machine: Host) -> None:
    before = machine.catalogs(), machine.service_pid(), machine.rows()
    run = machine.playbook(REHEARSE)
    (backup,) = machine.backups()
    assert f"{backup}: 54 statements, 181 attempts of the isolation proof" in run.words
    assert (machine.catalogs(), machine.service_pid(), machine.rows()) == before
    assert machine.databases() == set()


def test_it_measures_and_touches_nothing(machine: Host) -> None:
    before = machine.untouched()
    run = machine.playbook(REHEARSE)
    measured = run.record["rehearsal"]
    assert 0 < measured["locked_seconds"] < measured["apply_seconds"] < 10
    assert 0 < measured["verify_seconds"] < 20
    assert 0 < measured["revert_seconds"] < 20
    assert measured["findings"] > 90
    assert f"locks on the tables up to {measured['locked_seconds']} s" in run.words
    assert machine.untouched() == before
    assert machine.databases() == set()
    assert machine.lock() == ""


@pytest.mark.by_turns
def test_check_only_plans(machine: Host) -> None:
    before = machine.untouched()
    assert "REHEARSAL" not in machine.playbook(REHEARSE, "--check").words
    assert machine.untouched() == before


@pytest.mark.by_turns
def test_a_backup_of_another_schema_is_not_rehearsed_with(machine: Host) -> None:
    machine.sql("ALTER TABLE memories ADD COLUMN customer_id integer")
    try:
        before = machine.untouched()
        run = machine.playbook(REHEARSE, check=False)
        assert "does not have the schema that the database has now: take a new one" in run.words
        assert machine.untouched() == before
        assert machine.databases() == set()
    finally:
        machine.sql("ALTER TABLE memories DROP COLUMN customer_id")


@pytest.mark.by_turns
@pytest.mark.usefixtures("one_row_refuses")
def test_a_migration_that_would_fail_fails_here_and_stops_nothing(machine: Host) -> None:
    before = machine.catalogs(), machine.service_pid(), machine.rows()
    run = machine.playbook("migrate.yml", "-emigrate_confirm=YES", "-emigrate_rehearse=true", check=False)
    assert run.record["failure"]["phase"] == "rehearse"
    assert "one_row" in run.record["failure"]["message"]
    assert run.record["outcome"] == "FAILED"
    assert "Nothing was changed: the service and the database are as they were." in run.words
    assert (machine.catalogs(), machine.service_pid(), machine.rows()) == before
    assert machine.databases() == set()


@pytest.mark.by_turns
def test_a_login_that_the_service_is_to_get_has_a_stand_in(machine: Host) -> None:
    machine.reset("postgres")
    machine.playbook(*BACKUP)
    before = machine.untouched()
    run = machine.playbook(REHEARSE, "-etenancy_provision_app_role=true")
    assert "181 attempts of the isolation proof" in run.words
    assert machine.untouched() == before
    assert machine.sql("SELECT count(*) FROM pg_roles WHERE rolname LIKE 'ai_memory_app%'") == [(0,)]


@pytest.mark.by_turns
def test_a_migration_rehearses_on_request_and_then_there_is_nothing_left_to_rehearse(machine: Host) -> None:
    machine.reset()
    run = machine.playbook("migrate.yml", "-emigrate_confirm=YES", "-emigrate_rehearse=true")
    names = [phase["name"] for phase in run.record["phases"]]
    assert names.index("backup") < names.index("rehearse") < names.index("stop")
    assert run.record["rehearsal"]["backup"] == run.record["backup"]["path"]
    assert run.record["outcome"] == "SUCCESS"
    assert machine.rows("customer_id = 1") == ROWS
    again = machine.playbook(REHEARSE)
    assert "Nothing: the database is migrated already." in again.words
    assert again.changed == 0
