"""verify.yml accepts a correct database, reports every defect, and is read-only."""

from __future__ import annotations

import pytest

from lab import HOSTS, OWNER, Host, only_readers
from service import callers


def test_a_migrated_database_passes(machine: Host) -> None:
    before = machine.untouched()
    with only_readers(machine):
        run = machine.playbook("playbooks/verify.yml")
    assert run.changed == 0
    assert machine.untouched() == before
    assert "RLS policies created: 5/5" in run.words
    assert f"The bridge is on: a session of {OWNER} that sets no tenant" in run.words
    # The output contains the audit's finding, the reason, and the remedy.
    for part in ("WARNING role-owner: ", "An owner can disable row security", "Remedy: Give the service a login"):
        assert part in run.words
    approximate = "WARNING approximate-index: idx_memories_embedding of public.memories" in run.words
    assert approximate is bool(HOSTS[machine.name]["lab_pgvector"])


@pytest.mark.wide
def test_callers_that_go_on_fail_no_verification(machine: Host) -> None:
    user = "+15550005555"
    with callers(machine, user) as confirmed:
        machine.playbook("playbooks/verify.yml", "-everify_proof=true")
    assert len(confirmed) > 5
    machine.sql("DELETE FROM memories WHERE user_id = %s", (user,))
    machine.sql("DELETE FROM caller_profiles WHERE user_id = %s", (user,))


@pytest.mark.wide
@pytest.mark.parametrize(
    ("broken", "mended", "sentence"),
    [
        pytest.param(
            "ALTER TABLE memories DISABLE ROW LEVEL SECURITY", "ALTER TABLE memories ENABLE ROW LEVEL SECURITY",
            "FAIL memories.login.copy: A session copies another tenant s rows to the client:", marks=pytest.mark.sample,
        ),
        (f"GRANT postgres TO {OWNER}", f"REVOKE postgres FROM {OWNER}",
         "The service s login can bypass row security: The service becomes postgres with SET ROLE"),
        (f"ALTER ROLE {OWNER} BYPASSRLS", f"ALTER ROLE {OWNER} NOBYPASSRLS",
         "bypasses row security: no policy would isolate tenants"),
        ("CREATE FUNCTION peek() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS 'SELECT count(*) FROM memories'",
         "DROP FUNCTION peek()", "FAIL ways to bypass row security: [ definer-function: public.peek() ]"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(machine: Host, broken: str, mended: str, sentence: str) -> None:
    machine.sql(broken)
    try:
        run = machine.playbook("playbooks/verify.yml", check=False)
        assert sentence in run.words
    finally:
        machine.sql(mended)


@pytest.mark.wide
def test_a_fixed_database_passes_again(machine: Host) -> None:
    machine.playbook("playbooks/verify.yml")


@pytest.mark.wide
def test_an_unmigrated_database_fails(machine: Host) -> None:
    machine.reset()
    run = machine.playbook("playbooks/verify.yml", check=False)
    assert "FAIL memories: customer_id is False, expected True" in run.words
