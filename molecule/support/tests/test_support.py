"""A bundle for whoever helps from afar holds what helps; no secret and nothing of a caller, wherever it was planted."""

from __future__ import annotations

import contextlib
import json
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

# What was planted, to the word: each is looked for in every byte of every bundle.
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
)  # fmt: skip
SERVICE = "/etc/systemd/system/ai-memory.service.d"


class Bundle:
    """One run of support.yml, and what it wrote."""

    def __init__(self, machine: Host, logs: Path | None, *arguments: str) -> None:
        """Make a bundle with the records of runs in ``logs``."""
        with tempfile.TemporaryDirectory() as directory:
            place = Path(directory) / "bundles"
            given = [f"-ereport_directory={logs}"] if logs else []
            self.run: Run = machine.playbook(
                "playbooks/support.yml", f"-esupport_directory={place}", *given, *arguments
            )
            (self.path,) = place.iterdir()
            self.modes = (oct(self.path.stat().st_mode)[-4:], oct(place.stat().st_mode)[-4:])
            with tarfile.open(self.path) as archive:
                self.members = archive.getmembers()
                self.bytes = {
                    member.name.partition("/")[2]: archive.extractfile(member).read()  # type: ignore[union-attr]
                    for member in self.members
                }

    def text(self, name: str) -> str:
        """Return a file of the bundle."""
        return self.bytes[name].decode()

    def document(self, name: str) -> Any:
        """Return a JSON file of the bundle."""
        return json.loads(self.text(name))

    def leaks(self) -> list[tuple[str, str]]:
        """Return what was planted and is in a file, its name, or on the screen."""
        places = {"screen": self.run.output.encode()} | self.bytes | {name: name.encode() for name in self.bytes}
        # JSON may escape what is no ASCII, and a word may be broken by nothing.
        return [(word, name) for name, content in places.items() for word in PLANTED if word.encode() in content]


@contextlib.contextmanager
def failing_service(machine: Host) -> Iterator[None]:
    """Let one start of the service fail with its whole environment, and more, in the journal."""
    script = f"env; echo could not connect to postgresql://alice:{OLD_PASSWORD}@localhost/ai_memory for {NAME};"
    script += f" echo ERROR app {CALLER} said: {SENTENCE.replace(chr(39), '')}; exit 1"
    machine.run(f"sudo mkdir -p {SERVICE}")
    machine.run(f"sudo tee {SERVICE}/planted.conf", given=(
        f"# of {NAME}\n[Service]\nEnvironment=INLINE={INLINE}\nExecStartPre=/bin/sh -c '{script}'\nRestart=no\n"
    ))  # fmt: skip
    machine.run("sudo tee -a /opt/ai-memory/.env", given=f"API_KEY={KEY}\n")
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
    """Make a statement that fails, and stands in PostgreSQL's log."""
    with pytest.raises(error):
        machine.sql(statement)


def plant_in_the_log(machine: Host) -> None:
    """Let statements of every kind fail that hold what a caller said, or a password."""
    errors = psycopg2.errors
    quoted = SENTENCE.replace("'", "''")
    profile = insert("caller_profiles", {"customer_id": 1, "user_id": CALLER, "preferred_name": NAME})
    machine.sql(profile)
    refused(machine, profile, errors.UniqueViolation)
    memory = "INSERT INTO memories (customer_id, type, user_id, k, value_json)"
    refused(
        machine, f"{memory} VALUES (1, NULL, '{CALLER}', 'note', to_jsonb('{quoted}'::text))", errors.NotNullViolation
    )
    # As a client writes it that does not know quotes.
    refused(machine, f"INSERT INTO memories (k) VALUES ('{SENTENCE}')", errors.SyntaxError)
    refused(machine, f"SELECT '{SENTENCE.split()[-1]}'::integer", errors.InvalidTextRepresentation)
    raised = f"RAISE 'no policy for {NAME}' USING DETAIL = '{CALLER}', HINT = 'ask {NAME}'"
    refused(machine, f"DO $$ BEGIN {raised}; END $$", errors.RaiseException)
    refused(machine, f"ALTER ROLE nobody_there PASSWORD '{ROLE_PASSWORD}'", errors.UndefinedObject)
    machine.sql(f"SET log_min_duration_statement = 0; SELECT '{NAME}'")


def plant_in_the_catalogs(machine: Host) -> None:
    """Put what a caller said where no row is: comments, a predicate, a body, settings, a password."""
    machine.sql(f"COMMENT ON TABLE memories IS 'as {NAME} wanted'")
    machine.sql(f"CREATE INDEX planted ON memories (k) WHERE user_id = '{CALLER}'")
    machine.sql(f"COMMENT ON INDEX planted IS 'of {NAME}'")
    machine.sql(
        f"CREATE FUNCTION planted() RETURNS text LANGUAGE sql AS $$ /* {NAME} */ SELECT '{CALLER}' -- {NAME}\n$$"
    )
    machine.sql(f"CREATE ROLE planted LOGIN PASSWORD '{ROLE_PASSWORD}'")
    machine.sql(f"ALTER ROLE planted SET app.secret = '{SETTING}'")


