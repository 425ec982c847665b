"""ansible-navigator runs the playbooks with the project's settings, but without an image, which needs a registry."""

from __future__ import annotations

import fcntl
import os
import re
import subprocess
import termios
from pathlib import Path

import pytest

import documents
from lab import INVENTORIES, ROOT, Host, typed

pytestmark = pytest.mark.one_host

# The dry run and the migration from the documentation.
CHECK, MIGRATE = (command.split() for command in documents.commands("ansible-navigator"))
# The event numbers between the output's lines. The terminal overwrites these numbers.
HIDDEN = re.compile(r"\x1b\[K[^\x1b]*\x1b\[\d+D|\x1b\[K")


def navigate(machine: Host, logs: Path, *command: str) -> tuple[int, str]:
    """Run ansible-navigator on a terminal, answer `no`, and return the exit status and the output."""
    environment = os.environ | {
        "ANSIBLE_INVENTORY": ",".join(str(ROOT / inventory) for inventory in INVENTORIES), "NO_COLOR": "1",
    }  # fmt: skip
    # Molecule sets a stdout callback, which would replace the project's.
    environment.pop("ANSIBLE_STDOUT_CALLBACK", None)
    with typed("no") as terminal:
        done = subprocess.run(
            [*command, "--ee", "false", "--limit", machine.name, f"-ereport_directory={logs}"],
            cwd=ROOT, env=environment, stdin=terminal, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            check=False, timeout=120, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )  # fmt: skip
    return done.returncode, HIDDEN.sub("", done.stdout)


@pytest.mark.wide
def test_navigator_makes_a_dry_run_and_leaves_nothing(machine: Host, tmp_path: Path) -> None:
    before, files = machine.untouched(), set(ROOT.glob("*"))
    returncode, output = navigate(machine, tmp_path, *CHECK)
    assert returncode == 0, output
    assert "SUCCESS (check mode: nothing was touched)" in output
    assert machine.untouched() == before
    # ansible-navigator leaves no artifact and no log.
    assert set(ROOT.glob("*")) - files <= {ROOT / ".cache"}
    assert list((ROOT / "playbooks").glob("*artifact*")) == []


@pytest.mark.wide
def test_navigator_asks_for_yes(machine: Host, tmp_path: Path) -> None:
    machine.reset()
    before = machine.untouched()
    returncode, output = navigate(machine, tmp_path, *MIGRATE)
    assert returncode != 0
    assert "Type 'YES' to confirm" in output
    assert "Not confirmed: nothing was touched." in output
    assert machine.untouched() == before
