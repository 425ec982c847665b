"""The rehearsal runs the migration on a throwaway server, and does not affect the real database."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator

import pytest
import yaml

from lab import OWNER, ROOT, ROWS, Host, Run

# One host is enough, because the "backup" scenario restores into throwaway servers of both PostgreSQL versions.
pytestmark = pytest.mark.one_host(together=True)

REHEARSE = "playbooks/rehearse.yml"
BACKUP = ("playbooks/backup.yml", "-ebackup_copy_max_bytes=0")
MIGRATE = ("migrate.yml", "-emigrate_confirm=YES", "-ebackup_copy_max_bytes=0")
CODE = "CHECK (code ~ '^(?=[A-Z])[A-Z]{3}$')"
PLACE = "/var/backups/tenancy-throwaway-ai_memory"
LEFT = (
    f"ls -d {PLACE} /var/tmp/tenancy-probe-* /tmp/tenancy-* 2> /dev/null;"
    " pgrep --uid tenancy-throwaway --list-full; systemctl list-units --all --plain --no-legend 'tenancy-throwaway-*'"
)


def left(machine: Host) -> str:
    """Return the files, processes and units that throwaway servers have left behind on the host."""
    return machine.run(LEFT, check=False)


@contextlib.contextmanager
def said(machine: Host, statement: str, back: str) -> Iterator[None]:
    """Run a statement before the block, and the statement ``back``, which undoes it, after the block."""
    machine.sql(statement)
    try:
        yield
    finally:
        machine.sql(back)


def assert_found_before_the_stop(machine: Host, *words: str, playbook: tuple[str, ...] = MIGRATE) -> Run:
    """Check that a migration fails in its rehearsal and leaves the database and the service unchanged."""
    before = machine.catalogs(), machine.service_pid(), machine.rows()
    run = machine.playbook(*playbook, check=False)
    assert run.record["failure"]["phase"] == "rehearse", run.output
    for word in words:
        assert word in run.record["failure"]["message"]
    assert run.record["outcome"] == "FAILED"
    assert run.record["stopped_at"] is None
    assert "Nothing was changed: the service and the database are as they were." in run.words
    assert (machine.catalogs(), machine.service_pid(), machine.rows()) == before
    assert machine.databases() == set()
    assert left(machine) == ""
    return run


@contextlib.contextmanager
def silent(machine: Host) -> Iterator[None]:
    """Stop everything that writes to PostgreSQL, and freeze every row, so that only a run could write."""
    machine.sql("ALTER SYSTEM SET autovacuum = off")
    machine.sql("SELECT pg_reload_conf()")
    try:
        machine.sql("VACUUM FREEZE")
        machine.run("sudo systemctl stop ai-memory")
        machine.sql("CHECKPOINT")
        yield
    finally:
        machine.sql("ALTER SYSTEM RESET autovacuum")
        machine.sql("SELECT pg_reload_conf()")
        machine.run("sudo systemctl start ai-memory")
        machine.wait_until_healthy()


def test_it_measures_and_the_real_database_notices_nothing(machine: Host) -> None:
    read = "SELECT pg_current_wal_insert_lsn() - '0/0', txid_snapshot_xmax(txid_current_snapshot())"
    with silent(machine):
        before = machine.catalogs(), machine.service_pid(), machine.rows()
        ((wal, transaction),) = machine.sql(read)
        run = machine.playbook(REHEARSE, "-epreflight_require_active=false")
        ((wal_after, transaction_after),) = machine.sql(read)
        assert (machine.catalogs(), machine.service_pid(), machine.rows()) == before
    assert wal_after - wal < 65536
    assert transaction_after == transaction
    roles = machine.sql("SELECT rolname FROM pg_roles WHERE rolname !~ '^pg_'")
    assert {name for (name,) in roles} == {"postgres", "operator", OWNER}
    (backup,) = machine.backups()
    assert f"on a restored copy of {backup}: 92 statements, 187 attempts of the isolation proof" in run.words
    measured = run.record["rehearsal"]
    assert 0 < measured["locked_seconds"] < measured["apply_seconds"]
    assert measured["verify_seconds"] > 0
    assert measured["revert_seconds"] > 0
    assert measured["findings"] > 100
    assert measured["mode"] == "full"
    # The run has tested that these restrictions are effective. Other restrictions depend on the host.
    assert {"user", "no new privileges"} <= set(measured["walls"])
    assert f"locks on the tables up to {measured['locked_seconds']} s" in run.words
    assert machine.databases() == set()
    assert machine.lock() == ""
    assert left(machine) == ""


@pytest.mark.wide
def test_a_backup_that_is_there_is_rehearsed_with_and_nothing_is_touched(machine: Host) -> None:
    before = machine.untouched()
    machine.playbook(REHEARSE)
    assert machine.untouched() == before


@pytest.mark.wide
def test_check_only_says_what_it_takes(machine: Host) -> None:
    if not machine.backups():
        # The dry run estimates the duration from the speed of the last backup.
        machine.playbook(*BACKUP, "-ebackup_test_restore=false")
    before = machine.untouched()
    run = machine.playbook(REHEARSE, "--check")
    assert "REHEARSAL: In a throwaway server, before the change: all rows" in run.words
    assert "the last backup s speed" in run.words
    assert "Migrated, proven, verified" not in run.words
    run = machine.playbook("migrate.yml", "--check", "-emigrate_rehearse=none")
    assert "REHEARSAL: NONE (migrate_rehearse=none)." in run.words
    assert machine.untouched() == before


@pytest.mark.wide
@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("rehearse_directory=/proc/1", "MB in /proc/1, which has 0 MB free: free up disk space, or specify another"),
        ("rehearse_max_duration=1", "s, more than rehearse_max_duration (1 s): increase the limit"),
        ("rehearse_directory=/var/back%up", "rehearse_directory is /var/back%up: it must be an absolute path"),
        ("migrate_rehearse=true", "value of migrate_rehearse must be one of: full, schema, none"),
    ],
)
def test_no_room_no_time_no_place_and_no_mode_end_the_run_before_the_question(
    machine: Host, given: str, words: str
) -> None:
    before = machine.untouched()
    assert words in machine.playbook("migrate.yml", f"-e{given}", check=False).words
    assert machine.untouched() == before


@pytest.mark.wide
def test_a_backup_of_another_schema_is_not_rehearsed_with(machine: Host) -> None:
    with said(
        machine, "ALTER TABLE memories ADD COLUMN customer_id integer", "ALTER TABLE memories DROP COLUMN customer_id"
    ):
        before = machine.untouched()
        run = machine.playbook(REHEARSE, check=False)
        assert "does not have the current schema of the database: take a new backup" in run.words
        assert machine.untouched() == before
        assert left(machine) == ""


@pytest.mark.wide
@pytest.mark.usefixtures("one_row_refuses")
def test_a_migration_that_would_fail_fails_here_and_stops_nothing(machine: Host) -> None:
    assert_found_before_the_stop(machine, "one_row")


@pytest.mark.wide
def test_an_event_trigger_that_refuses_is_found_here(machine: Host) -> None:
    machine.sql(
        "CREATE FUNCTION asked() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN"
        " IF current_setting('app.allowed', true) IS NULL THEN RAISE EXCEPTION 'ask the DBA for a window';"
        " END IF; END $$"
    )
    machine.sql("CREATE EVENT TRIGGER guard ON ddl_command_start EXECUTE FUNCTION asked()")
    try:
        assert_found_before_the_stop(machine, "ask the DBA for a window")
    finally:
        machine.sql("DROP EVENT TRIGGER guard")
        machine.sql("DROP FUNCTION asked()")


@pytest.mark.wide
def test_a_trigger_that_refuses_what_the_proof_tries_is_found_here(machine: Host) -> None:
    machine.sql(
        "CREATE FUNCTION keep_calls() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION 'a call is never changed'; END $$"
    )
    machine.sql("CREATE TRIGGER keep BEFORE UPDATE ON call_summaries FOR EACH ROW EXECUTE FUNCTION keep_calls()")
    try:
        assert_found_before_the_stop(machine, "call_summaries")
    finally:
        machine.sql("DROP FUNCTION keep_calls() CASCADE")


@pytest.mark.wide
def test_a_column_without_a_value_for_the_proof_ends_the_run_in_its_plan(machine: Host) -> None:
    """Adding the column to the sample, as the message says, is sufficient."""
    machine.reset()
    machine.sql(f"ALTER TABLE memories ADD code text NOT NULL DEFAULT 'ABC' {CODE}")
    machine.sql("ALTER TABLE memories ALTER code DROP DEFAULT")
    before = machine.untouched()
    run = machine.playbook(*MIGRATE, check=False)
    assert (run.record["failure"]["phase"], run.record["stopped_at"]) == ("plan", None)
    assert "public.memories.code is NOT NULL without a default, but no value for it can be derived (CHECK" in run.words
    assert ": add code: … to sample of memories in tenancy_tables." in run.words
    assert machine.untouched() == before
    tables = yaml.safe_load((ROOT / "inventory/group_vars/ai_memory/tenancy.yml").read_text())["tenancy_tables"]
    tables[0]["sample"] = {"code": "XYZ"}
    run = machine.playbook(REHEARSE, f"-e{json.dumps({'tenancy_tables': tables})}")
    assert "187 attempts of the isolation proof" in run.words


@pytest.mark.wide
def test_functions_with_a_path_of_their_own_a_missing_right_and_a_subscription_are_rehearsed(machine: Host) -> None:
    machine.reset()
    for function in ("update_personality_averages(varchar)", "trigger_update_personality_averages()"):
        machine.sql(f"ALTER FUNCTION {function} SET search_path = ''")
    machine.sql(f"REVOKE DELETE ON personality_metrics FROM {OWNER}")
    machine.sql(
        "CREATE SUBSCRIPTION elsewhere CONNECTION 'host=127.0.0.1 port=1' PUBLICATION p"
        " WITH (connect = false, slot_name = NONE, enabled = false)"
    )
    try:
        before = machine.untouched()
        for _ in range(2):
            run = machine.playbook(REHEARSE)
            assert "findings hold, and every row is the same after the rollback" in run.words
        assert machine.untouched()[0] == before[0]
        assert left(machine) == ""
    finally:
        machine.sql("DROP SUBSCRIPTION elsewhere")


DEEP = "/run/systemd/system/postgresql@.service.d/deep.conf"


@pytest.fixture
def of_the_server(machine: Host) -> Iterator[None]:
    """Set server-wide properties that no dump contains: a search path for every role, a file that a view reads, and
    a deeper stack."""
    machine.run(f"sudo mkdir -p $(dirname {DEEP}) && printf '[Service]\nLimitSTACK=infinity\n' | sudo tee {DEEP}")
    machine.run("sudo systemctl daemon-reload && sudo systemctl restart postgresql")
    changes = [
        ("ALTER SYSTEM SET max_stack_depth = '32MB'", "ALTER SYSTEM RESET max_stack_depth"),
        ("SELECT pg_reload_conf()", "SELECT pg_reload_conf()"),
        ("ALTER ROLE ALL SET search_path = public, app", "ALTER ROLE ALL RESET search_path"),
        ("CREATE SCHEMA app", "DROP SCHEMA IF EXISTS app"),
        ("CREATE EXTENSION file_fdw", "DROP EXTENSION IF EXISTS file_fdw"),
        ("CREATE SERVER files FOREIGN DATA WRAPPER file_fdw", "DROP SERVER IF EXISTS files"),
        ("CREATE FOREIGN TABLE app.f (line text) SERVER files OPTIONS (filename '/var/lib/postgresql/lines')",
         "DROP FOREIGN TABLE IF EXISTS app.f"),
        ("COPY (SELECT 'a line') TO '/var/lib/postgresql/lines'", "SELECT 1"),
        ("CREATE MATERIALIZED VIEW app.m AS SELECT line FROM app.f", "DROP MATERIALIZED VIEW IF EXISTS app.m"),
    ]  # fmt: skip
    try:
        for change, _ in changes:
            machine.sql(change)
        machine.run("sudo chmod 0600 /var/lib/postgresql/lines; sudo systemctl restart ai-memory")
        machine.wait_until_healthy()
        yield
    finally:
        for _, back in reversed(changes):
            machine.sql(back)
        machine.run(f"sudo rm -f {DEEP} /var/lib/postgresql/lines && sudo systemctl daemon-reload")
        machine.run("sudo systemctl restart postgresql && sudo systemctl restart ai-memory")
        machine.wait_until_healthy()


@pytest.mark.wide
def test_what_the_whole_server_has_is_rehearsed_with(machine: Host, of_the_server: None) -> None:
    run = machine.playbook(REHEARSE)
    assert run.record["rehearsal"]["findings"] > 100
    # The system user of the throwaway server cannot read the file.
    assert "Not in the copy: materialized view app.m was left empty (" in run.words
    assert left(machine) == ""


@pytest.mark.wide
def test_a_login_that_the_service_is_to_get_is_made_in_the_copy_alone(machine: Host) -> None:
    machine.reset("postgres")
    machine.playbook(*BACKUP)
    before = machine.untouched()
    run = machine.playbook(REHEARSE, "-etenancy_provision_app_role=true")
    assert "187 attempts of the isolation proof" in run.words
    assert machine.untouched() == before
    assert machine.sql("SELECT count(*) FROM pg_roles WHERE rolname LIKE 'ai_memory_app%'") == [(0,)]


@pytest.mark.wide
def test_rows_without_a_tenant_are_rehearsed_with(machine: Host) -> None:
    machine.reset()
    machine.sql("ALTER TABLE memories ADD COLUMN customer_id integer")
    machine.sql("UPDATE memories SET customer_id = 1 WHERE type = 'fact'")
    before = machine.untouched()
    run = machine.playbook(REHEARSE)
    assert "findings hold, and every row is the same after the rollback" in run.words
    assert machine.untouched()[0] == before[0]
    assert left(machine) == ""


@pytest.mark.wide
def test_definitions_and_samples_are_rehearsed_on_request(machine: Host) -> None:
    machine.reset()
    machine.playbook(*BACKUP, "-ebackup_test_restore=false")
    run = machine.playbook(REHEARSE, "-emigrate_rehearse=schema")
    assert run.record["rehearsal"]["mode"] == "schema"
    assert "(definitions and samples of rows): 92 statements, 187 attempts" in run.words
    assert left(machine) == ""


@pytest.mark.wide
def test_a_lost_run_leaves_nothing_after_a_while(machine: Host) -> None:
    machine.reset()
    machine.playbook(*BACKUP)
    before = machine.untouched()
    run = Run(machine.name, REHEARSE, "-erehearse_max_duration=15")
    deadline = time.monotonic() + 600
    while PLACE not in left(machine):
        assert time.monotonic() < deadline, "no throwaway server was created"
        time.sleep(0.2)
    run.kill()
    deadline = time.monotonic() + 300
    while left(machine):
        assert time.monotonic() < deadline, left(machine)
        time.sleep(1)
    machine.run("sudo rm /run/tenancy-ai_memory.lock")
    assert machine.untouched() == before


@pytest.mark.wide
def test_a_migration_rehearses_and_then_there_is_nothing_left_to_rehearse(machine: Host) -> None:
    machine.reset()
    run = machine.playbook(*MIGRATE)
    names = [phase["name"] for phase in run.record["phases"]]
    assert names.index("backup") < names.index("rehearse") < names.index("stop")
    assert run.record["rehearsal"]["backup"] == run.record["backup"]["path"]
    assert run.record["outcome"] == "SUCCESS"
    assert "Rehearsed in a throwaway server" in run.log
    assert machine.rows("customer_id = 1") == ROWS
    assert left(machine) == ""
    again = machine.playbook(REHEARSE)
    assert "Nothing: the database is already migrated." in again.words
    assert again.changed == 0
