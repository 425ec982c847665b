"""The bridge goes when the record says that nothing needs it, and comes back when the service does not work without."""

from __future__ import annotations

import json
import time

import psycopg2
import pytest
import yaml

from lab import MIGRATE, OWNER, ROOT, ROWS, Host, only_readers
from rows import insert
from service import a_login, assert_works_in_full, deploy, faulty_release

ENFORCE = ("playbooks/enforce.yml", "-eenforce_confirm=YES")
AT_ONCE = "-etenancy_bridge_quiet_seconds=0"


def used_at(machine: Host) -> int | None:
    value: int | None = machine.sql("SELECT pg_sequence_last_value('tenancy_bridge_used')")[0][0]
    return value


def bridges(machine: Host) -> list[tuple[str, str]]:
    return machine.sql(
        "SELECT setrole::regrole::text, setconfig[1] FROM pg_db_role_setting"
        " WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = 'ai_memory')"
    )


def start(machine: Host, release: str) -> None:
    """Deploy a release, and let the seconds pass in which the old one may have used the bridge."""
    deploy(machine, release)
    machine.run("sudo systemctl stop ai-memory")
    time.sleep(4)
    machine.run("sudo systemctl start ai-memory")
    machine.wait_until_healthy()


def test_the_legacy_release_still_needs_it(machine: Host) -> None:
    before = machine.untouched()
    run = machine.playbook(*ENFORCE, AT_ONCE, check=False)
    assert "The bridge is still needed: a session worked by the bridge" in run.words
    assert run.record["failure"]["phase"] == "evidence"
    assert machine.untouched() == before
    assert bridges(machine) == [(OWNER, "app.current_tenant=01")]


@pytest.mark.by_turns
def test_a_second_tenant_may_not_have_rows_meanwhile(machine: Host) -> None:
    machine.sql(insert("caller_profiles", {"customer_id": 2, "user_id": "+1"}))
    try:
        run = machine.playbook("playbooks/verify.yml", check=False)
        assert "FAIL bridge is off once a second tenant has rows: 01" in run.words
    finally:
        machine.sql("DELETE FROM caller_profiles WHERE customer_id = 2")


def test_only_what_names_no_tenant_is_noted(machine: Host) -> None:
    start(machine, "tenant_aware")
    machine.sql("SELECT setval('tenancy_bridge_used', 1, false)")
    assert_works_in_full(machine)
    # verify.yml logs in without a tenant as well, but reads only.
    machine.playbook("playbooks/verify.yml")
    assert used_at(machine) is None
    with a_login(machine) as cursor:
        cursor.execute("SET app.current_tenant = '1'; SELECT FROM memories")
        assert cursor.rowcount == ROWS["memories"]
        assert used_at(machine) is None
        cursor.execute("RESET app.current_tenant; SELECT FROM memories LIMIT 1")
        assert cursor.rowcount == 1
    noted = used_at(machine)
    assert noted is not None
    assert abs(noted - machine.sql("SELECT extract(epoch FROM now())::bigint")[0][0]) < 60
    refused = machine.playbook(*ENFORCE, AT_ONCE, check=False)
    assert "The bridge is still needed" in refused.words


def test_a_write_is_noted_as_well(machine: Host) -> None:
    machine.sql("SELECT setval('tenancy_bridge_used', 1, false)")
    with a_login(machine) as cursor:
        cursor.execute(insert("caller_profiles", {"user_id": "+9"}))
        cursor.execute("DELETE FROM caller_profiles WHERE user_id = '+9'")
    assert used_at(machine) is not None
    machine.sql("SELECT setval('tenancy_bridge_used', 1, false)")


@pytest.mark.by_turns
def test_a_record_that_was_not_kept_for_long_is_no_evidence(machine: Host) -> None:
    before = machine.untouched()
    run = machine.playbook(*ENFORCE, check=False)
    assert "The bridge was not watched for long enough: nothing worked by the bridge since" in run.words
    assert machine.untouched() == before


@pytest.mark.by_turns
def test_check_tells_what_it_would_find(machine: Host) -> None:
    before = machine.untouched()
    with only_readers(machine):
        run = machine.playbook(*ENFORCE, AT_ONCE, "--check")
    assert "EVIDENCE: nothing worked by the bridge since the service was started" in run.words
    assert "1. Remove the bridge: a login that names no tenant has none" in run.words
    assert machine.untouched() == before


@pytest.mark.by_turns
def test_it_asks(machine: Host) -> None:
    before = machine.untouched()
    run = machine.playbook("playbooks/enforce.yml", "-eenforce_confirm=no", AT_ONCE, check=False)
    assert "Not confirmed: nothing was touched." in run.words
    assert machine.untouched() == before


@pytest.mark.by_turns
def test_a_record_that_does_not_work_is_not_believed(machine: Host) -> None:
    machine.sql("ALTER SEQUENCE tenancy_bridge_used MAXVALUE 5")
    try:
        pid = machine.service_pid()
        with a_login(machine) as cursor:
            # A broken record does not break the service.
            cursor.execute("SELECT FROM memories LIMIT 1")
        run = machine.playbook(*ENFORCE, AT_ONCE, check=False)
        assert "The record of the bridge s use does not work" in run.words
        assert machine.service_pid() == pid
    finally:
        machine.sql("ALTER SEQUENCE tenancy_bridge_used NO MAXVALUE")


