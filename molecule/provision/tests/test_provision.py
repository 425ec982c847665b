"""A service that logs in as a superuser receives a separate login, and the rollback restores the old login."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from urllib.parse import unquote

import pytest

from lab import MIGRATE, OWNER, ROWS, TABLES, Host, only_readers
from service import assert_works_in_full, faulty_release, schema

APP = "ai_memory_app"
ENVIRONMENT = "/opt/ai-memory/.env"
KEPT = f"{ENVIRONMENT}.before-{APP}"
PROVISION = (*MIGRATE, "-etenancy_provision_app_role=true")
RIGHTS = """
SELECT n.nspname || '.' || c.relname, array_agg(a.privilege_type ORDER BY a.privilege_type)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace CROSS JOIN LATERAL aclexplode(c.relacl) AS a
WHERE a.grantee = 'ai_memory_app'::regrole GROUP BY 1 ORDER BY 1
"""


def environment(machine: Host) -> str:
    return machine.run(f"sudo cat {ENVIRONMENT}")


def password(machine: Host) -> str:
    """Return the password in the service's DATABASE_URL."""
    found = re.search(r"^DATABASE_URL=postgresql://[^:]+:([^@]+)@", environment(machine), re.MULTILINE)
    assert found
    return unquote(found.group(1))


def file_rights(machine: Host, path: str) -> str:
    return machine.run(f"sudo stat --format='%U %G %a' {path}").strip()


def role(machine: Host) -> list[tuple[bool, ...]]:
    return machine.sql(
        "SELECT rolcanlogin, rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolreplication FROM pg_roles"
        " WHERE rolname = %s",
        (APP,),
    )


@contextlib.contextmanager
def no_way_in(machine: Host) -> Iterator[None]:
    """Make pg_hba.conf reject the new login temporarily."""
    file = machine.sql("SHOW hba_file")[0][0]
    machine.run(f"sudo cp -p {file} /root/hba && sudo sed -i '1i host all {APP} all reject' {file}")
    machine.sql("SELECT pg_reload_conf()")
    yield
    machine.run(f"sudo cp -p /root/hba {file}")
    machine.sql("SELECT pg_reload_conf()")


@pytest.mark.wide
def test_a_superuser_is_refused_with_the_remedy(machine: Host) -> None:
    before = machine.untouched()
    run = machine.playbook(*MIGRATE, check=False)
    assert "The service logs in as postgres, a role that bypasses row security" in run.words
    assert "-e tenancy_provision_app_role=true" in run.words
    assert machine.untouched() == before


@pytest.mark.wide
def test_check_touches_nothing(machine: Host) -> None:
    before = machine.untouched()
    with only_readers(machine):
        run = machine.playbook(*PROVISION, "--check")
    assert f"1. Give the service its own login in DATABASE_URL: {APP} in" in run.words
    assert run.changed == 0
    assert machine.untouched() == before


@pytest.mark.wide
def test_a_role_of_another_owner_is_not_used(machine: Host) -> None:
    machine.sql(f"CREATE ROLE {APP} LOGIN")
    try:
        before = machine.untouched()
        run = machine.playbook(*PROVISION, check=False)
        assert f"The role {APP} already exists, but was not created by this runbook" in run.words
        assert machine.untouched() == before
    finally:
        machine.sql(f"DROP ROLE {APP}")


@pytest.mark.wide
def test_a_login_that_gets_no_way_in_goes_again(machine: Host) -> None:
    before, pid = environment(machine), machine.service_pid()
    with no_way_in(machine):
        run = machine.playbook(*PROVISION, check=False)
    assert f"{APP} cannot log in over the service s own route (localhost, port 5432)" in run.words
    assert "pg_hba.conf rejects connection" in run.words
    assert role(machine) == []
    assert (environment(machine), machine.service_pid()) == (before, pid)
    assert "Nothing was changed: the service and the database are as they were." in run.words


def rights(machine: Host, path: str) -> str:
    """Return the owner, group, mode and ACL of the file to which ``path`` resolves."""
    return machine.run(f"sudo stat -L --format='%U %G %a' {path}; sudo getfacl -cpn $(sudo realpath {path})")


@contextlib.contextmanager
def kept_elsewhere(machine: Host) -> Iterator[str]:
    """Make the environment file a link to a file owned by root, which the service can read through an ACL."""
    there = "/etc/ai-memory.secret"
    machine.run(
        f"sudo mv {ENVIRONMENT} {there} && sudo ln -s {there} {ENVIRONMENT} && sudo chown root:root {there}"
        f" && sudo chmod 600 {there} && sudo setfacl -m u:ai-memory:r {there}"
    )
    try:
        yield there
    finally:
        machine.run(
            f"sudo rm {ENVIRONMENT} && sudo setfacl -b {there} && sudo chown ai-memory:ai-memory {there}"
            f" && sudo mv {there} {ENVIRONMENT}"
        )


