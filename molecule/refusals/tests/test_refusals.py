"""Bad input and bad hosts get one clear sentence, and nothing is touched."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import pytest

from lab import Host, Run, typed

MIGRATE = ("migrate.yml", "-emigrate_confirm=YES")
ENVIRONMENT = "/opt/ai-memory/.env"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["-emigrate_confirm=yes"], "Not confirmed: nothing was touched. Type YES in capitals"),
        (["-eservice_health_timeout=soon"], "service_health_timeout"),
        (["-etenancy_column_type=money"], "value of tenancy_column_type must be one of: integer, bigint, smallint"),
        (['-e{"tenancy_tables": []}'], "tenancy_tables must be a non-empty list"),
        (['-e{"tenancy_tables": [{"name": "nothing", "sample": {"a": 1}}]}'], "Table public.nothing does not exist"),
        (["-edatabase_name=postgres"], "leads to ai_memory on localhost:5432, not to postgres on this server"),
        (["-edatabase_port=5433"], "leads to ai_memory on localhost:5432, not to ai_memory on this server (port 5433)"),
        (["-edatabase_admin_user=ai-memory"], "role ai-memory does not exist"),
        (["-eservice_name=nothing"], "There is no systemd unit nothing"),
        (["-eservice_environment_file=/nowhere"], "/nowhere cannot be read"),
        (["-eservice_base_url=http://example.org"], "it must be a URL of the server itself"),
        (['-e{"preflight_disk_margin_bytes": 1000000000000000}'], "make room there"),
        (["-eansible_port=1"], "Make sure this host can be reached over ssh"),
        (["-eansible_become_exe=/bin/false"], "Cannot become root"),
        (['-e{"preflight_minimum_version": 990000}'], "is too old"),
        (["-ereport_directory=/proc/nowhere"], "cannot be written: No such file or directory. Name another directory"),
    ],
)
def test_bad_input_is_refused(machine: Host, arguments: list[str], sentence: str) -> None:
    before = machine.untouched()
    run = machine.playbook(*MIGRATE, *arguments, check=False)
    assert sentence in run.words
    assert machine.untouched() == before


@contextlib.contextmanager
def environment(machine: Host, expression: str) -> Iterator[None]:
    """Edit the environment file with sed for a while; the running service keeps what it read."""
    machine.run(f"sudo cp -p {ENVIRONMENT} /root/env && sudo sed -i '{expression}' {ENVIRONMENT}")
    yield
    machine.run(f"sudo mv /root/env {ENVIRONMENT}")


@contextlib.contextmanager
def hidden(machine: Host, path: str) -> Iterator[None]:
    """Hide a file or directory for a while."""
    machine.run(f"sudo mv {path} {path}.hidden")
    yield
    machine.run(f"sudo mv {path}.hidden {path}")


@contextlib.contextmanager
def stopped(machine: Host, unit: str) -> Iterator[None]:
    """Stop a unit for a while."""
    machine.run(f"sudo systemctl stop {unit}")
    yield
    machine.run(f"sudo systemctl start {unit}")


Trouble = Callable[[Host], contextlib.AbstractContextManager[None]]


@pytest.mark.parametrize(
    ("trouble", "sentence"),
    [
        (lambda m: environment(m, "/^DATABASE_URL/d"), "DATABASE_URL is not set in the service s environment file"),
        (lambda m: environment(m, "s/^DATABASE_URL=.*/DATABASE_URL=mysql:x/"), "does not begin with postgresql://"),
        (lambda m: environment(m, "s/localhost/db.example.org/"), "leads to ai_memory on db.example.org:5432"),
        (lambda m: environment(m, "s#//[a-z]*:#//nobody-such:#"), "nobody-such, is no role of this server"),
        (lambda m: environment(m, "s#//[a-z]*:#//postgres:#"), "a role that bypasses row security"),
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
        assert "is a standby, which cannot be changed" in run.words
    finally:
        machine.run(f"sudo rm {signal} && sudo systemctl restart postgresql")
    machine.wait_until_healthy()


def test_a_way_past_row_security_is_refused(machine: Host) -> None:
    machine.sql("CREATE VIEW every_memory AS SELECT * FROM memories")
    try:
        before = machine.untouched()
        run = machine.playbook(*MIGRATE, check=False)
        assert "ERROR view-definer: public.every_memory" in run.words
        assert "The migration would isolate nobody: view-definer: public.every_memory" in run.words
        assert machine.untouched() == before
    finally:
        machine.sql("DROP VIEW every_memory")


def test_an_administrator_without_rights_is_refused(machine: Host) -> None:
    before = machine.rows()
    machine.sql('CREATE ROLE "ai-memory" LOGIN')
    try:
        run = machine.playbook(*MIGRATE, "-edatabase_admin_user=ai-memory", check=False)
        assert "ai-memory is no superuser of this server: correct database_admin_user." in run.words
        assert machine.rows() == before
    finally:
        machine.sql('DROP ROLE "ai-memory"')


@pytest.mark.parametrize("answer", ["yes", "no", ""])
def test_an_answer_that_is_not_yes_in_capitals_ends_the_run(machine: Host, answer: str) -> None:
    before = machine.untouched()
    with typed(answer) as terminal:
        run = Run(machine.name, "migrate.yml", terminal=terminal)
        run.wait()
    assert run.returncode != 0
    assert f"this will modify the database ai_memory of {machine.name}" in run.words
    assert "6,035 rows in 5 tables." in run.words
    assert "Type YES to confirm" in run.words
    assert "Not confirmed: nothing was touched." in run.words
    assert machine.untouched() == before


def test_nobody_to_ask_ends_the_run(machine: Host) -> None:
    before = machine.untouched()
    assert "Not confirmed: nothing was touched." in machine.playbook("migrate.yml", check=False).words
    assert machine.untouched() == before


def test_a_rollback_needs_a_mode(machine: Host) -> None:
    before = machine.untouched()
    run = machine.playbook("rollback.yml", "-erollback_confirm=YES", check=False)
    assert "Say what to roll back: -e rollback_mode=policies" in run.words
    run = machine.playbook("rollback.yml", "-erollback_mode=everything", "-erollback_confirm=YES", check=False)
    assert "value of rollback_mode must be one of: policies, schema, restore" in run.words
    assert machine.untouched() == before


def test_a_refusal_leaves_a_log(machine: Host) -> None:
    run = machine.playbook(*MIGRATE, "-eservice_name=nothing", check=False)
    assert run.record["outcome"] == "FAILED"
    assert "Nothing was changed: the service and the database are as they were." in run.log
