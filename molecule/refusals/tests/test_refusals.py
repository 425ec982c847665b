"""Invalid input and unsuitable hosts are rejected with one clear sentence, and nothing changes."""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.aimemory.tenancy.plugins.module_utils.messages import visible
from lab import OWNER, Host, Run, typed
from rows import insert

pytestmark = pytest.mark.wide

MIGRATE = ("migrate.yml", "-emigrate_confirm=YES")
ENVIRONMENT = "/opt/ai-memory/.env"


def given(**variables: Any) -> str:
    """Return the argument that passes variables as JSON, which keeps their types."""
    return f"-e{json.dumps(variables)}"


def table(**entries: Any) -> str:
    """Return the argument that makes memories the only tenant table; ``entries`` change its entry in the model."""
    return given(tenancy_tables=[{"name": "memories", "surrogate_keys": [["id"]], "sample": {"k": "x"}} | entries])


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["-emigrate_confirm=yes"], "Not confirmed: nothing was touched. Type YES in capitals"),
        (["-eservice_health_timeout=soon"], "service_health_timeout"),
        (["-etenancy_default_tenant=one"], "tenancy_default_tenant must be an integer of at least 1, not one"),
        ([given(tenancy_default_tenant=2**31)], "2147483648 does not fit into a column of type integer"),
        (["-etenancy_column_type=money"], "value of tenancy_column_type must be one of: integer, bigint, smallint"),
        (["-etenancy_strategy=fast"], "value of tenancy_strategy must be one of: auto, atomic, online"),
        (['-e{"tenancy_tables": []}'], "tenancy_tables must be a non-empty list"),
        ([table(name="Memories")], "Table public.Memories does not exist: correct tenancy_tables or the database."),
        (
            [table(natural_keys=[["no_key"]], indexes=[["no_index"]], written_at="no_time")],
            "public.memories has no column no_index, no_key, no_time: correct its entry in tenancy_tables.",
        ),
        (
            [table(sample={"no_sample": 1})],
            "The sample of memories in tenancy_tables names no_sample, and public.memories has no such column",
        ),
        # Jinja renders a number, which the argument specs accept although the type is a string.
        ([given(tenancy_column="{{ 1 }}")], "tenancy_column must be a non-empty string, not 1."),
        (
            [given(tenancy_schema='Odd "s" é {% raw %}{{ 1 }}{% endraw %}')],
            "Table Odd s é {{ 1 }}.memories does not exist",
        ),
        ([given(database_name="Odd d é")], "works in ai_memory as alice (gunicorn), not in Odd d é on this server"),
        (["-edatabase_name=postgres"], "works in ai_memory as alice (gunicorn), not in postgres on this server"),
        (["-edatabase_port=5433"], "did not answer for the database ai_memory: "),
        (["-edatabase_admin_user=ai-memory"], "role ai-memory does not exist"),
        (["-eservice_name=nothing"], "There is no systemd unit nothing"),
        (["-eservice_environment_file=/nowhere"], "/nowhere cannot be read"),
        (['-e{"preflight_disk_margin_bytes": 1000000000000000}'], "free up space there"),
        # A file system that is read-only in the container.
        (["-ebackup_directory=/sys"], "backup_directory /sys on"),
        (["-eansible_port=1"], "Make sure this host can be reached over ssh"),
        (["-eansible_become_exe=/bin/false"], "Cannot become root"),
        (["-ereport_directory=/proc/nowhere"], "No such file or directory. Specify another directory"),
    ],
)
def test_bad_input_is_refused(machine: Host, arguments: list[str], sentence: str) -> None:
    before = machine.untouched()
    run = machine.playbook(*MIGRATE, *arguments, check=False)
    assert sentence in run.words
    assert machine.untouched() == before


