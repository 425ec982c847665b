"""In every playbook, the database's code runs only with its owner's privileges."""

from __future__ import annotations

import contextlib
import tarfile
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest
from trap import CONSTANT, READABLE, Trap

from lab import MIGRATE, Host
from rows import insert

ONE_ROW = "UPDATE public.memories SET k = k WHERE id = (SELECT id FROM public.memories LIMIT 1)"
# The statements that trigger each kind of trap; they run as the tests' superuser and are rolled back.
SPRINGS = {
    "function format": "SELECT format('%s', 'a'::text, 'b'::text)",
    "function lower": "SELECT lower('A'::text)",
    "operator =": "SELECT 1 = 1",
    "operator ||": "SELECT 'a'::text || 'b'::text",
    "domain": "SELECT 'a'::public.trap_words",
    "cast": "SELECT trap_pair::text FROM public.memories LIMIT 1",
    "cast of an enum": "SELECT trap_mood::text FROM public.memories LIMIT 1",
    "CHECK": insert("caller_profiles", {"user_id": "trap"}),
    "generated column": insert("call_summaries", {"call_id": "trap", "user_id": "trap"}),
    "default": insert("personality_metrics", {"user_id": "trap", "call_id": "trap"}),
    "index": insert("memories", {"k": "trap"}),
    "trigger trap_row": ONE_ROW,
    "trigger trap_always": "DELETE FROM public.caller_profiles",
    "trigger trap_statement": "DELETE FROM public.call_summaries",
    "trigger trap_deferred": f"{ONE_ROW}; SET CONSTRAINTS ALL IMMEDIATE",
    "trigger that is deferred again": (
        "UPDATE public.call_summaries SET summary = summary; SET CONSTRAINTS ALL IMMEDIATE"
    ),
    "rule": "INSERT INTO public.trap_ruled VALUES (1)",
    # If the session only runs SET ROLE, the code can switch back to the superuser.
    "trigger trap_row by RESET ROLE": f"SET ROLE alice; {ONE_ROW}",
}
MIGRATION = (*MIGRATE, READABLE)


@pytest.fixture(scope="module")
def trap(machine: Host) -> Iterator[Trap]:
    machine.reset()
    yield Trap(machine)
    machine.reset()


@pytest.mark.parametrize("kind", SPRINGS)
def test_the_trap_sees_code_whose_transaction_was_rolled_back(machine: Host, trap: Trap, kind: str) -> None:
    trap.sprung()
    with contextlib.closing(machine.connect()) as connection, connection.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute(SPRINGS[kind])
        cursor.execute("ROLLBACK")
    assert [note for note in trap.sprung() if note.startswith(f"{kind} ")] != []


def test_the_trap_sees_no_code_of_its_owner(machine: Host, trap: Trap) -> None:
    trap.sprung()
    machine.call("/memory/store", user_id="trap", content="trap")
    assert trap.sprung() == []
    with pytest.raises(psycopg2.Error), contextlib.closing(machine.connect()) as connection:
        # The planted settings apply to every session that does not override them.
        connection.cursor().execute("SELECT 'a\\'")


@pytest.mark.wide
def test_a_check_springs_nothing(machine: Host, trap: Trap) -> None:
    machine.playbook("migrate.yml", "--check", READABLE)
    assert trap.sprung() == []


def test_a_migration_springs_nothing(machine: Host, trap: Trap) -> None:
    machine.playbook(*MIGRATION)
    assert trap.sprung() == []


@pytest.mark.wide
def test_a_verification_springs_nothing(machine: Host, trap: Trap) -> None:
    machine.playbook("playbooks/verify.yml", READABLE)
    assert trap.sprung() == []
    machine.playbook("playbooks/verify.yml", "-everify_proof=true", READABLE)
    assert trap.sprung() == []


@pytest.mark.wide
def test_a_bundle_and_a_backup_spring_nothing(machine: Host, trap: Trap) -> None:
    machine.playbook("playbooks/support.yml")
    machine.playbook("playbooks/backup.yml", "-ebackup_test_restore=false")
    assert trap.sprung() == []


@pytest.mark.wide
def test_a_bundle_reads_no_table_whose_reader_runs_code(machine: Host, trap: Trap, tmp_path: Path) -> None:
    machine.sql(CONSTANT)
    try:
        # The code already ran when the object was created, which does not count.
        trap.sprung()
        machine.playbook("playbooks/support.yml", f"-esupport_directory={tmp_path}")
        assert trap.sprung() == []
    finally:
        machine.sql("DROP FUNCTION public.trap_constant(pg_catalog.int4) CASCADE")
    (path,) = tmp_path.iterdir()
    with tarfile.open(path) as archive:
        bundle = {name.partition("/")[2]: archive.extractfile(name).read().decode() for name in archive.getnames()}  # type: ignore[union-attr]
    refusal = "The index public.trap_constant calls public.trap_constant(integer), which belongs to alice"
    for name in ("database/state.json", "verification.txt"):
        assert name not in bundle
        assert any(f"- {name} (" in line and refusal in line for line in bundle["index.md"].splitlines())
    assert "CREATE INDEX trap_constant ON public.memories" in bundle["database/schema.sql"]


@pytest.mark.wide
@pytest.mark.parametrize("mode", ["policies", "schema"])
def test_a_rollback_springs_nothing(machine: Host, trap: Trap, mode: str) -> None:
    machine.playbook("rollback.yml", f"-erollback_mode={mode}", "-erollback_confirm=YES", "-ebackup_test_restore=false")
    assert trap.sprung() == []


@pytest.mark.wide
def test_a_rehearsal_and_a_restore_spring_nothing(machine: Host, trap: Trap) -> None:
    machine.playbook("playbooks/rehearse.yml", READABLE)
    assert trap.sprung() == []
    machine.playbook("rollback.yml", "-erollback_mode=restore", "-erollback_confirm=YES")
    # The code runs with logins that have only its owner's privileges, even after it resets the role.
    assert [note for note in trap.sprung() if " as tenancy_restore_p" not in note] == []
