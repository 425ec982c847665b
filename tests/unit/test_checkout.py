"""A run that could not do what it says is refused before any host is asked."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from production import ROOT

PLAYBOOKS = ("migrate.yml", "rollback.yml", "playbooks/verify.yml", "playbooks/backup.yml")


def refusal(playbook: str, inventory: str, *arguments: str, config: str = "ansible.cfg", directory: Path = ROOT) -> str:
    """Run the playbook, which must fail, and return what it prints with every blank as one space."""
    command = ["ansible-playbook", str(ROOT / playbook), "--check", f"--inventory={inventory}", *arguments]
    environment = os.environ | {"ANSIBLE_CONFIG": str(ROOT / config) if config else "", "ANSIBLE_FORCE_COLOR": "0"}
    environment.pop("ANSIBLE_INVENTORY", None)
    done = subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode != 0, done.stdout
    return " ".join((done.stdout + done.stderr).split())


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_a_run_without_the_projects_settings_is_refused(playbook: str, tmp_path: Path) -> None:
    words = refusal(playbook, str(ROOT / "inventory/lab.yml"), config="", directory=tmp_path)
    assert "The project's ansible.cfg was not read. Run from the repository's root" in words
    assert "chmod o-w" in words


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_a_run_without_a_host_is_refused(playbook: str) -> None:
    assert "No host of this run is in the inventory's group ai_memory" in refusal(playbook, "localhost,")


def test_a_limit_to_a_host_of_another_group_is_refused() -> None:
    words = refusal("migrate.yml", "127.0.0.1,", "--limit=127.0.0.1")
    assert "No host of this run is in the inventory's group ai_memory" in words
