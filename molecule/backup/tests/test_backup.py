"""A backup counts only if its test restore succeeds. Only the owner can read a backup, and needed backups are kept."""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import json
import re
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import documents
from lab import ROWS, Host, meanwhile
from rows import insert

BACKUP = "playbooks/backup.yml"
DIRECTORY = "/var/backups/ai-memory"
QUICK = ("-ebackup_test_restore=false", "-ebackup_copy_max_bytes=0", "-ebackup_format=custom")


@contextlib.contextmanager
def writers(machine: Host) -> Iterator[list[float]]:
    """Insert and delete rows continuously, and yield a list to which the time of each write is appended."""
    written: list[float] = []

    def write(over: threading.Event) -> None:
        with contextlib.closing(machine.connect()) as connection, connection.cursor() as cursor:
            while not over.is_set():
                cursor.execute(insert("memories", {"k": "busy", "user_id": "+1555000"}))
                cursor.execute("DELETE FROM memories WHERE ctid = (SELECT min(ctid) FROM memories WHERE k = 'busy')")
                cursor.execute(insert("memories", {"k": "busy", "user_id": "+1555000"}))
                written.append(time.time())

    try:
        with meanwhile(write):
            yield written
    finally:
        machine.sql("DELETE FROM memories WHERE k = 'busy'")


@pytest.mark.wide
def test_check_touches_nothing(machine: Host) -> None:
    before = machine.untouched()
    machine.playbook(BACKUP, "--check")
    assert machine.untouched() == before


def test_it_is_complete_proven_and_private(machine: Host, tmp_path: Path) -> None:
    machine.sql("ALTER DATABASE ai_memory SET work_mem = '9MB'")
    catalogs, pid = machine.catalogs(), machine.service_pid()
    run = machine.playbook(BACKUP)
    assert run.record["outcome"] == "SUCCESS"
    assert (machine.catalogs(), machine.service_pid(), machine.rows()) == (catalogs, pid, ROWS)
    (backup,) = machine.backups()
    listed = machine.run(f"sudo find {DIRECTORY} -printf '%y %u %m\\n'").split("\n")[:-1]
    assert set(listed) == {"d postgres 700", "f postgres 600"}
    assert machine.run(f"cd / && sudo sh -c 'cd {backup} && sha256sum --check --strict --quiet SHA256SUMS'") == ""
    assert "CREATE ROLE alice" in machine.run(f"sudo cat {backup}/globals.sql")
    assert "ALTER DATABASE ai_memory SET work_mem TO '9MB';" in machine.run(f"sudo cat {backup}/settings.sql")
    manifest = machine.manifest(backup)
    assert manifest["path"] == backup
    assert manifest["proven_seconds"] > 0
    assert {table["name"]: table["rows"] for table in manifest["tables"]} == ROWS
    for table in manifest["tables"]:
        query = f"SELECT sum(hashtextextended(ROW(t.*)::text, 0)::numeric)::text FROM {table['name']} AS t"
        assert machine.sql(query) == [(table["hash"],)]
    assert "restored and compared in" in run.words
    assert machine.databases() == set()
    assert machine.lock() == ""

    # The copy on this machine has the recorded hash.
    (copy,) = run.copies()
    assert hashlib.sha256(copy.read_bytes()).hexdigest() == run.record["copy"]["sha256"]
    assert copy.stat().st_mode & 0o077 == 0
    subprocess.run(["tar", "--extract", "--file", copy, "--directory", tmp_path], check=True)
    (unpacked,) = tmp_path.iterdir()
    assert unpacked.name == Path(backup).name
    assert json.loads((unpacked / "manifest.json").read_text()) == manifest
    subprocess.run(["sha256sum", "--check", "--strict", "--quiet", "SHA256SUMS"], cwd=unpacked, check=True)
    assert hashlib.sha256((unpacked / "SHA256SUMS").read_bytes()).hexdigest() == manifest["sha256"]
    machine.run("test ! -e /home/operator/.tenancy-copy")

    # The documented commands put the copy back on the host.
    machine.run(f"sudo rm -r {backup}")
    for command in (*documents.commands("scp"), *documents.commands("ssh")):
        machine.at_home(re.sub(r"(backups/[a-z-]+/)?ai_memory-[0-9TZ]+\.tar", copy.name, command), cwd=copy.parent)
    assert machine.run(f"cd / && sudo sh -c 'cd {backup} && sha256sum --check --strict --quiet SHA256SUMS'") == ""
    assert set(machine.run(f"sudo find {DIRECTORY} -printf '%y %u %m\\n'").split("\n")[:-1]) == set(listed)