@pytest.mark.wide
def test_a_link_with_an_acl_survives_migration_and_rollback(machine: Host) -> None:
    with kept_elsewhere(machine) as there:
        before = rights(machine, ENVIRONMENT)
        assert "user:" in before
        machine.playbook(*PROVISION)
        assert machine.run(f"sudo readlink {ENVIRONMENT}").strip() == there
        assert rights(machine, ENVIRONMENT) == before
        assert f"DATABASE_URL=postgresql://{APP}:" in environment(machine)
        machine.playbook("rollback.yml", "-erollback_mode=schema", "-erollback_confirm=YES")
        assert machine.run(f"sudo readlink {ENVIRONMENT}").strip() == there
        assert rights(machine, ENVIRONMENT) == before
        assert "DATABASE_URL=postgresql://postgres:" in environment(machine)


@pytest.mark.wide
def test_a_file_with_two_names_is_refused(machine: Host) -> None:
    machine.run(f"sudo ln {ENVIRONMENT} /opt/ai-memory/other")
    try:
        before = machine.untouched()
        run = machine.playbook(*PROVISION, "--check", check=False)
        assert f"{ENVIRONMENT} has 2 names (hard links)" in run.words
        assert machine.untouched() == before
    finally:
        machine.run("sudo rm /opt/ai-memory/other")


@pytest.mark.wide
@pytest.mark.usefixtures("one_row_refuses")
def test_a_failure_restores_the_old_login(machine: Host) -> None:
    before = environment(machine)
    run = machine.playbook(*PROVISION, check=False)
    assert run.record["failure"]["phase"] == "apply"
    assert "Database: unchanged, nothing was committed." in run.words
    assert environment(machine) == before
    assert file_rights(machine, ENVIRONMENT) == "ai-memory ai-memory 600"
    assert machine.run(f"sudo ls {KEPT}", check=False) == ""
    assert role(machine) == []
    assert_works_in_full(machine)


@pytest.mark.wide
def test_a_service_that_fails_gets_the_original_schema_and_login(machine: Host) -> None:
    before = environment(machine), schema(machine)
    with faulty_release(machine):
        run = machine.playbook(*PROVISION, check=False)
    assert run.record["outcome"] == "FAILED"
    assert "Database: the change was committed and then rolled back." in run.words
    assert (environment(machine), schema(machine)) == before
    assert machine.run(f"sudo ls {KEPT}", check=False) == ""
    assert role(machine) == []
    assert_works_in_full(machine)


def test_the_migration_creates_the_login_and_reveals_no_password(machine: Host) -> None:
    old = password(machine)
    machine.sql("ALTER SYSTEM SET log_statement = 'all'")
    machine.sql("SELECT pg_reload_conf()")
    try:
        run = machine.playbook(*PROVISION, "-vvv")
    finally:
        machine.sql("ALTER SYSTEM RESET log_statement")
        machine.sql("SELECT pg_reload_conf()")
    new = password(machine)
    assert re.fullmatch("[A-Za-z0-9]{40}", new)
    assert run.record["outcome"] == "SUCCESS"
    logged = machine.run("sudo cat /var/log/postgresql/*.log; sudo journalctl --no-pager")
    assert 'ALTER TABLE "public"."memories" FORCE ROW LEVEL SECURITY' in logged
    places = {"output": run.output, "files": "\n".join(run.files().values()), "logs": logged}
    assert sorted(run.files()) == ["execution-log.md", "report.html", "run.json", "schema.json"]
    for place, text in places.items():
        for secret in (old, new):
            assert secret not in text, f"the {place} contains a password"


def test_it_may_do_what_the_service_does_and_nothing_else(machine: Host) -> None:
    assert role(machine) == [(True, False, False, False, False, False)]
    wanted = {f"public.{table}": ["DELETE", "INSERT", "SELECT", "UPDATE"] for table in TABLES}
    commands = ("delete", "insert", "select", "update")
    record = {f"public.tenancy_bridge_used_{table}_{command}": ["UPDATE"] for table in TABLES for command in commands}
    assert dict(machine.sql(RIGHTS)) == wanted | record
    memberships = "SELECT count(*) FROM pg_auth_members WHERE member = 'ai_memory_app'::regrole"
    assert machine.sql(memberships) == [(0,)]
    owned = "SELECT count(*) FROM pg_shdepend WHERE refobjid = 'ai_memory_app'::regrole AND deptype = 'o'"
    assert machine.sql(owned) == [(0,)]


