"""After the start, an API error counts only if the change may have caused it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from lab import MIGRATE, ROWS, Host
from service import assert_works_in_full

pytestmark = pytest.mark.wide

CODE = "/opt/ai-memory/app.py"


@contextlib.contextmanager
def from_the_next_start(machine: Host, edit: str) -> Iterator[None]:
    """Edit the code of the running service with sed, so that the next start runs another release."""
    machine.reset()
    machine.run(f"sudo cp -p {CODE} {CODE}.whole && sudo sed -i '{edit}' {CODE}")
    try:
        yield
    finally:
        machine.run(f"sudo mv {CODE}.whole {CODE} && sudo systemctl restart ai-memory")
        machine.wait_until_healthy()


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        ('s/if os.environ.get("LLM_DOWN"):/if text != "health":/', "the language model refused the connection"),
        ("s/if not TENANT_AWARE:/if False:/", "HTTP 403"),
    ],
    ids=["language-model", "token"],
)
def test_an_error_that_the_change_does_not_cause_rolls_nothing_back(machine: Host, edit: str, said: str) -> None:
    with from_the_next_start(machine, edit):
        run = machine.playbook(*MIGRATE)
        assert run.record["outcome"] == "SUCCESS"
        (sentence,) = run.record["api"]["unproven"]
        assert sentence.startswith("POST /memory/store answers ")
        assert said in sentence
        assert "API: NOT PROVEN in full (service_smoke=full)" in run.words
    assert_works_in_full(machine)
    assert machine.rows() == ROWS


@pytest.mark.sample
def test_an_error_of_the_database_rolls_the_change_back(machine: Host) -> None:
    # The next release uses a missing column, like a release that does not support the new schema.
    with from_the_next_start(machine, 's/"k": body.get/"no_such": body.get/'):
        run = machine.playbook(*MIGRATE, check=False)
        assert run.record["failure"]["phase"] == "start"
        assert "The API fails: POST /memory/store answers HTTP 200" in run.words
        assert "Database: the change was committed and then rolled back." in run.words
    assert machine.rows() == ROWS


def test_rows_of_a_run_that_was_lost_are_removed(machine: Host) -> None:
    machine.reset()
    machine.call("/memory/store", user_id="+15550000000-runbook-20250101T000000Z-lost", content="left behind")
    assert machine.playbook(*MIGRATE).record["outcome"] == "SUCCESS"
    assert machine.rows() == ROWS