@pytest.mark.wide
def test_its_counts_are_those_of_the_dump_while_others_write(machine: Host) -> None:
    with writers(machine) as written:
        run = machine.playbook(BACKUP, "-ebackup_format=custom", "-ebackup_copy_max_bytes=0")
    manifest = machine.manifest(machine.backups()[-1])
    dumped = datetime.datetime.fromisoformat(manifest["created"]).timestamp()
    assert any(moment < dumped for moment in written)
    assert any(dumped < moment < dumped + manifest["duration_seconds"] for moment in written)
    assert manifest["format"] == "custom"
    assert manifest["proven_seconds"] > 0
    assert "Copy: none on this machine" in run.words
    assert run.copies() == []


@pytest.mark.wide
def test_a_dump_that_cannot_be_restored_is_no_backup(machine: Host) -> None:
    # pg_dump reports no error, but the restore fails: the table that the CHECK reads does not exist when the rows are
    # restored.
    machine.sql("CREATE FUNCTION any_memory() RETURNS bool LANGUAGE sql AS 'SELECT EXISTS (SELECT FROM memories)'")
    machine.sql("ALTER TABLE call_summaries ADD CHECK (any_memory())")
    try:
        before, backups = (machine.catalogs(), machine.service_pid(), machine.rows()), machine.backups()
        run = machine.playbook("migrate.yml", "-emigrate_confirm=YES", check=False)
        assert run.record["failure"]["phase"] == "backup"
        assert "The backup failed, and nothing was kept: The test restore failed:" in run.words
        assert "Nothing was changed: the service and the database are as they were." in run.words
        assert machine.backups() == backups
        assert machine.databases() == set()
        assert (machine.catalogs(), machine.service_pid(), machine.rows()) == before
        assert machine.lock() == ""
    finally:
        machine.sql("ALTER TABLE call_summaries DROP CONSTRAINT call_summaries_check")
        machine.sql("DROP FUNCTION any_memory()")


@pytest.mark.wide
def test_a_dump_without_a_tenant_table_is_no_backup(machine: Host) -> None:
    backups = machine.backups()
    run = machine.playbook(BACKUP, '-e{"tenancy_tables": [{"name": "nothing", "sample": {"a": 1}}]}', check=False)
    assert "nothing was kept: The dump lacks the rows of nothing: correct tenancy_tables" in run.words
    assert machine.backups() == backups


@pytest.mark.wide
def test_what_lost_runs_left_goes_and_nothing_else(machine: Host) -> None:
    machine.run(f"sudo -u postgres mkdir {DIRECTORY}/ai_memory-20200101T000000Z.partial {DIRECTORY}/unpacked")
    for name in ("ai_memory_scratch_20200101_000000", "ai_memory_scratch_of_mine"):
        machine.sql(f"CREATE DATABASE {name}", database="postgres")
    try:
        machine.playbook(BACKUP, "-ebackup_copy_max_bytes=0")
        assert [name for name in machine.backups() if "partial" in name or "unpacked" in name] == []
        assert machine.databases() == {"ai_memory_scratch_of_mine"}
    finally:
        machine.sql("DROP DATABASE ai_memory_scratch_of_mine", database="postgres")


@pytest.mark.wide
def test_the_oldest_go_and_none_that_is_needed(machine: Host, tmp_path: Path) -> None:
    machine.run(f"sudo rm -rf {DIRECTORY}")
    machine.playbook(BACKUP, *QUICK)
    (made,) = machine.backups()
    unproven = made.rsplit("-", 1)[0] + "-2020010{}T000000Z"
    proven, way_back, logged, spare = (unproven.format(day) for day in (1, 2, 3, 4))
    other = f"{DIRECTORY}/ai_memory_archive-20200101T000000Z"
    for copy in (proven, way_back, logged, spare, other):
        machine.run(f"sudo cp -a {made} {copy}")
    machine.run(f'sudo sed -i \'s/"proven_seconds": null/"proven_seconds": 3.5/\' {proven}/manifest.json')
    machine.run(f"sudo -u postgres touch {way_back}/schema.json")
    record = {"kind": "migrate", "outcome": "PARTIAL", "host": machine.name, "backup": {"path": logged}}
    (tmp_path / "earlier").mkdir()
    (tmp_path / "earlier/run.json").write_text(json.dumps(record))
    machine.playbook(BACKUP, *QUICK, "-ebackup_keep=1", f"-ereport_directory={tmp_path}")
    (newest,) = set(machine.backups()) - {proven, way_back, logged, other}
    assert newest not in (made, spare)
    assert {proven, way_back, logged, other} <= set(machine.backups())


@contextlib.contextmanager
def a_late_change(machine: Host) -> Iterator[None]:
    """Update a row after the dump, in a subtransaction. The row counts remain those of the dump."""

    def change(over: threading.Event) -> None:
        machine.run(f"until sudo sh -c 'ls {DIRECTORY}/*/schema.json' > /dev/null 2>&1; do sleep 0.1; done")
        machine.sql(
            "DO $$ BEGIN BEGIN UPDATE caller_profiles SET preferred_name = 'Late'"
            " WHERE id = (SELECT min(id::text)::uuid FROM caller_profiles);"
            " EXCEPTION WHEN division_by_zero THEN NULL; END; END $$"
        )

    with meanwhile(change):
        yield