@pytest.mark.by_turns
def test_the_bridge_comes_back_when_the_service_does_not_work(machine: Host) -> None:
    # A second tenant is what one enforces for.
    machine.sql(insert("caller_profiles", {"customer_id": 2, "user_id": "+1"}))
    with faulty_release(machine):
        run = machine.playbook(*ENFORCE, AT_ONCE, check=False)
    assert run.record["outcome"] == "FAILED"
    assert run.record["failure"]["phase"] == "start"
    assert "Database: what was committed was taken back again." in run.words
    assert bridges(machine) == [(OWNER, "app.current_tenant=01")]
    assert machine.sql("DELETE FROM caller_profiles WHERE customer_id = 2 RETURNING user_id") == [("+1",)]
    assert_works_in_full(machine)
    assert not machine.failsafe_armed()
    assert machine.playbook("migrate.yml").changed == 0
    machine.playbook("playbooks/verify.yml")
    # The service's new sessions have the bridge again: the legacy release works.
    start(machine, "legacy")
    assert_works_in_full(machine)
    start(machine, "tenant_aware")


@pytest.mark.by_turns
def test_an_api_that_shows_another_tenants_rows_is_found(machine: Host) -> None:
    # The other tenant is the default one, as for an API that ignores the token.
    run = machine.playbook(*ENFORCE, AT_ONCE, "-eservice_other_tenant=1", check=False)
    assert "The API showed another tenant what was stored" in run.words
    assert "Test memory of the run" in run.record["failure"]["message"]
    assert bridges(machine) == [(OWNER, "app.current_tenant=01")]


def test_the_bridge_is_removed(machine: Host) -> None:
    pid = machine.service_pid()
    run = machine.playbook(*ENFORCE, AT_ONCE)
    assert run.record["outcome"] == "SUCCESS"
    assert "- [x] Bridge removed" in run.log
    assert bridges(machine) == [(OWNER, "app.current_tenant=")]
    assert machine.service_pid() not in (0, pid)
    assert machine.sql("SELECT count(*) FROM pg_policy WHERE polname LIKE 'tenancy_bridge%'") == [(0,)]
    with a_login(machine) as cursor:
        cursor.execute("SELECT FROM memories")
        assert cursor.rowcount == 0
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            cursor.execute(insert("caller_profiles", {"user_id": "+9"}))
    assert_works_in_full(machine)
    assert_works_in_full(machine, tenant=2)
    assert machine.rows() == ROWS


@pytest.mark.by_turns
def test_nothing_is_left_to_enforce_and_nothing_brings_it_back(machine: Host) -> None:
    before = machine.untouched()
    run = machine.playbook(*ENFORCE, AT_ONCE)
    assert "Nothing: the bridge is off already." in run.words
    assert run.changed == 0
    assert machine.playbook("migrate.yml").changed == 0
    machine.playbook("playbooks/verify.yml")
    assert machine.untouched() == before


@pytest.mark.by_turns
def test_a_table_of_the_next_release_joins_without_the_bridge(machine: Host) -> None:
    model = yaml.safe_load((ROOT / "inventory/group_vars/ai_memory/tenancy.yml").read_text())
    notes = {"name": "call_notes", "surrogate_keys": [["id"]], "indexes": [["user_id"]], "sample": {"user_id": "proof"}}
    wanted = "-e" + json.dumps({"tenancy_tables": [*model["tenancy_tables"], notes]})
    machine.sql(
        "CREATE TABLE call_notes (id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,"
        " customer_id integer NOT NULL, user_id varchar(255), note text)"
    )
    machine.sql(f"ALTER TABLE call_notes OWNER TO {OWNER}")
    machine.sql("INSERT INTO call_notes (customer_id, user_id) VALUES (1, '+1'), (2, '+1'), (2, '+2')")
    machine.sql(insert("caller_profiles", {"customer_id": 2, "user_id": "+1"}))
    # Until it is named, it is a way past row security.
    assert "column-unlisted: public.call_notes" in machine.playbook("playbooks/verify.yml", check=False).words
    machine.playbook(*MIGRATE, wanted)
    machine.playbook("playbooks/verify.yml", wanted)
    assert bridges(machine) == [(OWNER, "app.current_tenant=")]
    with a_login(machine) as cursor:
        for tenant, rows in ((None, 0), (1, 1), (2, 2)):
            cursor.execute("SET app.current_tenant = %s" if tenant else "RESET app.current_tenant", (str(tenant),))
            cursor.execute("SELECT FROM call_notes")
            assert cursor.rowcount == rows
    machine.sql("DELETE FROM caller_profiles WHERE customer_id = 2")
    assert_works_in_full(machine)
    assert_works_in_full(machine, tenant=2)


@pytest.mark.by_turns
def test_a_database_without_tenants_is_refused(machine: Host) -> None:
    machine.reset()
    before = machine.untouched()
    run = machine.playbook(*ENFORCE, AT_ONCE, check=False)
    assert "The database is not migrated in full" in run.words
    assert "run migrate.yml first" in run.words
    assert machine.untouched() == before
