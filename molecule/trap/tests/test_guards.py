"""The trap detects each missing guard: without the guard, planted code runs with more privileges than its owner has."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from trap import CONSTANT, READABLE, Trap

from lab import MIGRATE, PLUGINS, Host, Run, copied_checkout

pytestmark = pytest.mark.wide

UTILS = f"{PLUGINS}/module_utils"
# Planted code runs slowly for every row, but a few rows are enough to detect it. A short timeout therefore suffices.
MIGRATION = (*MIGRATE, READABLE, "-etenancy_transaction_timeout=20")
RESTORE = ("rollback.yml", "-erollback_mode=restore", "-erollback_confirm=YES")
# This column leaves rows without a tenant, so the backfill runs before the stop.
WITHOUT_TENANT = "ALTER TABLE public.memories ADD COLUMN customer_id integer"


@dataclass(frozen=True)
class Guard:
    """A guard against code in the database. The guard is removed by replacing ``text`` with ``instead`` in ``file``."""

    file: str
    text: str
    instead: str
    command: tuple[str, ...] = MIGRATION
    # Additional statements for the database.
    given: str = ""


GUARDS = {
    "search_path": Guard(
        f"{UTILS}/sessions.py", '"search_path": "pg_catalog,pg_temp"', '"search_path": "public,pg_catalog"',
        ("migrate.yml", "--check", READABLE),
    ),
    "constants": Guard(
        f"{PLUGINS}/plugin_utils/catalog/expressions.py",
        'not any(_varies(argument, catalog["calls"]) for argument in arguments)', "False",
        ("migrate.yml", "--check", READABLE), CONSTANT,
    ),
    "definer": Guard("plugins/plugin_utils/proof/proof.sql", "SECURITY DEFINER", "SECURITY INVOKER"),
    "owner": Guard(f"{UTILS}/transaction.py", "OWNER TO {wanted['role_name']}", "OWNER TO CURRENT_USER"),
    "rollback": Guard(
        f"{UTILS}/transaction.py", "ROLLBACK TO SAVEPOINT tenancy_proof", "RELEASE SAVEPOINT tenancy_proof"
    ),
    "clean-up": Guard(
        "roles/service/tasks/run_smoke_test.yml",
        'user: "{{ service_result.state.user }}"\n      '
        'parameters: "{{ service_credentials.url | aimemory.tenancy.database_parameters(service_sslmode) }}"',
        'user: postgres\n      parameters: {dbname: "{{ database_name }}", user: postgres, host: /var/run/postgresql}',
    ),
    "backfill": Guard(
        f"{PLUGINS}/modules/postgresql_backfill.py", "user=name, password=password,", 'user=wanted["user"],',
        given=WITHOUT_TENANT,
    ),
    "owner's rows": Guard(
        f"{UTILS}/restoring.py", "if owner is None:\n            return", "if True:\n            return", RESTORE
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", GUARDS)
def test_without_a_guard_it_springs(machine: Host, tmp_path: Path, name: str) -> None:
    guard = GUARDS[name]
    machine.reset()
    trap = Trap(machine)
    if guard.given:
        machine.sql(guard.given)
    if guard.command is RESTORE:
        machine.playbook("playbooks/backup.yml", "-ebackup_test_restore=false")
    path = copied_checkout(tmp_path) / guard.file
    assert path.read_text().count(guard.text) == 1
    path.write_text(path.read_text().replace(guard.text, guard.instead))
    trap.sprung()
    try:
        # The outcome of the run does not matter: planted code may also cause an error in its caller.
        Run(machine.name, *guard.command, checkout=tmp_path).wait()
        assert [note for note in trap.sprung() if " as tenancy_restore_p" not in note] != []
    finally:
        machine.reset()
