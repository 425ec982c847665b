"""Capture the terminal output of runs on a lab host: python docs/captures.py DIRECTORY [run-80 …].

Each capture is a file with the command after a prompt, and the whole output. The number in the capture's name is the
width of the terminal.
"""

from __future__ import annotations

import contextlib
import shlex
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from lab import Host
from screen import on_a_terminal
from service import faulty_release

HOST = "lab17"
WIDTHS = (80, 60)
MIGRATE = ("ansible-playbook", "migrate.yml", "--limit", HOST)
CONFIRMED = (*MIGRATE, "-e", "migrate_confirm=YES")
# By name of the capture: the command, its expected exit status, and a context manager that prepares the host. With
# faulty_release, the next start of the service runs a release that cannot retrieve memories.
RUNS: dict[str, tuple[tuple[str, ...], int, Callable[[Host], AbstractContextManager[object]]]] = {
    "dry-run": ((*MIGRATE, "--check"), 0, contextlib.nullcontext),
    "run": (CONFIRMED, 0, contextlib.nullcontext),
    "failed-run": (CONFIRMED, 2, faulty_release),
}


def capture(machine: Host, name: str, columns: int) -> str:
    """Run a command on a freshly seeded host. Return the command and its output on a terminal.

    ``columns`` is the width of the terminal.
    """
    command, status, prepared = RUNS[name]
    machine.reset()
    with prepared(machine):
        screen = on_a_terminal(*command, columns=columns, ANSIBLE_INVENTORY="inventory/lab.yml")
    if screen.returncode != status:
        raise SystemExit(f"{name} ended with {screen.returncode} instead of {status}:\n{screen.written}")
    return f"$ {shlex.join(command)}\r\n{screen.written}"


def main() -> None:
    """Write the captures that the arguments name, or all captures."""
    directory, wanted = Path(sys.argv[1]), sys.argv[2:]
    captures = {f"{name}-{columns}": (name, columns) for name in RUNS for columns in WIDTHS}
    directory.mkdir(parents=True, exist_ok=True)
    with contextlib.closing(Host(HOST)) as machine:
        for file in wanted or captures:
            (directory / file).write_text(capture(machine, *captures[file]), newline="")


if __name__ == "__main__":
    main()
