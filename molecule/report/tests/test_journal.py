"""The report on the service's journal describes each line without quoting it."""

from __future__ import annotations

import pytest

from lab import Host

pytestmark = pytest.mark.one_host

SECRET = "Xanadu-4711"
PATTERNS = {"request_pattern": "HTTP", "refused_pattern": "404"}


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (f"ERROR: {SECRET} is lost", "error, matches 'is lost'"),
        (f"psycopg2.errors.UndefinedTable: relation {SECRET}", "SQLSTATE 42P01 undefined_table"),
        (
            f"ERROR: permission denied for table memories of {SECRET}",
            "error, SQLSTATE 42501 insufficient_privilege, memories",
        ),
    ],
    ids=("pattern", "exception", "sentence"),
)  # fmt: skip
def test_a_line_is_described_and_no_word_of_it_leaves_the_server(machine: Host, said: str, shown: str) -> None:
    with machine.drop_in(f'ExecStartPre=/bin/echo "{said}"'):
        machine.run("sudo systemctl restart ai-memory")
        told = machine.module(
            "service_journal", unit="ai-memory.service", since="-30s", last=50, names=["memories"],
            failure_patterns=["is lost"], **PATTERNS,
        )  # fmt: skip
        assert SECRET in machine.run("sudo journalctl --unit=ai-memory --since=-5min")
    machine.wait_until_healthy()
    assert SECRET not in str({name: value for name, value in told.items() if name != "invocation"})
    (failure,) = [line for line in told["failures"] if line.endswith(f"]: {shown}")]
    assert failure in told["lines"]
    assert told["errors"] >= ("ERROR" in said)
