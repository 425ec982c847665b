"""A migration as an AWX job: with ansible-runner, the exported inventory, and directories outside the checkout."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from lab import ROOT, ROWS, Host

pytestmark = pytest.mark.one_host


def exported(host: str) -> str:
    """Return the lab's inventory in AWX's form: all variables, with unrendered templates."""
    inventory = [f"--inventory={ROOT / 'inventory/lab.yml'}", "--list", "--export", "--limit", host]
    done = subprocess.run(["ansible-inventory", *inventory], cwd=ROOT, check=True, capture_output=True, text=True)
    return done.stdout


def job(directory: Path, machine: Host, playbook: str, **extra: Any) -> subprocess.CompletedProcess[str]:
    """Run a playbook as AWX does: with the checkout as ansible-runner's project, and a script as the inventory."""
    for name in ("env", "inventory"):
        (directory / name).mkdir(parents=True)
    (directory / "project").symlink_to(ROOT)
    script = directory / "inventory/hosts"
    script.write_text(f"#!/usr/bin/env python3\nprint({exported(machine.name)!r})\n")
    script.chmod(0o700)
    keys = {
        "ansible_ssh_private_key_file": str(ROOT / ".lab/id_ed25519"),
        "ansible_ssh_common_args": f"-o UserKnownHostsFile={ROOT / '.lab/known_hosts'} -o IdentitiesOnly=yes",
    }
    (directory / "env/extravars").write_text(json.dumps(keys | extra))
    (directory / "env/cmdline").write_text(f"--limit {machine.name}")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    # AWX puts its own directories before the paths in the project's settings.
    environment |= {
        "ANSIBLE_ROLES_PATH": f"{directory / 'requirements_roles'}:roles",
        "ANSIBLE_COLLECTIONS_PATH": f"{directory / 'requirements_collections'}:collections",
    }
    return subprocess.run(
        ["ansible-runner", "run", str(directory), "--playbook", playbook], env=environment, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, check=False, timeout=240,
    )  # fmt: skip


@pytest.mark.wide
def test_a_job_that_is_not_confirmed_touches_nothing(machine: Host, tmp_path: Path) -> None:
    machine.reset()
    before = machine.untouched()
    # Pass the survey's default, because ansible-runner's terminal has no input.
    done = job(
        tmp_path / "job",
        machine,
        "playbooks/migrate.yml",
        migrate_confirm="no",
        report_directory=str(tmp_path / "logs"),
    )
    assert done.returncode != 0
    assert "Not confirmed: nothing was touched." in done.stdout
    assert machine.untouched() == before


def test_a_job_that_is_confirmed_migrates_and_leaves_its_records(machine: Host, tmp_path: Path) -> None:
    machine.reset()
    done = job(
        tmp_path / "job", machine, "playbooks/migrate.yml", migrate_confirm="YES", migrate_rehearse="none",
        migrate_break_lock="false", tenancy_strategy="auto", backup_test_restore=False,
        report_directory=str(tmp_path / "kept/logs"), backup_copy_directory=str(tmp_path / "kept/backups"),
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert machine.rows("customer_id = 1") == ROWS
    assert machine.healthy()
    (record,) = (tmp_path / "kept/logs").glob("*/run.json")
    assert json.loads(record.read_text())["outcome"] == "SUCCESS"
    (copy,) = (tmp_path / "kept/backups").glob("*/*.tar")
    # The paths are absolute, because the operator's working directory is a different one.
    words = " ".join(done.stdout.split())
    assert f"Log: {record.parent / 'execution-log.md'}" in words
    assert f"Copy: {copy}" in words
