"""A support archive contains useful facts, but no part of a planted secret or of callers' data."""

from __future__ import annotations

import contextlib
import json
import re
import tarfile
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from lab import MIGRATE, Host, Run
from rows import insert

# The planted strings. The tests search every byte of every archive for each of them.
CALLER = "+15557654321"
NAME = "Ophelia Quartz"
SENTENCE = "Ophelia doesn't trust Wuthering insurances"
OLD_PASSWORD = "Rosebud77"
ROLE_PASSWORD = "Zauberberg-1924"
KEY = "sk-planted-9f8e7d6c5b4a"
INLINE = "inline-Xanadu"
SETTING = "Kafkaesque"
PLANTED = (
    "15557654321", "5557654321", "Ophelia", "Quartz", "Wuthering", "insurances", "Rosebud77", "Zauberberg",
    "9f8e7d6c5b4a", "sk-planted", "Xanadu", "Kafkaesque", "p@ss", "w:rd", "p%40ss", "%C3%A9", "SCRAM-SHA-256$",
    "ophelia", "quartz", "planted",
)  # fmt: skip
SERVICE = "/etc/systemd/system/ai-memory.service.d"


class Archive:
    """The files that a run of support.yml creates."""

    def __init__(self, run: Run, place: Path) -> None:
        """Read the archive in ``place``, and the names file next to it."""
        self.run = run
        self.path, names = sorted(place.iterdir(), key=lambda path: path.suffix != ".gz")
        self.modes = (
            oct(self.path.stat().st_mode)[-4:],
            oct(names.stat().st_mode)[-4:],
            oct(place.stat().st_mode)[-4:],
        )
        self.pseudonyms = json.loads(names.read_text())
        with tarfile.open(self.path) as archive:
            self.members = archive.getmembers()
            self.bytes: dict[str, bytes] = {
                member.name.partition("/")[2]: archive.extractfile(member).read()  # type: ignore[union-attr]
                for member in self.members
            }

    def text(self, name: str) -> str:
        """Return a file of the archive."""
        return self.bytes[name].decode()

    def document(self, name: str) -> Any:
        """Return a JSON file of the archive."""
        return json.loads(self.text(name))

    def leaks(self) -> list[tuple[str, str]]:
        """Return the planted strings that occur in a file, in its name, or on the screen."""
        places = {"screen": self.run.output.encode()} | self.bytes | {name: name.encode() for name in self.bytes}
        return [(word, name) for name, content in places.items() for word in PLANTED if word.encode() in content]


def archive_of(machine: Host, logs: Path | None, *arguments: str) -> Archive:
    """Create an archive with the records of runs in ``logs``."""
    with tempfile.TemporaryDirectory() as directory:
        place = Path(directory) / "archives"
        given = [f"-ereport_directory={logs}"] if logs else []
        run = machine.playbook("playbooks/support.yml", f"-esupport_directory={place}", *given, *arguments)
        return Archive(run, place)


@contextlib.contextmanager
def failing_service(machine: Host) -> Iterator[None]:
    """Make one start of the service fail after it writes its environment and callers' data to the journal."""
    script = f"env; echo could not connect to postgresql://alice:{OLD_PASSWORD}@localhost/ai_memory for {NAME};"
    script += f" echo ERROR app {CALLER} said: {SENTENCE.replace(chr(39), '')}; exit 1"
    machine.run(f"sudo mkdir -p {SERVICE}")
    machine.run(f"sudo tee {SERVICE}/planted.conf", given=(
        f"# of {NAME}\n[Service]\nEnvironment=INLINE={INLINE}\nExecStartPre=/bin/sh -c '{script}'\nRestart=no\n"
        f"SyslogIdentifier=quartz\nX-Ophelia={NAME}\n"
    ))  # fmt: skip
    machine.run("sudo tee -a /opt/ai-memory/.env", given=f"API_KEY={KEY}\nOPHELIA='{KEY}\n{NAME}=x'\n")
    again = "sudo systemctl daemon-reload; sudo systemctl restart ai-memory"
    try:
        machine.run(again, check=False)
        machine.run(f"sudo sed -i s/exit.1/true/ {SERVICE}/planted.conf; {again}")
        machine.wait_until_healthy()
        yield
    finally:
        machine.run(f"sudo rm -r {SERVICE}; sudo systemctl daemon-reload")
        machine.reset()


