"""Units of all kinds on a lab host. The units of a test are removed after the test."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from lab import Host

RUNTIME = "/run/systemd/system"
SERVICE = """[Unit]
Description=AI-Memory of port %i (sample)
[Service]
User=ai-memory
WorkingDirectory=/opt/ai-memory
EnvironmentFile=/opt/ai-memory/.env
Environment=PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
ExecStart=/usr/bin/gunicorn --workers 1 --worker-class uvicorn.workers.UvicornWorker --access-logfile - app:app
"""
SOCKET = "[Socket]\nListenStream=127.0.0.1:8100\n"
WORKER = "[Unit]\nPartOf=aimem@8100.service\n[Service]\nExecStart=/bin/sleep infinity\n"
INSTANCE = {"aimem@.service": SERVICE, "aimem@8100.socket": SOCKET, "aimem-worker.service": WORKER}


@contextlib.contextmanager
def installed(machine: Host, files: dict[str, str]) -> Iterator[None]:
    """Install units for the duration of the block."""
    for name, text in files.items():
        machine.run(f"sudo tee {RUNTIME}/{name}", given=text)
    machine.run("sudo systemctl daemon-reload")
    try:
        yield
    finally:
        machine.run(f"sudo rm {' '.join(f'{RUNTIME}/{name}' for name in files)}; sudo systemctl daemon-reload")


@pytest.fixture
def instance(machine: Host) -> Iterator[tuple[str, ...]]:
    """Replace the service with a template instance, a socket that starts the instance, and a unit that stops with it.

    Yields the names of these units.
    """
    units = ("aimem@8100.socket", "aimem@8100.service", "aimem-worker.service")
    machine.reset()
    with installed(machine, INSTANCE):
        machine.run(f"sudo systemctl stop ai-memory; sudo systemctl start {' '.join(units)}")
        machine.wait_until_healthy()
        yield units
        machine.run(
            r"sudo systemctl stop 'aimem\x408100-failsafe.timer' || true;"
            f" sudo systemctl stop {' '.join(units)}; sudo systemctl start ai-memory"
        )
    machine.wait_until_healthy()


def states(machine: Host, units: tuple[str, ...]) -> list[str]:
    """Return the state of each unit."""
    return machine.run(f"systemctl is-active {' '.join(units)}", check=False).split()
