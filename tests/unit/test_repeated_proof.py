"""Only a proof that ran makes a failing finding; any other error means that the verification could not be made."""

from __future__ import annotations

from typing import Any

import psycopg2
import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar, trust_as_template

from ansible_collections.aimemory.tenancy.plugins.module_utils import outcomes, sessions, transaction
from ansible_collections.aimemory.tenancy.plugins.modules import postgresql_transaction
from production import ROOT

TASKS = yaml.safe_load((ROOT / "roles/verify/tasks/prove.yml").read_text())
(PROOF,) = [task for task in TASKS if "aimemory.tenancy.run_transaction" in task]
LEAK = outcomes.AttemptError("The isolation proof failed: memories.read.another: 3 rows instead of 0 rows")


def is_failed(result: dict[str, Any]) -> bool:
    """Return whether the task that makes the proof fails with this result."""
    templar = Templar(DataLoader(), variables={PROOF["register"]: result})
    return bool(templar.evaluate_conditional(trust_as_template(PROOF["failed_when"])))


@pytest.mark.parametrize(
    ("error", "is_leak"),
    [
        (LEAK, True),
        (outcomes.ProofError("public.memories is no longer a table: another session is changing the schema."), False),
        (sessions.TimeLimitError("The isolation proof did not end within 60 s and was terminated."), False),
        (sessions.SessionError("The session of postgres acts as alice."), False),
        (transaction.BusyError("The lock on the tenant tables was not free."), False),
        (psycopg2.errors.LockNotAvailable("canceling statement due to lock timeout"), False),
        (psycopg2.OperationalError("connection to server failed: Connection refused"), False),
    ],
)  # fmt: skip
def test_only_a_leak_becomes_a_finding(error: Exception, *, is_leak: bool) -> None:
    failure = postgresql_transaction.failure(error, ["memories"])
    assert failure == {"msg": str(error), "proof_failed": is_leak}
    assert is_failed({"failed": True, **failure}) is not is_leak


def test_a_module_that_crashes_fails_the_task() -> None:
    assert is_failed({"failed": True, "msg": "MODULE FAILURE: see stderr.", "rc": 1})
    assert not is_failed({"changed": False, "result": {"findings": []}})
