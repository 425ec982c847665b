"""The dry run touches nothing, whatever state the database is in."""

from __future__ import annotations

import pytest

from lab import Host, only_readers

HALF = (
    "ALTER TABLE memories ADD COLUMN customer_id integer",
    "UPDATE memories SET customer_id = 1 WHERE type = 'fact'",
    "ALTER TABLE call_summaries ENABLE ROW LEVEL SECURITY",
    "CREATE POLICY tenant_isolation_call_summaries ON call_summaries USING (true)",
)


def prepare(machine: Host, state: str) -> None:
    machine.reset()
    if state == "half":
        for statement in HALF:
            machine.sql(statement)
    elif state == "migrated":
        machine.playbook("migrate.yml", "-emigrate_confirm=YES")


@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        ("unmigrated", "X Missing customer_id"),
        ("half", "rows without a tenant to tenant 1"),
        ("migrated", "Nothing: the database is migrated already."),
    ],
)
def test_check_touches_nothing(machine: Host, state: str, sentence: str) -> None:
    prepare(machine, state)
    before = machine.untouched()
    # Whatever asks for more than ACCESS SHARE would wait behind this lock for ever.
    with only_readers(machine):
        run = machine.playbook("migrate.yml", "--check")
    assert machine.untouched() == before
    assert run.changed == 0
    assert sentence in run.words


def test_the_sql_is_shown_in_full_on_request(machine: Host) -> None:
    prepare(machine, "half")
    statement = "ALTER TABLE public . memories ALTER COLUMN customer_id SET NOT NULL;"
    assert statement not in machine.playbook("migrate.yml", "--check").words
    assert statement in machine.playbook("migrate.yml", "--check", "--diff").words


def test_a_half_migrated_database_ends_migrated(machine: Host) -> None:
    prepare(machine, "half")
    machine.playbook("migrate.yml", "-emigrate_confirm=YES")
    machine.playbook("playbooks/verify.yml")
