"""The guide's Option 1, made safe: the backup is restored into a new database, which replaces the old one after a
check."""

from __future__ import annotations

import contextlib
import re

import pytest

import documents
from ansible_collections.aimemory.tenancy.plugins.module_utils import database_settings
from lab import MIGRATE, OWNER, ROWS, Host
from planted import planted
from rows import insert
from service import assert_works_in_full

RESTORE = ("rollback.yml", "-erollback_mode=restore")
PROPERTIES = (
    "ALTER DATABASE ai_memory CONNECTION LIMIT 37",
    "COMMENT ON DATABASE ai_memory IS 'callers'' memories'",
    "REVOKE ALL ON DATABASE ai_memory FROM PUBLIC",
    "GRANT CONNECT ON DATABASE ai_memory TO pg_monitor WITH GRANT OPTION",
    "ALTER DATABASE ai_memory SET search_path TO \"$user\", public, 'odd, schema'",
    "ALTER DATABASE ai_memory SET work_mem = '9MB'",
    f"ALTER ROLE {OWNER} IN DATABASE ai_memory SET statement_timeout = '77s'",
)
READ = """
SELECT d.datconnlimit, shobj_description(d.oid, 'pg_database'), pg_get_userbyid(d.datdba), d.datcollate, d.datctype,
  pg_encoding_to_char(d.encoding), (SELECT array_agg(a::text ORDER BY a::text) FROM unnest(d.datacl) AS a),
  (SELECT array_agg(concat(coalesce(r.rolname, '-'), ' ', x.entry) ORDER BY s.setrole, x.entry)
   FROM pg_db_role_setting s
   LEFT JOIN pg_roles r ON r.oid = s.setrole CROSS JOIN LATERAL unnest(s.setconfig) AS x (entry)
   WHERE s.setdatabase = d.oid AND x.entry NOT LIKE 'app.current_tenant=%%')
FROM pg_database d WHERE d.datname = %s
"""


@pytest.mark.wide
def test_check_says_what_would_be_left_behind(machine: Host) -> None:
    machine.sql(insert("memories", *[{"customer_id": 1, "k": "late", "user_id": "+1"}] * 2))
    before = machine.untouched()
    run = machine.playbook(*RESTORE, "--check")
    assert "memories 5,755 5,757 2" in run.words
    assert machine.untouched() == before


@pytest.mark.wide
def test_it_asks(machine: Host) -> None:
    before = machine.untouched()
    run = machine.playbook(*RESTORE, "-erollback_confirm=no", check=False)
    assert "Not confirmed: nothing was touched." in run.words
    assert machine.untouched() == before


@pytest.mark.wide
def test_a_damaged_dump_is_refused(machine: Host) -> None:
    dump = f"{machine.backups()[-1]}/database/toc.dat"
    machine.run(f"sudo cp -p {dump} /root/toc && sudo sh -c 'echo x >> {dump}'")
    try:
        before = machine.untouched()
        run = machine.playbook(*RESTORE, "-erollback_confirm=YES", check=False)
        assert "is damaged, incomplete or differs from its manifest (SHA-256)" in run.words
        assert "database/toc.dat: FAILED" in run.words
        assert machine.untouched() == before
    finally:
        machine.run(f"sudo mv /root/toc {dump}")


@pytest.mark.wide
def test_a_restore_that_fails_leaves_nothing(machine: Host) -> None:
    # The manifest now contains a row count that is one higher than the dump's.
    manifest = f"{machine.backups()[-1]}/manifest.json"
    machine.run(f"sudo cp -p {manifest} /root/manifest && sudo sed -i 's/5755/5756/' {manifest}")
    try:
        pid = machine.service_pid()
        run = machine.playbook(*RESTORE, "-erollback_confirm=YES", check=False)
        failed = "The restore failed, and the new database was dropped: The restored copy differs from the dump:"
        assert failed in run.words
        assert "public.memories has 5,755 rows instead of 5,756" in run.words
        assert run.record["outcome"] == "FAILED"
        assert machine.databases() == set()
        assert machine.service_pid() == pid
    finally:
        machine.run(f"sudo mv /root/manifest {manifest}")


def test_the_restored_database_is_the_old_one(machine: Host) -> None:
    for statement in PROPERTIES:
        machine.sql(statement)
    before = machine.sql(READ, ("ai_memory",))
    run = machine.playbook(*RESTORE, "-erollback_confirm=YES")
    assert run.record["outcome"] == "SUCCESS"
    assert machine.sql(READ, ("ai_memory",)) == before
    assert machine.rows() == ROWS
    assert machine.sql("SELECT count(*) FROM information_schema.columns WHERE column_name = 'customer_id'") == [(0,)]
    assert machine.sql(
        "SELECT count(*) FROM pg_db_role_setting s JOIN pg_database d ON d.oid = s.setdatabase"
        " WHERE datname = 'ai_memory' AND setconfig::text LIKE '%current_tenant%'"
    ) == [(0,)]


def test_the_replaced_database_is_kept_and_closed(machine: Host) -> None:
    (name,) = machine.databases()
    assert name.startswith("ai_memory_replaced_")
    assert machine.sql("SELECT datallowconn FROM pg_database WHERE datname = %s", (name,)) == [(False,)]
    (command,) = documents.commands("sudo")
    machine.run(re.sub(r"ai_memory_replaced_\w+", name, command))
    assert machine.databases() == set()


def test_the_legacy_release_works_in_full(machine: Host) -> None:
    assert_works_in_full(machine)
    assert machine.rows() == ROWS
    assert not machine.failsafe_armed()


@pytest.mark.wide
def test_the_migration_can_be_made_again(machine: Host) -> None:
    machine.playbook(*MIGRATE)
    machine.playbook("playbooks/verify.yml")


@pytest.mark.wide
def test_without_a_backup_nothing_happens(machine: Host) -> None:
    before = machine.untouched()
    run = machine.playbook(*RESTORE, "-erollback_confirm=YES", "-erestore_backup=/var/backups/none", check=False)
    assert "No backup with a manifest was found as /var/backups/none:" in run.words
    assert machine.untouched() == before


@pytest.mark.wide
def test_it_runs_no_code_above_its_owner(machine: Host) -> None:
    machine.reset()
    with planted(machine):
        machine.playbook("playbooks/backup.yml", "-ebackup_test_restore=false", "-ebackup_copy_max_bytes=0")
        run = machine.playbook(*RESTORE, "-erollback_confirm=YES")
        assert run.record["outcome"] == "SUCCESS"
        assert "materialized view data planted above was left out" in run.words
        assert machine.sql("SELECT id, mails FROM planted.notes ORDER BY id") == [(1, "{a,b}"), (2, "{a,b}")]
        assert machine.sql("SELECT count(*) FROM planted.counted") == [(2,)]
        assert machine.sql("SELECT text FROM planted.theirs") == [("a",)]
    assert machine.sql("SELECT rolname FROM pg_roles WHERE rolname LIKE 'tenancy%'") == []


@pytest.mark.wide
def test_the_locale_provider_is_the_databases_and_not_the_servers(machine: Host) -> None:
    with contextlib.closing(machine.connect()) as connection, connection.cursor() as cursor:
        found = database_settings.read(cursor, "ai_memory", "copy")
    for statement in (found["create"], found["elsewhere"]):
        assert statement.count("LOCALE_PROVIDER libc") == 1
    assert "TABLESPACE" not in found["elsewhere"]
