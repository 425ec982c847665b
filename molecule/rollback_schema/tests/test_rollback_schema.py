"""A rollback without a restore brings back exactly the original schema, and keeps every row, including newer rows."""

from __future__ import annotations

import json

import pytest

from lab import MIGRATE, ROWS, Host
from service import assert_works_in_full, callers, schema

ROLLBACK = ("rollback.yml", "-erollback_mode=schema", "-erollback_confirm=YES")
# Properties of keys and tables that a dump shows and a plain ADD CONSTRAINT would lose.
ODD = (
    "ALTER TABLE caller_profiles DROP CONSTRAINT caller_profiles_user_id_key",
    "CREATE UNIQUE INDEX caller_profiles_user_id_key ON caller_profiles (user_id) WITH (fillfactor = 71)",
    "ALTER TABLE caller_profiles ADD UNIQUE USING INDEX caller_profiles_user_id_key",
    "COMMENT ON CONSTRAINT caller_profiles_user_id_key ON caller_profiles IS 'one profile a caller; it''s a key'",
    "COMMENT ON INDEX caller_profiles_user_id_key IS 'seventy-one'",
    "ALTER TABLE personality_averages DROP CONSTRAINT personality_averages_pkey",
    'ALTER TABLE personality_averages ADD CONSTRAINT "the Key" PRIMARY KEY (user_id) WITH (fillfactor = 72)',
    "ALTER TABLE call_summaries DROP CONSTRAINT call_summaries_call_id_key",
    "ALTER TABLE call_summaries ADD UNIQUE (call_id) USING INDEX TABLESPACE elsewhere DEFERRABLE INITIALLY DEFERRED",
    "ALTER FUNCTION update_personality_averages(character varying) COST 77 SET work_mem = '7MB'",
    "COMMENT ON FUNCTION trigger_update_personality_averages() IS 'after each call'",
    "REVOKE EXECUTE ON FUNCTION update_personality_averages(character varying) FROM PUBLIC",
    "ALTER TABLE memories ENABLE ROW LEVEL SECURITY",
    "CREATE POLICY everything ON memories FOR SELECT TO pg_monitor USING (user_id IS NOT NULL)",
    "COMMENT ON POLICY everything ON memories IS 'for the reports'",
)


@pytest.fixture(scope="module")
def before(machine: Host) -> str:
    """Migrate the database, store a row through the service, and return the schema from before the migration."""
    machine.run("sudo install -d -o postgres /var/lib/postgresql/elsewhere")
    if machine.sql("SELECT 1 FROM pg_tablespace WHERE spcname = 'elsewhere'") == []:
        machine.sql("CREATE TABLESPACE elsewhere LOCATION '/var/lib/postgresql/elsewhere'")
    for statement in ODD:
        machine.sql(statement)
    found = schema(machine)
    run = machine.playbook(*MIGRATE)
    assert json.loads(run.files()["schema.json"])["state"]["database"] == "ai_memory"
    assert schema(machine) != found
    machine.call("/memory/store", user_id="+15550003333", content="said after the migration")
    return found


def test_the_snapshot_is_kept_where_only_the_administrator_reads_it(machine: Host, before: str) -> None:
    (backup,) = machine.backups()
    assert machine.run(f"sudo stat --format '%U %a' {backup}/schema.json") == "postgres 600\n"


@pytest.mark.wide
def test_check_shows_the_rollback_and_changes_nothing(machine: Host, before: str) -> None:
    untouched = machine.untouched()
    run = machine.playbook("rollback.yml", "-erollback_mode=schema", "--check")
    assert "ROLLBACK TO: the schema of " in run.words
    assert "Drop customer_id; all rows remain" in run.words
    assert machine.untouched() == untouched


@pytest.mark.wide
@pytest.mark.parametrize(
    ("made", "unmade", "sentence"),
    [
        ("CREATE VIEW v WITH (security_invoker = true) AS SELECT customer_id FROM memories", "DROP VIEW v",
         "rule _RETURN on view public.v uses public.memories.customer_id, which the rollback drops: drop the"),
    ],
)  # fmt: skip
def test_obstacles_are_named(machine: Host, before: str, made: str, unmade: str, sentence: str) -> None:
    machine.sql(made)
    try:
        untouched = machine.untouched()
        run = machine.playbook(*ROLLBACK, check=False)
        assert sentence in run.words
        assert machine.untouched() == untouched
    finally:
        machine.sql(unmade)