@pytest.mark.sample
def test_values_that_make_no_sense_are_refused_all_at_once(machine: Host) -> None:
    wrong: dict[str, Any] = {
        "backup_jobs": 0, "backup_keep": 0, "service_health_timeout": 0, "service_failsafe_seconds": -5,
        "preflight_max_clock_skew_seconds": 0, "backup_directory": "backups", "database_lock_timeout": "soon",
        "database_name": "ai/memory", "service_base_url": "http://example.org", "service_name": "",
        "tenancy_app_role": "pg_app", "tenancy_online_lock_timeout_ms": 0, "tenancy_online_attempts": 0,
        "service_watch_interval": 0, "report_watch_seconds": 1, "service_health_request_timeout": 0,
    }  # fmt: skip
    before = machine.untouched()
    run = machine.playbook(*MIGRATE, given(**wrong), check=False)
    for name, value in wrong.items():
        assert f"{name} is {value}: it must be " in run.words
    assert machine.untouched() == before


@pytest.mark.parametrize("password", [None, "another"])
def test_a_variable_that_cannot_be_decrypted_is_refused(machine: Host, tmp_path: Path, password: str | None) -> None:
    for name in ("right", "another"):
        (tmp_path / name).write_text(name)
    encrypt = ["ansible-vault", "encrypt_string", f"--vault-password-file={tmp_path / 'right'}"]
    variable = subprocess.run(
        [*encrypt, "--name=service_smoke_user_id", "secret"], check=True, capture_output=True, text=True
    )
    (tmp_path / "variables.yml").write_text(variable.stdout)
    known = [f"--vault-password-file={tmp_path / password}"] if password else []
    before = machine.untouched()
    run = machine.playbook(*MIGRATE, f"-e@{tmp_path / 'variables.yml'}", *known, check=False)
    assert "no matching vault password was given: add --ask-vault-pass" in run.words
    assert machine.untouched() == before