def refused(machine: Host, statement: str, error: type[psycopg2.Error]) -> None:
    """Run a statement that fails and is logged by PostgreSQL."""
    with pytest.raises(error):
        machine.sql(statement)


def plant_in_the_log(machine: Host) -> None:
    """Run failing statements of every kind that contain callers' data or a password."""
    errors = psycopg2.errors
    quoted = SENTENCE.replace("'", "''")
    profile = insert("caller_profiles", {"customer_id": 1, "user_id": CALLER, "preferred_name": NAME})
    machine.sql(profile)
    refused(machine, profile, errors.UniqueViolation)
    memory = "INSERT INTO memories (customer_id, type, user_id, k, value_json)"
    refused(
        machine, f"{memory} VALUES (1, NULL, '{CALLER}', 'note', to_jsonb('{quoted}'::text))", errors.NotNullViolation
    )
    # A client that does not quote values sends such a statement.
    refused(machine, f"INSERT INTO memories (k) VALUES ('{SENTENCE}')", errors.SyntaxError)
    refused(machine, f"SELECT '{SENTENCE.split()[-1]}'::integer", errors.InvalidTextRepresentation)
    raised = f"RAISE 'no policy for {NAME}' USING DETAIL = '{CALLER}', HINT = 'ask {NAME}'"
    refused(machine, f"DO $$ BEGIN {raised}; END $$", errors.RaiseException)
    refused(machine, f"ALTER ROLE nobody_there PASSWORD '{ROLE_PASSWORD}'", errors.UndefinedObject)
    machine.sql(f"SET log_min_duration_statement = 0; SELECT '{NAME}'")


def plant_in_the_catalogs(machine: Host) -> None:
    """Put callers' data into the catalogs: names, comments, defaults, literals, bodies, settings, a password."""
    machine.sql(f"COMMENT ON TABLE memories IS 'as {NAME} wanted'")
    machine.sql(f"CREATE INDEX planted ON memories (k) WHERE user_id = '{CALLER}'")
    machine.sql(f"COMMENT ON INDEX planted IS 'of {NAME}'")
    machine.sql(f"CREATE INDEX \"{NAME}'s\" ON memories ((k || '{NAME}'))")
    machine.sql(f"ALTER TABLE call_summaries ADD COLUMN ophelia text DEFAULT '{NAME}' CHECK (ophelia <> '{CALLER}')")
    machine.sql(f"CREATE POLICY \"{NAME}\" ON memories AS RESTRICTIVE FOR SELECT TO planted USING (k <> '{CALLER}')")
    machine.sql(
        f"CREATE FUNCTION planted() RETURNS text LANGUAGE sql AS $$ /* {NAME} */ SELECT '{CALLER}' -- {NAME}\n$$"
    )
    machine.sql(f"CREATE TABLE \"{NAME}\" (ophelia text DEFAULT '{NAME}'); INSERT INTO \"{NAME}\" VALUES ('{CALLER}')")
    machine.sql(f"CREATE TYPE ophelia AS ENUM ('{NAME}')")
    machine.sql(f"ALTER ROLE planted SET app.secret = '{SETTING}'")
    machine.sql("ALTER ROLE planted SET ophelia.quartz = 'x'")


@contextlib.contextmanager
def long_query(machine: Host) -> Iterator[None]:
    """Keep a session busy with a statement that contains a caller's name."""
    mine = "query LIKE '%sleep(600)%' AND pid <> pg_backend_pid()"
    with (
        contextlib.closing(machine.connect()) as connection,
        ThreadPoolExecutor(1) as pool,
        connection.cursor() as cursor,
    ):
        waiting = pool.submit(cursor.execute, f"SELECT count(*), pg_sleep(600) FROM memories WHERE user_id <> '{NAME}'")
        try:
            yield
        finally:
            machine.sql(f"SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE {mine}")
        with pytest.raises(psycopg2.errors.QueryCanceled):
            waiting.result()


