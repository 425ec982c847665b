"""The service with several workers, which a deployment replaces while the service runs."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from lab import ROOT, TOKEN_SECRET, Host

CODE = "/opt/ai-memory/app.py"
# The line of code that chooses the release when a worker starts.
CHOICE = 'TENANT_AWARE = os.environ.get("AI_MEMORY_RELEASE", "legacy") == "tenant_aware"'
# The number of workers on each host: one, and two that serve requests at the same time.
WORKERS = {"lab17": 2, "lab15": 1}


@contextlib.contextmanager
def with_workers(machine: Host, number: int) -> Iterator[None]:
    """Start with a freshly seeded database and this number of workers, which have the secret for the tokens.

    The legacy release needs no secret, but workers of later releases inherit the main process's environment.
    """
    start = next(
        line for line in (ROOT / "lab/service/ai-memory.service").read_text().splitlines() if line.startswith("ExecS")
    )
    command = start.replace("--workers 1 ", f"--workers {number} ")
    machine.reset()
    try:
        with machine.drop_in(f"ExecStart=\n{command}"):
            machine.run("sudo tee --append /opt/ai-memory/.env", given=f'JWT_SECRET_KEY="{TOKEN_SECRET}"\n')
            machine.run("sudo systemctl restart ai-memory")
            machine.wait_until_healthy()
            assert len(workers(machine)) == number
            yield
    finally:
        machine.run(f"sudo tee {CODE}", given=(ROOT / "lab/service/app.py").read_text())
        machine.reset()


def workers(machine: Host) -> set[int]:
    """Return the PIDs of gunicorn's workers."""
    return set(map(int, machine.run(f"pgrep --parent {machine.service_pid()} || true").split()))


def deploy(machine: Host, *, tenant_aware: bool) -> None:
    """Install the code of a release, and replace the workers one by one."""
    code = (ROOT / "lab/service/app.py").read_text()
    assert CHOICE in code
    machine.run(f"sudo tee {CODE}", given=code.replace(CHOICE, f"TENANT_AWARE = {tenant_aware}"))
    before = workers(machine)
    done = machine.module("service_renew", unit="ai-memory", way="gunicorn", command=[], seconds=60)
    assert done.get("workers") == len(before), done
    assert not workers(machine) & before
    machine.wait_until_healthy()