@contextlib.contextmanager
def long_query(machine: Host) -> Iterator[None]:
    """Keep a session busy with a statement that holds a name."""
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
    """Put beside the record of the run one of a newer run that failed, with all that its messages may quote."""
    (real,) = logs.iterdir()
    later = logs / f"20991231T000000Z-{host}"
    later.mkdir()
    record = json.loads((real / "run.json").read_text())
    message = f"The journal shows failures of the database: {SENTENCE} / Key (user_id)=({CALLER}) already exists. postgresql://a:{OLD_PASSWORD}@h/d"
    record["failure"] = {"phase": "journal", "task": NAME, "message": message}
    record["journal"]["lines"] = [f"2026-11-25T18:15:55+00:00 host gunicorn[9]: ERROR app {SENTENCE}", SENTENCE]
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
    """Migrate, and plant secrets and a caller's words wherever they may come to lie."""
    machine.sql("DROP ROLE IF EXISTS planted", database="postgres")
    machine.reset()
    machine.playbook(*MIGRATE, f"-ereport_directory={logs}")
    plant_in_a_record(logs, machine.name)
    plant_in_the_catalogs(machine)
    plant_in_the_log(machine)
    with failing_service(machine):
        yield
    machine.sql("DROP ROLE planted")


@pytest.fixture(scope="module")
def bundle(machine: Host, planted: None, logs: Path) -> Bundle:
    """Return a bundle of the host as it is."""
    litter = "sudo find /tmp /var/tmp -xdev -not -path '*/systemd-private*' -not -path '/tmp/.*' | sort"
    with long_query(machine):
        before = (machine.untouched(), machine.run(litter))
        made = Bundle(machine, logs)
        assert (machine.untouched(), machine.run(litter)) == before
    return made


def test_what_was_planted_is_where_it_was_planted(machine: Host, bundle: Bundle) -> None:
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


def test_nothing_that_was_planted_is_in_the_bundle(bundle: Bundle) -> None:
    assert bundle.leaks() == []


def test_only_the_operator_can_read_it_and_only_it_was_changed(machine: Host, bundle: Bundle) -> None:
    assert bundle.modes == ("0600", "0700")
    assert {oct(member.mode) for member in bundle.members} == {"0o600"}
    assert bundle.run.changed == 1
    assert machine.lock() == ""
    assert bundle.path.name in bundle.run.output


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("journal.txt", "systemd[1]: ai-memory.service: Failed with result 'exit-code'."),
        ("journal.txt", '"GET /health HTTP" 200'),
        ("journal.txt", "INFO ai-memory deleted"),
        ("journal-postgresql.txt", "Started postgresql"),
        ("service.txt", "ActiveState=active"),
        ("unit.txt", "ExecStart=/usr/bin/gunicorn --workers 1 --worker-class uvicorn.workers.UvicornWorker"),
        ("unit.txt", "Environment=INLINE=[removed]"),
        ("environment.txt", "AI_MEMORY_RELEASE=[removed]\nDATABASE_URL=[removed]\nAPI_KEY=[removed]\n"),
        ("postgresql.log", 'ERROR:  duplicate key value violates unique constraint "caller_profiles_'),
        ("postgresql.log", "DETAIL:  Key (customer_id, user_id)=[removed]"),
        ("postgresql.log", "customer_id, user_id, preferred_name) VALUES (now(), now(), '?', '?', '?')"),
        ("postgresql.log", 'ERROR:  null value in column "type" of relation "memories" violates not-null constraint'),
        ("postgresql.log", "ERROR:  no policy for [removed]"),
        ("postgresql.log", "operator@ai_memory LOG:  duration: "),
        ("postgresql.log", "ALTER ROLE [removed] PASSWORD '?'"),
        ("verification.txt", "OK   RLS policies created: 5/5"),
        ("database/schema.sql", "CREATE POLICY tenant_isolation_memories ON public.memories"),
        ("database/schema.sql", "planted ON public.memories USING btree (k) WHERE (user_id = '[removed]'::text);"),
        ("database/schema.sql", "NULLIF(current_setting('app.current_tenant'::text, true), ''::text)"),
        ("index.md", "Everything could be taken."),
    ],
)  # fmt: skip
def test_what_helps_is_there(bundle: Bundle, file: str, words: str) -> None:
    assert words in bundle.text(file)


