"""A live change that the service cannot use is undone without a stop, and one that cannot be made changes nothing."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from lab import MIGRATE, ROOT, Host
from loaded import load
from renewed import CODE, WORKERS, with_workers, workers
from running import second_session, unit, url
from service import assert_works_in_full, schema

LIVE = (*MIGRATE, "-etenancy_strategy=live")
IMPATIENT = "-etenancy_live_patience_seconds=3"
# A release that cannot answer a request of the smoke test once policies exist.
FAULT = """
async def retrieve(request: Request) -> Row:
    if database.run("SELECT 1 FROM pg_policy WHERE polname = 'tenant_isolation_memories'"):
        if "runbook" in (await request.body()).decode():
            raise psycopg2.errors.UndefinedColumn("the release does not know the column")
"""


@pytest.fixture
def before(machine: Host) -> Iterator[str]:
    """Run the service with the workers of the host, and return the original schema."""
    with with_workers(machine, WORKERS[machine.name]):
        yield schema(machine)


@contextlib.contextmanager
def release(machine: Host, edited: str) -> Iterator[None]:
    """Run another release, which is deployed with a restart."""
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


def test_a_session_that_stays_is_named_and_nothing_is_changed(machine: Host, before: str) -> None:
    """The session belongs to a process of the service's unit that is no worker."""
    with second_session(machine, url()) as settings, unit(machine, settings), load(machine) as calls:
        run = machine.playbook(*LIVE, IMPATIENT, "-eservice_renew=gunicorn", check=False)
    calls.assert_faultless(least=50)
    assert run.record["outcome"] == "FAILED", run.output
    assert run.record["stopped_at"] is None
    assert "alice" in run.record["failure"]["message"], run.record["failure"]
    assert_works_in_full(machine)
