"""A live change that breaks the service is undone without a stop. A live change that fails changes nothing."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Iterator

import pytest

from lab import MIGRATE, ROOT, Host
from loaded import load
from renewed import CODE, WORKERS, with_workers, workers
from running import url
from service import assert_works_in_full, schema

# Each module with this marker runs on one of the hosts.
pytestmark = pytest.mark.one_host(together=True)

LIVE = (*MIGRATE, "-etenancy_strategy=live")
IMPATIENT = "-etenancy_live_patience_seconds=3"
# A release that cannot handle a request of the smoke test once policies exist.
FAULT = """
async def retrieve(request: Request) -> Row:
    if database.run("SELECT 1 FROM pg_policy WHERE polname = 'tenant_isolation_memories'"):
        if "runbook" in (await request.body()).decode():
            raise psycopg2.errors.UndefinedColumn("the release does not know the column")
"""


@pytest.fixture
def before(machine: Host) -> Iterator[str]:
    """Run the service with the host's number of workers, and yield the original schema."""
    with with_workers(machine, WORKERS[machine.name]):
        yield schema(machine)


@contextlib.contextmanager
def release(machine: Host, edited: str) -> Iterator[None]:
    """Deploy the release with the code ``edited``, and restart the service."""
    machine.run(f"sudo tee {CODE}", given=edited)
    machine.run("sudo systemctl restart ai-memory")
    machine.wait_until_healthy()
    yield


def test_a_release_that_fails_after_the_commit_gets_the_original_schema_without_a_stop(
    machine: Host, before: str
) -> None:
    code = (ROOT / "lab/service/app.py").read_text()
    line = "async def retrieve(request: Request) -> Row:\n"
    assert code.count(line) == 1
    with release(machine, code.replace(line, FAULT.lstrip())), load(machine) as calls:
        run = machine.playbook(*LIVE, check=False)
    calls.assert_faultless(least=50)
    assert (run.record["outcome"], run.record["failure"]["phase"]) == ("FAILED", "answer"), run.output
    assert "Database: the change was committed and then rolled back." in run.words
    assert "Service: ai-memory was not stopped." in run.words
    assert (run.record["stopped_at"], len(workers(machine))) == (None, WORKERS[machine.name])
    assert schema(machine) == before


@contextlib.contextmanager
def late_client(machine: Host) -> Iterator[None]:
    """Once a run has made its plan, open a session of the service's login, and keep the session open."""
    planned = "until ls /var/backups/ai-memory/*/schema*.json; do sleep 0.05; done"
    session = f"exec psql {shlex.quote(url())} --command '\\! sleep 600'"
    machine.run(f"sudo systemd-run --unit=late-client sh -c {shlex.quote(f'{planned}; {session}')}")
    try:
        yield
    finally:
        machine.run("sudo systemctl stop late-client", check=False)


def test_a_session_that_stays_is_named_and_both_releases_keep_working(machine: Host, before: str) -> None:
    with late_client(machine), load(machine) as calls:
        run = machine.playbook(*LIVE, IMPATIENT, check=False)
    calls.assert_faultless(least=50)
    assert (run.record["outcome"], run.record["failure"]["phase"]) == ("FAILED", "renew"), run.output
    assert "alice psql" in run.record["failure"]["message"]
    assert "the online steps and the bridge are committed, but the change is not" in run.words
    assert run.record["stopped_at"] is None
    assert schema(machine) != before
    assert_works_in_full(machine)


@pytest.mark.wide
def test_the_service_is_stopped_instead_if_that_is_requested(machine: Host, before: str) -> None:
    with late_client(machine):
        run = machine.playbook(
            *LIVE, IMPATIENT, "-etenancy_live_otherwise_stop=true", "-eservice_terminate_clients=true"
        )
    assert "NOTE ai-memory was stopped after all: Sessions of the service s login do not end" in run.words
    assert run.record["stopped_at"] is not None
    assert_works_in_full(machine)