def test_what_helps_is_there_as_documents(machine: Host, bundle: Bundle, logs: Path) -> None:
    memories = bundle.document("database/state.json")["tables"]["memories"]
    assert memories["rows"] == 5755
    assert memories["rls"] == {"enabled": True, "forced": True}
    record = {f"tenancy_bridge_memories_{command}" for command in ("select", "insert", "update", "delete")}
    assert {"tenant_isolation_memories", *record} == {item["name"] for item in memories["policies"]}
    roles = {role["name"]: role for role in bundle.document("database/roles.json")}
    assert roles["planted"]["password_method"] == "SCRAM-SHA-256"
    assert roles["planted"]["databases"] == {"all": {"settings": ["app.secret=[removed]"]}}
    assert roles["alice"]["databases"] == {"ai_memory": {"settings": ["app.current_tenant=01"]}}
    settings = {item["name"]: item["setting"] for item in bundle.document("database/settings.json")}
    assert settings["log_line_prefix"] == "%m [%p] %q%u@%d "
    queries = [session["query"] for session in bundle.document("database/sessions.json")]
    assert "SELECT count(*), pg_sleep(?) FROM memories WHERE user_id <> '?'" in queries
    assert bundle.document("database/sizes.json")["databases"]["ai_memory"] > 1_000_000
    findings = bundle.document("findings.json")["findings"]
    assert len(findings) > 100
    assert all(item["ok"] for item in findings)
    versions = bundle.document("versions.json")
    assert versions["server"]["postgresql"].startswith(
        f"PostgreSQL {machine.sql('SHOW server_version')[0][0].split()[0]}"
    )
    assert set(versions["server"]["extensions"]) >= {"plpgsql", "uuid-ossp"}
    assert versions["operator"]["community.postgresql"].count(".") == 2
    names = sorted(path.name for path in logs.iterdir())
    record = bundle.document(f"runs/{names[0]}/run.json")
    assert record["outcome"] == "SUCCESS"
    assert [phase["name"] for phase in record["phases"]][:3] == ["preflight", "lock", "plan"]
    assert bundle.document(f"runs/{names[1]}/run.json")["failure"]["message"].startswith(
        "The journal shows failures of the database: "
    )
    assert "Verification passed: " in bundle.text(f"runs/{names[1]}/execution-log.md")


def test_the_index_names_every_file_and_how_much_was_removed(bundle: Bundle) -> None:
    for name, content in bundle.bytes.items():
        if name != "index.md":
            line = next(line for line in bundle.text("index.md").splitlines() if line.startswith(f"| {name} |"))
            assert line.endswith(f" | {content.count(b'[removed]')} |")


@pytest.mark.by_turns
@pytest.mark.one_host
@pytest.mark.usefixtures("planted")
def test_without_the_service_and_without_a_run(machine: Host) -> None:
    machine.run("sudo systemctl stop ai-memory")
    before = machine.untouched()
    made = Bundle(machine, None, "-esupport_journal_lines=5", "-esupport_log_lines=3")
    assert machine.untouched() == before
    machine.run("sudo systemctl start ai-memory")
    assert made.leaks() == []
    assert made.run.changed == 1
    assert "ActiveState=inactive" in made.text("service.txt")
    assert "OK   RLS policies created: 5/5" in made.text("verification.txt")
    assert "- runs (records of runs): there is no run of this host in report_directory" in made.text("index.md")
    assert "Not taken: runs" in made.run.words
    assert len(made.text("journal.txt").splitlines()) == 5
    assert len(made.text("postgresql.log").splitlines()) <= 3


@pytest.mark.by_turns
@pytest.mark.one_host
@pytest.mark.usefixtures("planted")
def test_without_postgresql(machine: Host, logs: Path) -> None:
    machine.run("sudo systemctl stop postgresql")
    try:
        before = (machine.files(), machine.service_pid())
        made = Bundle(machine, logs)
        assert (machine.files(), machine.service_pid()) == before
    finally:
        machine.run("sudo systemctl start postgresql; sudo systemctl restart ai-memory")
        machine.wait_until_healthy()
    assert made.leaks() == []
    assert "FAILED" not in made.run.output
    index = made.text("index.md")
    for name in ("settings.json", "roles.json", "sizes.json", "sessions.json", "state.json", "schema.sql"):
        assert f"- database/{name} (" in index
    assert "verification.txt (what verify.yml shows): PostgreSQL did not answer" in index
    assert "No such file or directory" in index
    assert "LOG:  database system is shut down" in made.text("postgresql.log")
    assert 'ERROR:  duplicate key value violates unique constraint "' in made.text("postgresql.log")
    assert "DATABASE_URL=[removed]" in made.text("environment.txt")
    assert "Stopped postgresql" in made.text("journal-postgresql.txt")


@pytest.mark.by_turns
@pytest.mark.one_host
def test_what_makes_no_sense_is_refused(machine: Host) -> None:
    run = machine.playbook("playbooks/support.yml", "-esupport_runs=-1", check=False)
    assert "support_runs is -1: it must be at least 0." in run.words


@pytest.mark.by_turns
@pytest.mark.one_host
def test_a_place_that_cannot_be_written_is_named(machine: Host) -> None:
    run = machine.playbook("playbooks/support.yml", "-esupport_directory=/proc/bundles", check=False)
    assert "cannot be written" in run.words