def test_the_environment_file_is_rewritten_and_the_old_one_kept(machine: Host) -> None:
    now, before = environment(machine), machine.run(f"sudo cat {KEPT}")
    assert [line for line in now.split("\n") if not line.startswith("DATABASE_URL=")] == [
        line for line in before.split("\n") if not line.startswith("DATABASE_URL=")
    ]
    assert f"DATABASE_URL=postgresql://{APP}:" in now
    assert "DATABASE_URL=postgresql://postgres:" in before
    assert file_rights(machine, ENVIRONMENT) == "ai-memory ai-memory 600"
    assert file_rights(machine, KEPT) == "root root 600"


def test_the_service_is_isolated(machine: Host) -> None:
    assert_works_in_full(machine)
    sessions = machine.sql(
        "SELECT DISTINCT usename FROM pg_stat_activity WHERE client_port > 0 AND usename <> 'operator'"
    )
    assert sessions == [(APP,)]
    run = machine.playbook("playbooks/verify.yml", "-everify_proof=true")
    assert "the service s own login: 61 attempts, none leaked" in run.words
    assert "role-owner" not in run.words
    assert machine.rows("customer_id = 1") == ROWS


@pytest.mark.wide
def test_a_second_run_changes_nothing(machine: Host) -> None:
    before = machine.untouched()
    assert machine.playbook(*PROVISION).changed == 0
    assert machine.untouched() == before


def test_the_rollback_of_the_policies_restores_the_old_login(machine: Host) -> None:
    machine.run(f"echo EXTRA=1 | sudo tee -a {ENVIRONMENT}")
    run = machine.playbook("rollback.yml", "-erollback_mode=policies", "-erollback_confirm=YES")
    assert "Login: postgres again" in run.words
    assert "DATABASE_URL=postgresql://postgres:" in environment(machine)
    assert "EXTRA=1" in environment(machine)
    assert file_rights(machine, ENVIRONMENT) == "ai-memory ai-memory 600"
    assert machine.run(f"sudo ls {KEPT}", check=False) == ""
    assert role(machine) == [(False,) * 6]
    assert_works_in_full(machine)


@pytest.mark.wide
def test_a_second_rollback_does_nothing(machine: Host) -> None:
    before = machine.untouched()
    run = machine.playbook("rollback.yml", "-erollback_mode=policies", "-erollback_confirm=YES")
    assert run.changed == 0
    assert machine.untouched() == before


@pytest.mark.wide
def test_an_existing_login_is_reused_and_the_restore_restores_the_old_one(machine: Host) -> None:
    machine.playbook(*PROVISION)
    assert role(machine) == [(True, False, False, False, False, False)]
    assert_works_in_full(machine)
    # The newest backup is the one that this migration made.
    run = machine.playbook("rollback.yml", "-erollback_mode=restore", "-erollback_confirm=YES")
    assert "Login: postgres again" in run.words
    assert "DATABASE_URL=postgresql://postgres:" in environment(machine)
    assert_works_in_full(machine)
    assert machine.rows() == ROWS


@pytest.mark.wide
def test_a_backup_of_the_migrated_database_keeps_the_new_login(machine: Host) -> None:
    machine.playbook(*PROVISION)
    machine.playbook("playbooks/backup.yml")
    machine.playbook("rollback.yml", "-erollback_mode=restore", "-erollback_confirm=YES")
    assert f"DATABASE_URL=postgresql://{APP}:" in environment(machine)
    assert_works_in_full(machine)
    machine.playbook("playbooks/verify.yml")


@pytest.mark.wide
def test_an_owner_gets_a_login_that_owns_nothing(machine: Host) -> None:
    machine.reset()
    machine.playbook(*MIGRATE)
    assert "role-owner" in machine.playbook("playbooks/verify.yml").words
    # The database is already migrated, so the policies and the bridge move to the new login.
    machine.playbook(*PROVISION)
    assert "role-owner" not in machine.playbook("playbooks/verify.yml").words
    assert_works_in_full(machine)
    settings = machine.sql(
        "SELECT setrole::regrole::text FROM pg_db_role_setting WHERE setconfig::text LIKE '%current_tenant%'"
    )
    assert settings == [(APP,)]
    with contextlib.closing(machine.connect()) as connection, connection.cursor() as cursor:
        cursor.execute(f"SET SESSION AUTHORIZATION {OWNER}; SET app.current_tenant = '1'; SELECT FROM memories")
        assert cursor.rowcount == 0
