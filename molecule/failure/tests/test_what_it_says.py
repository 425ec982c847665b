"""The run judges the service's log lines by their form. A slow response to the health check is not a failure."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from lab import MIGRATE, Host
from service import assert_works_in_full

pytestmark = pytest.mark.wide

CODE = "/opt/ai-memory/app.py"
# In this release, the health check waits for a language model that is never healthy. Meanwhile, all requests wait.
SLOW = """

@app.middleware("http")
async def ask_the_language_model(request, call_next):
    import time
    from fastapi.responses import JSONResponse
    if request.url.path == "/health":
        time.sleep({seconds})
        return JSONResponse({{"status": "degraded", "database": "healthy"}})
    return await call_next(request)
"""


def says(line: str) -> str:
    """Return the unit setting that logs ``line`` at every start of the service."""
    return f"ExecStartPost=/bin/echo '{line}'"


@contextlib.contextmanager
def slow_health(machine: Host, seconds: int) -> Iterator[None]:
    """Run a release whose health check takes ``seconds``."""
    machine.run(f"sudo cp -p {CODE} {CODE}.whole && sudo tee -a {CODE}", given=SLOW.format(seconds=seconds))
    try:
        machine.run("sudo systemctl restart ai-memory")
        machine.wait_until_healthy()
        yield
    finally:
        machine.run(f"sudo mv {CODE}.whole {CODE} && sudo systemctl restart ai-memory")
        machine.wait_until_healthy()


def test_lines_of_success_that_name_the_tenant_are_no_failure(machine: Host) -> None:
    machine.reset()
    lines = (
        "INFO ai-memory JWT validated: customer_id=1",
        "INFO:ai_memory:stored 7c9e6679 in database ai_memory with psycopg2 [customer:1]",
        '{"level": "info", "event": "relation customer_id does not exist in the cache yet"}',
    )
    with machine.drop_in("\n".join(map(says, lines))):
        run = machine.playbook(*MIGRATE)
    assert run.record["outcome"] == "SUCCESS"
    assert "JWT" in machine.run("sudo journalctl --unit=ai-memory --since=-5min")
    # This one error is about the language model. The service logs it at every start.
    assert (run.record["journal"]["failures"], run.record["journal"]["errors"]) == ([], 1)
    assert_works_in_full(machine)


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        (
            "ERROR ai-memory storing failed: psycopg2.errors.UndefinedColumn: no such column",
            "error, SQLSTATE 42703 undefined_column",
        ),
        (
            "psycopg2.errors.InsufficientPrivilege: FEHLER:  keine Berechtigung",
            "SQLSTATE 42501 insufficient_privilege",
        ),
        (
            '{"level": "error", "error": "permission denied for table memories"}',
            "error, SQLSTATE 42501 insufficient_privilege, memories",
        ),
    ],
    ids=["level", "translated", "structured"],
)
def test_an_error_of_postgresql_fails_the_run(machine: Host, line: str, shown: str) -> None:
    machine.reset()
    with machine.drop_in(says(line)):
        run = machine.playbook(*MIGRATE, check=False)
    assert (run.record["outcome"], run.record["failure"]["phase"]) == ("PARTIAL", "journal")
    assert "The journal shows failures of the database" in run.words
    (failure,) = run.record["journal"]["failures"]
    assert failure.endswith(f"]: {shown}")
    assert failure in run.record["failure"]["message"]
    # The command in the message shows the line itself.
    command = run.record["failure"]["message"].partition("Read the lines on the server: ")[2]
    assert line in machine.run(f"sudo {command}")


def test_a_slow_and_degraded_health_is_quoted_and_rolls_nothing_back(machine: Host) -> None:
    machine.reset()
    with slow_health(machine, 8):
        run = machine.playbook(*MIGRATE)
        assert run.record["outcome"] == "SUCCESS"
    assert "NOTE ai-memory reports its health before anything is stopped: degraded." in run.words
    assert "NOTE ai-memory reports its health after the change: degraded (before the change: degraded)." in run.words


def test_a_health_that_is_slower_than_allowed_is_refused_before_the_stop(machine: Host) -> None:
    machine.reset()
    with slow_health(machine, 8):
        before = machine.catalogs(), machine.service_pid(), machine.rows()
        run = machine.playbook(*MIGRATE, "-eservice_health_request_timeout=4", check=False)
        assert (run.record["failure"]["phase"], run.record["stopped_at"]) == ("try", None), run.output
        assert (machine.catalogs(), machine.service_pid(), machine.rows()) == before
    assert "/health does not answer within 4 s before anything was stopped: find out why it is slow" in run.words
    assert "with service_health_request_timeout" in run.words