@pytest.mark.wide
def test_what_was_written_between_dump_and_stop_is_named_and_kept(machine: Host) -> None:
    machine.reset()
    with a_late_change(machine):
        run = machine.playbook("migrate.yml", "-emigrate_confirm=YES", *QUICK)
    changed = "public.caller_profiles (1 rows added or changed, 1 rows of the backup changed or deleted since)"
    assert f"Written between the backup and the change: {changed}." in run.words
    assert "rollback_mode=schema keeps these changes; rollback_mode=restore loses them." in run.words
    # Between the stop and the start, the run does nothing but change the database.
    names = [phase["name"] for phase in run.record["phases"]]
    assert names[names.index("cutover") :] == ["cutover", "stop", "apply", "start", "written", "verify", "journal"]
    assert run.record["written"] == [{"schema": "public", "name": "caller_profiles", "written": 1, "gone": 1}]
    assert changed in run.log
    (backup,) = machine.backups()
    assert machine.run(f"sudo cat {backup}/schema.json") == run.files()["schema.json"]
    restore = machine.playbook("rollback.yml", "-erollback_mode=restore", "--check")
    assert f"not in the backup: {changed}." in restore.words
    machine.playbook("rollback.yml", "-erollback_mode=schema", "-erollback_confirm=YES")
    assert machine.sql("SELECT count(*) FROM caller_profiles WHERE preferred_name = 'Late'") == [(1,)]


USER = "+15550002222"
# This program calls the service ten times a second on the service's host, so that no tunnel slows the calls down.
CALLERS = """
import json, os, sys, time, urllib.request as u
body = json.dumps({"user_id": sys.argv[1], "content": "a sentence"}).encode()
begun, number, kept = time.time(), 0, 0
while not os.path.exists("/tmp/enough"):
    try:
        request = u.Request("http://127.0.0.1:8100/memory/store", body, {"content-type": "application/json"})
        kept += json.load(u.urlopen(request, timeout=30))["success"]
    except OSError:
        pass
    number += 1
    time.sleep(max(0, begun + number / 10 - time.time()))
print(number, kept)
"""


def seconds_down(record: dict[str, Any]) -> float:
    """Return how long callers waited, in seconds."""
    stopped, healthy = (datetime.datetime.fromisoformat(record[name]) for name in ("stopped_at", "healthy_at"))
    return (healthy - stopped).total_seconds()


@pytest.mark.wide
def test_callers_do_not_make_the_service_stay_down_for_longer(machine: Host) -> None:
    """Compare the downtimes of two runs, without and with callers. Repeat both if other load distorts the result."""
    ratios = []
    for _ in range(3):
        downs, kept = [], 0
        for busy in (False, True):
            machine.reset()
            machine.run("sudo rm -f /tmp/enough")
            with ThreadPoolExecutor(1) as pool:
                asked = pool.submit(machine.run, f"python3 - {USER} ", given=CALLERS) if busy else None
                try:
                    run = machine.playbook("migrate.yml", "-emigrate_confirm=YES", *QUICK)
                finally:
                    machine.run("touch /tmp/enough")
                kept = int(asked.result().split()[1]) if asked else 0
            downs.append(seconds_down(run.record))
        memories = next(table for table in run.record["written"] if table["name"] == "memories")
        assert memories["written"] > 0
        stored = "SELECT count(*) FROM memories WHERE user_id = %s"
        assert machine.sql(stored, (USER,)) == [(kept,)]
        ratios.append(downs[1] / downs[0])
        if ratios[-1] < 2:
            break
    assert min(ratios) < 2, ratios
    # The rollback loses none of the callers' data.
    machine.playbook("rollback.yml", "-erollback_mode=schema", "-erollback_confirm=YES")
    assert machine.sql(stored, (USER,)) == [(kept,)]


@pytest.mark.wide
def test_a_table_whose_name_holds_a_line_break_is_dumped(machine: Host) -> None:
    names = ["odd\nname", "odd\u2028name\x0b\x1c"]
    for name in names:
        machine.sql(f'CREATE TABLE "{name}" AS SELECT 1 AS n')
    try:
        machine.playbook("playbooks/backup.yml", "-ebackup_copy_max_bytes=0")
        tables = machine.manifest(machine.backups()[-1])["tables"]
        assert {table["name"]: table["rows"] for table in tables if "odd" in table["name"]} == dict.fromkeys(names, 1)
    finally:
        for name in names:
            machine.sql(f'DROP TABLE "{name}"')