@pytest.mark.wide
def test_a_snapshot_that_is_not_there_is_missed(machine: Host, before: str) -> None:
    untouched = machine.untouched()
    run = machine.playbook(*ROLLBACK, "-etenancy_snapshot_file=/var/backups/none.json", check=False)
    assert "No snapshot of an earlier schema was found at /var/backups/none.json" in run.words
    assert machine.untouched() == untouched


def test_the_original_schema_is_restored_with_every_row(machine: Host, before: str) -> None:
    run = machine.playbook(*ROLLBACK)
    assert run.record["outcome"] == "SUCCESS"
    assert schema(machine) == before
    assert machine.rows() == {**ROWS, "memories": ROWS["memories"] + 1, "caller_profiles": ROWS["caller_profiles"] + 1}
    machine.sql("DELETE FROM memories WHERE user_id = '+15550003333'")
    machine.sql("DELETE FROM caller_profiles WHERE user_id = '+15550003333'")
    assert_works_in_full(machine)


@pytest.mark.wide
def test_a_second_rollback_does_nothing(machine: Host, before: str) -> None:
    untouched = machine.untouched()
    run = machine.playbook(*ROLLBACK)
    assert "Nothing: the original schema is already restored." in run.words
    assert run.changed == 0
    assert machine.untouched() == untouched


@pytest.mark.wide
@pytest.mark.parametrize("change", ['s/"version": 1/"version": 2/', "$d", "1,$d"], ids=["version", "cut", "empty"])
def test_a_snapshot_that_it_cannot_read_is_refused(machine: Host, before: str, change: str) -> None:
    machine.run(f"sudo sed '{change}' {machine.backups()[0]}/schema.json > /tmp/other.json")
    untouched = machine.untouched()
    run = machine.playbook(*ROLLBACK, "-etenancy_snapshot_file=/tmp/other.json", check=False)
    said = "was written by a newer release" if "version" in change else "is damaged: it is not JSON"
    assert f"/tmp/other.json {said}" in run.words
    assert machine.untouched() == untouched


@pytest.mark.wide
def test_it_leads_past_a_rollback_of_the_policies_and_a_second_migration(machine: Host, before: str) -> None:
    machine.playbook(*MIGRATE)
    machine.playbook("rollback.yml", "-erollback_mode=policies", "-erollback_confirm=YES")
    machine.playbook(*MIGRATE)
    assert "schema-partly.json" in machine.run(f"sudo ls {machine.backups()[-1]}")
    machine.playbook(*ROLLBACK)
    assert schema(machine) == before
    assert machine.rows() == ROWS


@pytest.mark.wide
def test_what_callers_say_meanwhile_is_kept_and_fails_no_run(machine: Host, before: str) -> None:
    user = "+15550004444"
    with callers(machine, user) as confirmed:
        machine.playbook(*MIGRATE)
        machine.playbook("rollback.yml", "-erollback_mode=policies", "-erollback_confirm=YES")
        machine.playbook(*ROLLBACK)
    stored = machine.sql("SELECT value_json ->> 'text' FROM memories WHERE user_id = %s", (user,))
    assert len(confirmed) > 20
    assert set(confirmed) <= {text for (text,) in stored}
    assert schema(machine) == before
    machine.sql("DELETE FROM memories WHERE user_id = %s", (user,))
    machine.sql("DELETE FROM caller_profiles WHERE user_id = %s", (user,))


@pytest.mark.wide
def test_a_login_of_the_services_own_is_rolled_back(machine: Host, before: str) -> None:
    environment = machine.run("sudo cat /opt/ai-memory/.env")
    machine.playbook(*MIGRATE, "-etenancy_provision_app_role=true")
    machine.playbook(*ROLLBACK)
    assert schema(machine) == before
    assert machine.run("sudo cat /opt/ai-memory/.env") == environment
    assert_works_in_full(machine)


@pytest.mark.wide
def test_the_copy_on_the_laptop_serves_as_well(machine: Host, before: str) -> None:
    copies = machine.playbook(*MIGRATE).files()
    machine.run("sudo find /var/backups/ai-memory -name 'schema*.json' -delete")
    machine.run("cat > /tmp/copy.json", given=copies["schema.json"])
    machine.playbook(*ROLLBACK, "-etenancy_snapshot_file=/tmp/copy.json")
    assert schema(machine) == before
