"""The guide's Option 2: row security is disabled, columns and rows are kept, and the legacy release works."""

from __future__ import annotations

import pytest

from lab import MIGRATE, ROWS, TABLES, Host
from rows import insert
from service import assert_works_in_full

ROLLBACK = ("rollback.yml", "-erollback_mode=policies", "-erollback_confirm=YES")


@pytest.mark.wide
def test_check_shows_the_statements_and_touches_nothing(machine: Host) -> None:
    before = machine.untouched()
    run = machine.playbook("rollback.yml", "-erollback_mode=policies", "--check")
    assert "Disable row-level security" in run.words
    assert machine.untouched() == before


@pytest.mark.wide
def test_another_tenants_rows_that_come_after_the_question_are_not_laid_open(machine: Host) -> None:
    row = insert("caller_profiles", {"customer_id": 2, "user_id": "+1"})
    stores = f'ExecStopPost=+/usr/sbin/runuser -u postgres -- psql --dbname ai_memory --command "{row}"'
    try:
        catalogs = machine.catalogs()
        with machine.drop_in(stores):
            run = machine.playbook(*ROLLBACK, check=False)
        assert run.record["failure"]["phase"] == "apply"
        assert "Rows of tenants other than 1 were stored in caller_profiles after this run made its plan" in run.words
        assert "Database: unchanged, nothing was committed." in run.words
        assert machine.catalogs() == catalogs
        assert machine.healthy()
    finally:
        machine.sql("DELETE FROM caller_profiles WHERE customer_id = 2")


def test_the_rollback_keeps_columns_and_rows(machine: Host) -> None:
    run = machine.playbook(*ROLLBACK)
    assert run.record["outcome"] == "SUCCESS"
    assert machine.rows("customer_id = 1") == ROWS
    assert machine.sql("SELECT count(*) FROM pg_policy") == [(0,)]
    assert machine.sql(
        "SELECT count(*) FROM pg_class WHERE relname = ANY (%s) AND (relrowsecurity OR relforcerowsecurity)",
        (list(TABLES),),
    ) == [(0,)]
    assert machine.sql("SELECT count(*) FROM pg_db_role_setting WHERE setconfig::text LIKE '%current_tenant%'") == [
        (0,)
    ]


def test_the_legacy_release_works_in_full(machine: Host) -> None:
    assert_works_in_full(machine)
    assert machine.rows() == ROWS


def test_callers_of_the_one_argument_function_are_served(machine: Host) -> None:
    user = machine.sql("SELECT user_id FROM personality_averages ORDER BY user_id LIMIT 1")[0][0]
    machine.sql("UPDATE personality_averages SET call_count = -1 WHERE user_id = %s", (user,))
    machine.sql("SELECT update_personality_averages(%s)", (user,))
    assert machine.sql("SELECT call_count > 0 FROM personality_averages WHERE user_id = %s", (user,)) == [(True,)]


@pytest.mark.wide
def test_a_second_rollback_does_nothing(machine: Host) -> None:
    before = machine.untouched()
    assert machine.playbook(*ROLLBACK).changed == 0
    assert machine.untouched() == before


@pytest.mark.wide
def test_the_migration_can_be_made_again(machine: Host) -> None:
    machine.playbook(*MIGRATE)
    machine.playbook("playbooks/verify.yml")
    assert_works_in_full(machine)