def plant_in_a_record(logs: Path, host: str) -> None:
    """Add the record of a newer, failed run, with everything that its messages could quote."""
    (real,) = logs.iterdir()
    later = logs / f"20991231T000000Z-{host}"
    later.mkdir()
    record = json.loads((real / "run.json").read_text())
    message = f"The journal shows failures of the database: {SENTENCE} / Key (user_id)=({CALLER}) already exists. postgresql://a:{OLD_PASSWORD}@h/d"
    record["failure"] = {"phase": "journal", "task": "journal | Require no failure of the database", "message": message}
    record["journal"]["lines"] = [f"2026-11-25T18:15:55+00:00 host gunicorn[9]: ERROR app {SENTENCE}", SENTENCE]
    record["aftermath"], record["operator"], record["options"]["limit"] = [SENTENCE], NAME, CALLER
    record["plan"][0] |= {"reason": SENTENCE, "id": f"index.{NAME}", "phase": "ophelia", "sql": f"SELECT '{CALLER}'"}
    record["findings"][0] |= {"check": f"key ({NAME}) left", "actual": [SENTENCE], "expected": CALLER}
    record["audit"] = [
        {
            "rule": "ophelia",
            "severity": "error",
            "subject": NAME,
            "why": SENTENCE,
            "remedy": CALLER,
            "fixed_by_plan": False,
        }
    ]
    record["tables"]["after"][NAME] = {"owner": NAME, "rows": 1, "policies": [{"name": NAME, "using": SENTENCE}]}
    (later / "run.json").write_text(json.dumps(record))
    log = (real / "execution-log.md").read_text().replace("None.", f'Phase journal, task "{NAME}": {message}')
    assert CALLER in log
    (later / "execution-log.md").write_text(log)


@pytest.fixture(scope="module")
def logs() -> Iterator[Path]:
    """Yield a directory for the records of runs."""
    with tempfile.TemporaryDirectory() as directory:
        yield Path(directory)


@pytest.fixture(scope="module")
def planted(machine: Host, logs: Path) -> Iterator[None]:
    """Migrate, and plant secrets and callers' data in all possible places."""
    machine.reset()
    machine.sql("DROP ROLE IF EXISTS planted", database="postgres")
    # The role must exist before the migration makes its plan.
    machine.sql(f"CREATE ROLE planted LOGIN PASSWORD '{ROLE_PASSWORD}'")
    machine.playbook(*MIGRATE, f"-ereport_directory={logs}")
    plant_in_a_record(logs, machine.name)
    plant_in_the_catalogs(machine)
    plant_in_the_log(machine)
    with failing_service(machine):
        yield
    machine.sql("DROP ROLE planted")


@pytest.fixture(scope="module")
def archive(machine: Host, planted: None, logs: Path) -> Archive:
    """Return an archive of the host in its current state."""
    litter = "sudo find /tmp /var/tmp -xdev -not -path '*/systemd-private*' -not -path '/tmp/.*' | sort"
    with long_query(machine):
        before = (machine.untouched(), machine.run(litter))
        made = archive_of(machine, logs)
        assert (machine.untouched(), machine.run(litter)) == before
    return made


def test_what_was_planted_is_where_it_was_planted(machine: Host, archive: Archive) -> None:
    journal = machine.run("sudo journalctl --unit=ai-memory --lines=500 --output=cat")
    for words in (KEY, OLD_PASSWORD, CALLER, "p%40ss", f"INLINE={INLINE}"):
        assert words in journal
    log = machine.run("sudo sh -c 'tail --lines=2000 /var/log/postgresql/*.log'")
    for words in (
        f"Key (customer_id, user_id)=(1, {CALLER})",
        "Failing row contains (",
        SENTENCE,
        ROLE_PASSWORD,
        f"ask {NAME}",
    ):
        assert words in log


def test_nothing_that_was_planted_is_in_the_archive(archive: Archive) -> None:
    assert archive.leaks() == []