def test_output_that_the_terminal_cannot_show_does_not_end_the_run(
    machine: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    before = machine.untouched()
    run = machine.playbook("migrate.yml", given(tenancy_column='Tenant "Nr" é'), "--check")
    assert "Missing Tenant Nr ?" in run.words
    assert machine.untouched() == before


@contextlib.contextmanager
def environment(machine: Host, expression: str) -> Iterator[None]:
    """Temporarily edit the environment file with sed; the running service keeps the old values."""
    machine.run(f"sudo cp -p {ENVIRONMENT} /root/env && sudo sed -i '{expression}' {ENVIRONMENT}")
    try:
        yield
    finally:
        machine.run(f"sudo mv /root/env {ENVIRONMENT}")


@contextlib.contextmanager
def hidden(machine: Host, path: str) -> Iterator[None]:
    """Temporarily hide a file or directory."""
    machine.run(f"sudo mv {path} {path}.hidden")
    try:
        yield
    finally:
        machine.run(f"sudo mv {path}.hidden {path}")


@contextlib.contextmanager
def stopped(machine: Host, unit: str) -> Iterator[None]:
    """Temporarily stop a unit."""
    machine.run(f"sudo systemctl stop {unit}")
    yield
    machine.run(f"sudo systemctl start {unit}")


Trouble = Callable[[Host], contextlib.AbstractContextManager[None]]


@pytest.mark.parametrize(
    ("trouble", "sentence"),
    [
        (lambda m: environment(m, "/^DATABASE_URL/d"), "nothing sets it at the next start: ai-memory would not find"),
        (lambda m: environment(m, "s/^DATABASE_URL=.*/DATABASE_URL=mysql:x/"), "does not start with postgresql://"),
        (lambda m: environment(m, "s/localhost/db.example.org/"), "leads to ai_memory on db.example.org:5432"),
        (lambda m: hidden(m, "/usr/lib/python3/dist-packages/psycopg2"), "apt-get install python3-psycopg2"),
        (lambda m: hidden(m, "/usr/bin/pg_dump"), "apt-get install postgresql-client-"),
    ],
)  # fmt: skip
def test_a_host_that_is_not_ready_is_refused(machine: Host, trouble: Trouble, sentence: str) -> None:
    before = machine.untouched()
    with trouble(machine):
        run = machine.playbook(*MIGRATE, check=False)
    assert sentence in run.words
    assert machine.untouched() == before


@pytest.mark.parametrize(
    ("expression", "sentence"),
    [
        ("s#:[^:@]*@#@#", "cannot log in over the service s own route (localhost, port"),
        # In the lab, PostgreSQL does not listen on ::1. Over the socket, only the system user with the role's name can
        # log in.
        ("s#@localhost#@[::1]#", "server at ::1 , port 5432 failed: Connection refused"),
        ("s#@[^/]*#@%2Frun%2Fpostgresql#", "Peer authentication failed for user alice"),
    ],
)
def test_a_login_that_does_not_serve_is_refused(machine: Host, expression: str, sentence: str) -> None:
    before = machine.catalogs(), machine.rows()
    # If the service were running, it would still use its original login.
    with stopped(machine, "ai-memory"), environment(machine, expression):
        run = machine.playbook("playbooks/verify.yml", check=False)
    assert sentence in run.words
    assert (machine.catalogs(), machine.rows()) == before


@contextlib.contextmanager
def restarted(machine: Host, expression: str) -> Iterator[None]:
    """Temporarily run the service with an edited environment file."""
    with stopped(machine, "ai-memory"), environment(machine, expression):
        machine.run("sudo systemctl start ai-memory")
        machine.wait_until_healthy()
        yield
        machine.run("sudo systemctl stop ai-memory")
    machine.wait_until_healthy()


def test_a_socket_in_database_url_is_accepted(machine: Host) -> None:
    machine.sql('CREATE ROLE "ai-memory" LOGIN')
    machine.sql('GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO "ai-memory"')
    try:
        with restarted(machine, "s#//.*#//ai-memory@/ai_memory?host=/run/postgresql\\&application_name=api#"):
            before = machine.untouched()
            # -e passes numbers as strings.
            texts = ("-edatabase_port=5432", "-epreflight_max_clock_skew_seconds=60", "-epreflight_disk_margin_bytes=1")
            machine.playbook("migrate.yml", "--check", *texts)
            assert machine.untouched() == before
    finally:
        machine.sql('DROP OWNED BY "ai-memory"')
        machine.sql('DROP ROLE "ai-memory"')


def test_a_tenant_column_of_another_type_is_refused(machine: Host) -> None:
    machine.sql("ALTER TABLE memories ADD COLUMN customer_id text")
    try:
        before = machine.untouched()
        run = machine.playbook(*MIGRATE, check=False)
        assert "public.memories.customer_id exists with type text, but the model has integer: rename or" in run.words
        assert machine.untouched() == before
    finally:
        machine.sql("ALTER TABLE memories DROP COLUMN customer_id")


def test_a_stopped_service_is_refused(machine: Host) -> None:
    catalogs = machine.catalogs()
    with stopped(machine, "ai-memory"):
        run = machine.playbook(*MIGRATE, check=False)
        assert machine.service_pid() == 0
    assert "is not running: start it first" in run.words
    assert machine.catalogs() == catalogs


def test_a_stopped_postgresql_is_refused(machine: Host) -> None:
    with stopped(machine, "postgresql"):
        run = machine.playbook(*MIGRATE, check=False)
    assert "did not answer for the database ai_memory" in run.words
    assert "systemctl status postgresql" in run.words


def test_a_standby_is_refused(machine: Host) -> None:
    signal = machine.sql("SHOW data_directory")[0][0] + "/standby.signal"
    machine.run(f"sudo -u postgres touch {signal} && sudo systemctl restart postgresql")
    try:
        run = machine.playbook(*MIGRATE, check=False)
        assert "is a standby, which is read-only" in run.words
    finally:
        machine.run(f"sudo rm {signal} && sudo systemctl restart postgresql")
    machine.wait_until_healthy()


@pytest.mark.sample
def test_what_the_catalogs_know_to_fail_is_refused_at_once(machine: Host) -> None:
    machine.sql(
        "ALTER TABLE memories ADD COLUMN code text NOT NULL DEFAULT 'x' CHECK (code ~ '^(?=x)');"
        " ALTER TABLE memories ALTER code DROP DEFAULT;"
        " ALTER TABLE call_summaries ADD COLUMN customer_id integer; UPDATE call_summaries SET customer_id = 40;"
        " ALTER TABLE caller_profiles DROP CONSTRAINT caller_profiles_user_id_key;"
        f" {insert('caller_profiles', {'user_id': '+7'}, {'user_id': '+7'})}"
    )
    try:
        before = machine.untouched()
        run = machine.playbook("migrate.yml", "--check", check=False)
        assert "FAILED in phase plan" in run.words
        for sentence in (
            "public.memories.code is NOT NULL without a default, but no value for it can be derived (CHECK (code ~ ^(",
            "public.call_summaries.customer_id already exists, contains values other than 1 (40; 123 rows)",
            "within a tenant, 2 rows share 1 of its values, and no unique index prevents that",
        ):
            assert sentence in run.words
        assert machine.untouched() == before
    finally:
        machine.reset()


def test_what_may_stop_the_change_is_named(machine: Host) -> None:
    machine.sql(
        "CREATE FUNCTION guard() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN RETURN; END';"
        " CREATE EVENT TRIGGER guard ON ddl_command_start EXECUTE FUNCTION guard()"
    )
    try:
        run = machine.playbook("migrate.yml", "--check")
        assert "The event trigger guard (ddl_command_start) runs public.guard() of operator on the" in run.words
        assert run.changed == 0
    finally:
        machine.sql("DROP EVENT TRIGGER guard; DROP FUNCTION guard()")


def test_code_that_reading_would_run_is_refused_before_anything_is_read(machine: Host) -> None:
    machine.sql("CREATE SEQUENCE seen; GRANT ALL ON SEQUENCE seen TO PUBLIC")
    machine.sql(
        f"SET SESSION AUTHORIZATION {OWNER}; CREATE FUNCTION waits(text) RETURNS text IMMUTABLE LANGUAGE plpgsql AS"
        " $$BEGIN PERFORM nextval('public.seen'); RETURN $1; END$$;"
        " CREATE INDEX waiting ON memories (k) WHERE public.waits('x') = 'y'"
    )
    machine.sql("ALTER SEQUENCE seen RESTART")
    try:
        for playbook in (MIGRATE, ("playbooks/verify.yml",), ("playbooks/backup.yml",)):
            run = machine.playbook(*playbook, check=False)
            assert "The index public.waiting calls public.waits(text), which belongs to alice, with const" in run.words
        assert machine.sql("SELECT is_called FROM seen") == [(False,)]
    finally:
        machine.sql("DROP FUNCTION waits(text) CASCADE; DROP SEQUENCE seen")


def test_a_login_that_becomes_another_role_is_refused(machine: Host) -> None:
    machine.sql("ALTER ROLE alice IN DATABASE ai_memory SET role = 'pg_monitor'")
    try:
        run = machine.playbook("migrate.yml", "--check", check=False)
        assert "ERROR setting-role: role = pg_monitor for role alice in database ai_memory" in run.words
        assert "The migration would leave bypasses of row security: setting-role: role = pg_monitor" in run.words
    finally:
        machine.sql("ALTER ROLE alice IN DATABASE ai_memory RESET role")


def test_a_way_past_row_security_is_refused(machine: Host) -> None:
    machine.sql("CREATE VIEW every_memory AS SELECT * FROM memories")
    try:
        before = machine.untouched()
        run = machine.playbook(*MIGRATE, check=False)
        assert "ERROR view-definer: public.every_memory" in run.words
        assert "The migration would leave bypasses of row security: view-definer: public.every_memory" in run.words
        assert machine.untouched() == before
    finally:
        machine.sql("DROP VIEW every_memory")


@pytest.mark.parametrize("answer", ["yes", "no", ""])
def test_an_answer_that_is_not_yes_in_capitals_cancels_the_run(machine: Host, answer: str) -> None:
    before = machine.untouched()
    with typed(answer) as terminal:
        run = Run(machine.name, "migrate.yml", terminal=terminal)
        run.wait()
    assert run.returncode == 2
    assert f"this will modify the database ai_memory on {machine.name}" in run.words
    assert "6,035 rows in 5 tables." in run.words
    assert "Type YES to confirm" in run.words
    assert run.words.count("Not confirmed: nothing was touched.") == 1
    assert "Outcome: CANCELLED" in run.words
    assert "FAILED" not in run.output
    assert "cancelled=1" in run.output
    assert "failed=" not in run.output
    record = run.record
    assert (record["outcome"], record["finished"], record["failure"]["phase"]) == ("CANCELLED", True, "confirm")
    assert "- Status: CANCELLED" in run.log
    assert "Cancelled: the answer was not YES. Nothing was touched." in run.log
    assert "None." in run.log
    assert machine.untouched() == before
    assert machine.lock() == ""


def test_a_missing_operator_ends_the_run(machine: Host) -> None:
    before = machine.untouched()
    run = machine.playbook("migrate.yml", check=False)
    assert "Not confirmed: nothing was touched. Type YES in capitals, or pass -e migrate_confirm=YES." in run.words
    # Without an operator, the run fails instead of being canceled.
    assert run.record["outcome"] == "FAILED"
    assert machine.untouched() == before


def test_an_operator_without_a_name_in_the_environment_is_named(machine: Host) -> None:
    run = machine.playbook("migrate.yml", "-emigrate_confirm=no", check=False, variables={"USER": "", "LOGNAME": ""})
    assert run.record["operator"] == pwd.getpwuid(os.getuid()).pw_name


NAME = "spoiled\x1b[3A\x1b[2K\u202e\nOK   all is well"


@pytest.fixture
def spoiled_names(machine: Host) -> Iterator[None]:
    """Put terminal control sequences into names of the service's own objects."""
    objects = (
        ("FUNCTION", "(integer)", "RETURNS bigint LANGUAGE sql SECURITY DEFINER AS 'SELECT count(*) FROM memories'"),
        ("VIEW", "", "AS SELECT * FROM memories"),
    )  # fmt: skip
    for kind, arguments, body in objects:
        machine.sql(f'CREATE {kind} "{NAME}"{arguments} {body}')
    machine.sql(f'GRANT SELECT ON "{NAME}" TO alice')
    yield
    for kind, arguments, _ in objects:
        machine.sql(f'DROP {kind} "{NAME}"{arguments}')


@pytest.mark.usefixtures("spoiled_names")
def test_a_terminal_obeys_no_name(machine: Host) -> None:
    for arguments in ([], ["-v"]):
        run = machine.playbook("migrate.yml", "--check", *arguments, check=False)
        assert "The migration would leave bypasses of row security" in run.words
        assert [line for line in run.output.split("\n") if line.startswith("OK   all is well")] == []
        if not arguments:
            assert not [sign for sign in run.output if sign != "\n" and visible(sign) != sign]
            assert r"spoiled\x1b[3A\x1b[2K\u202e" in run.output
    run = machine.playbook("migrate.yml", "-emigrate_confirm=YES", check=False)
    for name, text in run.files().items():
        assert not [sign for sign in text if sign != "\n" and visible(sign) != sign], name
        assert r"spoiled\x1b[3A" in text.replace(r"\\", "\\"), name


def test_a_rollback_needs_a_mode(machine: Host) -> None:
    before = machine.untouched()
    run = machine.playbook("rollback.yml", "-erollback_confirm=YES", check=False)
    assert "Choose a rollback mode: -e rollback_mode=policies" in run.words
    run = machine.playbook("rollback.yml", "-erollback_mode=everything", "-erollback_confirm=YES", check=False)
    assert "value of rollback_mode must be one of: policies, schema, restore" in run.words
    assert machine.untouched() == before


def test_a_refusal_leaves_a_log(machine: Host) -> None:
    run = machine.playbook(*MIGRATE, "-eservice_name=nothing", check=False)
    assert run.record["outcome"] == "FAILED"
    assert "Nothing was changed: the service and the database are as they were." in run.log
