"""A failing release is detected before the stop, and callers notice nothing."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from lab import MIGRATE, OWNER, Host
from service import faulty_release

pytestmark = pytest.mark.wide

SMOKE = "+15550000000-runbook"
# The row is deleted after the response, as if the service stored it in another database.
ELSEWHERE = f"""
CREATE FUNCTION elsewhere() RETURNS trigger LANGUAGE plpgsql AS
$$ /* customer_id */ BEGIN DELETE FROM memories WHERE id = NEW.id AND starts_with(user_id, '{SMOKE}');
RETURN NEW; END $$;
CREATE TRIGGER elsewhere AFTER INSERT ON memories FOR EACH ROW EXECUTE FUNCTION elsewhere()
"""
REFUSED = f"ALTER TABLE memories ADD CONSTRAINT nobody CHECK (NOT starts_with(user_id, '{SMOKE}'))"


@contextlib.contextmanager
def without_retrieve(machine: Host) -> Iterator[None]:
    """Run a release that cannot retrieve memories."""
    with faulty_release(machine):
        machine.run("sudo systemctl restart ai-memory")
        machine.wait_until_healthy()
        yield


@pytest.mark.parametrize(
    ("given", "statement", "back", "sentence"),
    [
        (
            "service_health_path=/nope", "SELECT 1", "SELECT 1",
            "http://127.0.0.1:8100/nope answers 404 before anything was stopped",
        ),
        ("service_smoke_store_path=/nope", "SELECT 1", "SELECT 1", "POST /nope answers HTTP 404"),
        (
            "service_name=ai-memory", REFUSED, "ALTER TABLE memories DROP CONSTRAINT nobody",
            "The API fails: POST /memory/store answers HTTP 200",
        ),
        (
            "service_health_timeout=2 service_health_request_timeout=2", ELSEWHERE, "DROP FUNCTION elsewhere() CASCADE",
            "public.memories contains no row for it",
        ),
        (
            "service_name=ai-memory", f"REVOKE DELETE ON memories FROM {OWNER}", f"GRANT DELETE ON memories TO {OWNER}",
            "cannot remove the rows of the smoke test: permission denied for table memories (SQLSTATE 42501).",
        ),
    ],
    ids=["health-path", "store-path", "refused", "elsewhere", "no-right-to-remove"],
)  # fmt: skip
def test_nothing_is_stopped_for_a_service_that_does_not_work(
    machine: Host, given: str, statement: str, back: str, sentence: str
) -> None:
    machine.sql(statement)
    try:
        before = machine.catalogs(), machine.service_pid(), machine.rows()
        run = machine.playbook(*MIGRATE, f"-e{given}", check=False)
        assert run.record["failure"]["phase"] == "try", run.output
        assert sentence in run.words, run.output
        assert (run.record["stopped_at"], run.record["outcome"]) == (None, "FAILED")
        assert "Nothing was changed: the service and the database are as they were." in run.words
        assert (machine.catalogs(), machine.service_pid(), machine.rows()) == before
    finally:
        machine.sql(back)


def test_nothing_is_stopped_for_a_release_that_answers_nothing(machine: Host) -> None:
    with without_retrieve(machine):
        before = machine.catalogs(), machine.service_pid(), machine.rows()
        run = machine.playbook(*MIGRATE, check=False)
        assert (run.record["failure"]["phase"], run.record["stopped_at"]) == ("try", None), run.output
        assert (machine.catalogs(), machine.service_pid(), machine.rows()) == before


def test_requests_to_the_service_go_past_every_proxy(machine: Host) -> None:
    proxies = "\n".join(f"{name}=http://127.0.0.1:1" for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"))
    machine.run("sudo cp -p /etc/environment /etc/environment.test; sudo tee -a /etc/environment", given=proxies + "\n")
    try:
        assert "127.0.0.1:1" in machine.run("env")
        assert machine.playbook(*MIGRATE).record["outcome"] == "SUCCESS"
    finally:
        machine.run("sudo mv /etc/environment.test /etc/environment")
        machine.reset()