def test_only_the_operator_can_read_it_and_only_it_was_changed(machine: Host, archive: Archive) -> None:
    assert archive.modes == ("0600", "0600", "0700")
    assert {oct(member.mode) for member in archive.members} == {"0o600"}
    assert archive.run.changed == 1
    assert machine.lock() == ""
    assert archive.path.name in archive.run.output


@pytest.mark.parametrize(
    ("file", "pattern"),
    [
        ("journal.txt", r"(?m)^\S+\+00:00 +error +- +ai-memory$"),
        ("journal.txt", r"(?m)^\S+\+00:00 +\S+ +- +systemd$"),
        ("journal-postgresql.txt", r"(?m)^\S+\+00:00 +\S+ +- +systemd$"),
        ("postgresql.log", r"(?m)^20\S+ +ERROR +23505 postgresql$"),
        ("postgresql.log", r"(?m)^20\S+ +ERROR +23502 postgresql$"),
        ("postgresql.log", r"(?m)^20\S+ +STATEMENT +- +postgresql$"),
        ("postgresql.log", r"(?m)^20\S+ +LOG +- +postgresql$"),
        ("index.md", "Nothing is missing."),
    ],
)
def test_of_lines_of_logs_what_helps_is_there(archive: Archive, file: str, pattern: str) -> None:
    assert re.search(pattern, archive.text(file))


@pytest.mark.parametrize("file", ["journal.txt", "journal-postgresql.txt", "postgresql.log"])
def test_no_line_of_a_log_holds_more(archive: Archive, file: str) -> None:
    form = re.compile(r"[-\dT:+]+ +[A-Za-z1-5-]+ +[0-9A-Z-]{1,5} +(ai-memory|systemd|postgresql)")
    assert all(form.fullmatch(line) for line in archive.text(file).splitlines())


def test_what_helps_is_there_as_documents(machine: Host, archive: Archive, logs: Path) -> None:
    memories = archive.document("database/state.json")["tables"]["memories"]
    assert memories["rows"] == 5755
    assert memories["rls"] == {"enabled": True, "forced": True}
    record = {f"tenancy_bridge_memories_{command}" for command in ("select", "insert", "update", "delete")}
    policies = {policy["name"] for policy in memories["policies"]}
    assert policies > {"tenant_isolation_memories", *record}
    assert [archive.pseudonyms[name] for name in policies if name.startswith("policy_")] == [NAME]
    roles = {
        archive.pseudonyms.get(role["name"], role["name"]): role for role in archive.document("database/roles.json")
    }
    assert roles["planted"]["password_method"] == "SCRAM-SHA-256"
    assert len(roles["planted"]["settings"]) == 2
    assert roles["alice"]["settings"] == ["app.current_tenant"]
    assert archive.document("database/settings.json")["ssl"]["setting"] == "on"
    sessions = archive.document("database/sessions.json")
    assert ("active", "SELECT") in [(session["state"], session["command"]) for session in sessions]
    assert archive.document("database/sizes.json")["databases"]["ai_memory"] > 1_000_000
    findings = archive.document("findings.json")["findings"]
    assert len(findings) > 100
    assert {item["check"] for item in findings} >= {"RLS policies created", "RLS"}
    assert archive.document("service.json")["ActiveState"] == "active"
    assert archive.document("unit.json")["options"].keys() >= {"ExecStart", "Environment", "ExecStartPre"}
    assert "DATABASE_URL" in archive.document("environment.json")["variables"]
    assert archive.document("environment.json")["others"] == 3
    versions = archive.document("versions.json")
    assert versions["server"]["postgresql"] == machine.sql("SHOW server_version")[0][0].split()[0]
    assert set(versions["server"]["extensions"]) >= {"plpgsql", "uuid-ossp"}
    assert versions["operator"]["community.postgresql"].count(".") == 2
    names = sorted(path.name for path in logs.iterdir())
    record = archive.document(f"runs/{names[0]}/run.json")
    assert record["outcome"] == "SUCCESS"
    assert [phase["name"] for phase in record["phases"]][:3] == ["preflight", "lock", "plan"]
    assert {item["phase"] for item in record["plan"]} > {"column", "policy", "force"}
    failed = archive.document(f"runs/{names[1]}/run.json")["failure"]
    assert failed == {"phase": "journal", "task": "journal | Require no failure of the database", "message": None}
    assert not any(name.startswith("raw-logs/") for name in archive.bytes)


