"""The dry run changes nothing, whatever state the database is in."""

from __future__ import annotations

import pytest

from lab import MIGRATE, Host, only_readers

HALF = (
    "ALTER TABLE memories ADD COLUMN customer_id integer",
    "UPDATE memories SET customer_id = 1 WHERE type = 'fact'",
    "ALTER TABLE call_summaries ENABLE ROW LEVEL SECURITY",
    "CREATE POLICY tenant_isolation_call_summaries ON call_summaries USING (true)",
)


def assert_untouched(machine: Host, sentence: str, *arguments: str) -> None:
    before = machine.untouched()
    # A statement that needs more than ACCESS SHARE would wait behind this lock forever.
    with only_readers(machine):
        run = machine.playbook("migrate.yml", "--check", *arguments)
    assert machine.untouched() == before
    assert run.changed == 0
    assert sentence in run.words


@pytest.mark.wide
def test_an_unmigrated_database(machine: Host) -> None:
    assert_untouched(machine, "X Missing customer_id")


def test_a_half_migrated_database(machine: Host) -> None:
    for statement in HALF:
        machine.sql(statement)
    assert_untouched(machine, "rows without a tenant to tenant 1")


@pytest.mark.wide
def test_the_sql_is_shown_in_full_on_request(machine: Host) -> None:
    statement = "ALTER TABLE public . memories ALTER COLUMN customer_id SET NOT NULL;"
    assert statement not in machine.playbook("migrate.yml", "--check").words
    assert_untouched(machine, statement, "--diff")


@pytest.mark.wide
@pytest.mark.one_host
def test_a_half_migrated_database_ends_migrated(machine: Host) -> None:
    machine.playbook(*MIGRATE)
    machine.playbook("playbooks/verify.yml")
    assert_untouched(machine, "Nothing: the database is already migrated.")
