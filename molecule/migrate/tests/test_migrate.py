"""After the migration, the database has tenants, the legacy release works, and the run's records exist."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import stat
import subprocess

from lab import OWNER, ROOT, ROWS, TABLES, Host
from service import assert_works_in_full


def test_every_row_is_kept_and_belongs_to_the_default_tenant(machine: Host) -> None:
    assert machine.rows() == ROWS
    assert machine.rows("customer_id = 1") == ROWS


def test_the_legacy_release_works_in_full(machine: Host) -> None:
    assert_works_in_full(machine)
    assert machine.rows() == ROWS


def test_a_role_that_names_another_tenant_sees_nothing(machine: Host) -> None:
    connection = machine.connect()
    with connection.cursor() as cursor:
        cursor.execute(f"SET SESSION AUTHORIZATION {OWNER}")
        for tenant, rows in (("2", 0), ("1", 1), ("", 0)):
            cursor.execute("SELECT set_config('app.current_tenant', %s, false)", (tenant,))
            for table in TABLES:
                cursor.execute(f"SELECT count(*) FROM {table}")
                assert cursor.fetchone() == (ROWS[table] * rows,)
    connection.close()


def test_an_independent_linter_has_nothing_to_say(machine: Host) -> None:
    with contextlib.closing(machine.connect()) as connection:
        url = f"postgresql://operator@/ai_memory?host={connection.get_dsn_parameters()['host']}"
        command = ["pgrls", "lint", "--config", "molecule/migrate/pgrls.toml", "--database-url", url]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "pgrls: no issues found."), done.stdout + done.stderr


def test_the_service_runs_and_the_failsafe_is_disarmed(machine: Host) -> None:
    assert machine.healthy()
    assert not machine.failsafe_armed()


def test_the_log_is_filled_in_from_facts(machine: Host) -> None:
    finished = [
        record
        for path in (ROOT / "logs").glob(f"*-{machine.name}/run.json")
        if (record := json.loads(path.read_text()))["backup"] is not None
    ]
    record = max(finished, key=lambda item: item["run"])
    assert record["outcome"] == "SUCCESS"
    assert [phase["name"] for phase in record["phases"]] == [
        "preflight", "lock", "plan", "confirm", "backup", "rehearse", "try", "snapshot", "expand", "cutover", "bridge",
        "renew", "apply", "answer", "written", "verify", "journal",
    ]  # fmt: skip
    assert (record["strategy"], record["stopped_at"]) == ("live", None)
    assert all(finding["ok"] for finding in record["findings"])
    journal = record["journal"]
    assert len(journal["lines"]) > 5
    assert all(re.match(r"\S+ (ai-memory.service|systemd)\[\d+\]: ", line) for line in journal["lines"])
    assert journal["errors"] == sum("]: error" in line for line in journal["lines"])
    directory = ROOT / "logs" / record["run"]
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert {path.name: stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()} == dict.fromkeys(
        ("execution-log.md", "report.html", "run.json", "schema.json"), 0o600
    )
    log = (directory / "execution-log.md").read_text()
    assert "- Status: SUCCESS" in log
    assert "- [ ]" not in log
    assert record["backup"]["sha256"] in log
    felt = record["callers"]
    assert (felt["endpoint"], felt["obstacle"]) == ("GET /v1/memories?limit=5", "")
    assert (felt["failed"], felt["reasons"]) == (0, {})
    assert felt["sent"] > 10
    assert re.search(r"Callers: 0 of \d+ reads failed; the slowest took [\d.]+ m?s\.", log)
    assert machine.run("sudo ls -d /run/ai-memory-probes || true") == ""


def test_no_record_holds_the_password(machine: Host) -> None:
    password = machine.run("sudo grep -o '^DATABASE_URL=.*' /opt/ai-memory/.env").split(":")[2].rsplit("@", 1)[0]
    assert len(password) > 8
    texts = [path.read_text() for path in (ROOT / "logs").rglob("*") if path.is_file()]
    assert texts
    for secret in (password, "p@ss/w:rd%1"):
        digest = hashlib.sha256(secret.encode()).hexdigest()[:8]
        assert not any(secret in text for text in texts), f"a record contains the secret with the digest {digest}"


def test_a_second_run_changes_nothing_and_keeps_the_service_running(machine: Host) -> None:
    before = machine.untouched()
    again = machine.playbook("migrate.yml")
    # The second run has only the phases of a dry run, and the lock phase.
    assert [phase["name"] for phase in again.record["phases"]] == ["preflight", "lock", "plan"]
    assert again.changed == 0
    assert "Nothing: the database is already migrated." in again.words
    assert machine.untouched() == before