def test_the_index_names_every_file(archive: Archive) -> None:
    for name in archive.bytes:
        assert name == "index.md" or f"\n| {name} | " in archive.text("index.md")


@pytest.mark.wide
@pytest.mark.one_host
@pytest.mark.usefixtures("planted")
def test_raw_logs_come_only_if_they_are_asked_for_and_in_files_of_their_own(
    machine: Host, logs: Path, tmp_path: Path
) -> None:
    place = tmp_path / "archives"
    directories = (f"-esupport_directory={place}", f"-ereport_directory={logs}")
    made = Archive(machine.playbook("playbooks/support.yml", "-esupport_logs=true", *directories), place)
    raw = {name for name in made.bytes if name.startswith("raw-logs/")}
    assert raw >= {f"raw-logs/{name}" for name in ("journal.txt", "journal-postgresql.txt", "postgresql.log")}
    assert any(name.endswith("/execution-log.md") for name in raw)
    assert {name for _, name in made.leaks()} <= raw
    assert KEY in made.text("raw-logs/journal.txt")
    assert SENTENCE in made.text("raw-logs/postgresql.log")
    assert "RAW LOGS: raw-logs/ contains callers' data" in made.run.words
    assert "RAW LOGS: the files below raw-logs/ are unmodified logs." in made.text("index.md")


@pytest.mark.wide
@pytest.mark.one_host
@pytest.mark.usefixtures("planted")
def test_without_the_service_and_without_a_run(machine: Host) -> None:
    machine.run("sudo systemctl stop ai-memory")
    before = machine.untouched()
    made = archive_of(machine, None, "-esupport_journal_lines=5", "-esupport_log_lines=3", "-esupport_logs=false")
    assert machine.untouched() == before
    machine.run("sudo systemctl start ai-memory")
    assert made.leaks() == []
    assert made.run.changed == 1
    assert made.document("service.json")["ActiveState"] == "inactive"
    assert made.document("findings.json")["findings"]
    assert "- runs (records of runs): report_directory has no run of this host" in made.text("index.md")
    assert "Missing: runs" in made.run.words
    assert len(made.text("journal.txt").splitlines()) == 5
    assert len(made.text("postgresql.log").splitlines()) <= 3


@pytest.mark.wide
@pytest.mark.one_host
@pytest.mark.usefixtures("planted")
def test_without_postgresql(machine: Host, logs: Path) -> None:
    machine.run("sudo systemctl stop postgresql")
    try:
        before = (machine.files(), machine.service_pid())
        made = archive_of(machine, logs)
        assert (machine.files(), machine.service_pid()) == before
    finally:
        machine.run("sudo systemctl start postgresql; sudo systemctl restart ai-memory")
        machine.wait_until_healthy()
    assert made.leaks() == []
    assert "FAILED" not in made.run.output
    index = made.text("index.md")
    for name in ("settings.json", "roles.json", "sizes.json", "sessions.json", "state.json"):
        assert f"- database/{name} (" in index
    assert "PostgreSQL did not execute the query" in index
    assert "findings.json (findings and audit of verify.yml): a check failed, or PostgreSQL did not answer" in index
    assert re.search(r"(?m) ERROR +23505 postgresql$", made.text("postgresql.log"))
    assert "DATABASE_URL" in made.document("environment.json")["variables"]


@pytest.mark.wide
@pytest.mark.one_host
def test_what_makes_no_sense_is_refused(machine: Host) -> None:
    run = machine.playbook("playbooks/support.yml", "-esupport_runs=-1", check=False)
    assert "support_runs is -1: it must be at least 0." in run.words


@pytest.mark.wide
@pytest.mark.one_host
def test_a_place_that_cannot_be_written_is_named(machine: Host) -> None:
    run = machine.playbook("playbooks/support.yml", "-esupport_directory=/proc/archives", check=False)
    assert "cannot be written" in run.words
