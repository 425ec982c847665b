"""Every run keeps idle connections open and pipelines modules, unless the operator configured something else."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from ansible_collections.aimemory.tenancy.plugins.action.connection_settings import KEEP_ALIVE, is_kept_alive
from production import ROOT

# Shows what later plays get, and calls ssh, which is refused immediately: nothing listens on port 1.
PLAYBOOK = """
- import_playbook: aimemory.tenancy.checkout
- hosts: ai_memory
  gather_facts: false
  tasks:
    - ansible.builtin.raw: "true"
      ignore_unreachable: true
      vars: {ansible_host: 127.0.0.1, ansible_port: 1}
"""
# Writes its arguments to a file, and works like ssh.
SSH = """#!/usr/bin/env bash
printf '%s\\n' "$*" >> {log}
exec ssh -F {config} "$@"
"""


def calls(
    directory: Path, *, own: str = "", settings: str = "", environment: dict[str, str] | None = None, **host: Any
) -> list[str]:
    """Return the arguments of each call of ssh; ``own`` is an ssh_config, and ``settings`` an ansible.cfg."""
    (directory / "play.yml").write_text(PLAYBOOK)
    (directory / "ansible.cfg").write_text(settings)
    (directory / "config").write_text(own)
    program, log = directory / "ssh", directory / "log"
    program.write_text(SSH.format(log=log, config=directory / "config"))
    program.chmod(0o755)
    variables = {"ansible_ssh_executable": str(program), "ansible_host": "db1.example.org", **host}
    (directory / "hosts.yml").write_text(yaml.safe_dump({"ai_memory": {"hosts": {"db1": variables}}}))
    found = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    found |= {"ANSIBLE_HOME": str(directory), "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections")}
    subprocess.run(
        ["ansible-playbook", "-vvv", "-i", "hosts.yml", "play.yml"], cwd=directory, env=found | (environment or {}),
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    return log.read_text().splitlines()


def test_an_inventory_that_says_nothing_gets_both(tmp_path: Path) -> None:
    asked, *later = calls(tmp_path)
    assert asked.startswith("-G ")
    assert asked.endswith(" db1.example.org")
    # The run looks for a shared connection of an earlier command, and keeps later connections alive.
    assert "-O check" in later[0]
    assert KEEP_ALIVE in later[-1]


@pytest.mark.parametrize(
    "given",
    [
        {"ansible_ssh_common_args": "-o ServerAliveInterval=60"},
        {"ansible_ssh_extra_args": "-o ServerAliveInterval=60"},
        {"ansible_ssh_args": "-o ServerAliveInterval=60"},
        {"own": "Host db1*\n  ServerAliveInterval 60\n"},
        {"settings": "[ssh_connection]\nssh_args = -o ServerAliveInterval=60\n"},
        {"environment": {"ANSIBLE_SSH_COMMON_ARGS": "-o ServerAliveInterval=60"}},
    ],
    ids=["common_args", "extra_args", "args", "ssh_config", "ansible.cfg", "environment"],
)
def test_the_operators_own_interval_stays(tmp_path: Path, given: dict[str, Any]) -> None:
    _, *later = calls(tmp_path, **given)
    assert later != []
    assert [line for line in later if "ServerAliveInterval=15" in line or "-O check" in line] == []


def test_the_operators_other_arguments_stay(tmp_path: Path) -> None:
    later = calls(tmp_path, ansible_ssh_extra_args="-o LogLevel=ERROR", ansible_ssh_common_args="-o Tunnel=no")
    assert f"-o LogLevel=ERROR {KEEP_ALIVE}" in later[-1]
    assert "-o Tunnel=no" in later[-1]


@pytest.mark.parametrize(
    ("shown", "kept"),
    [
        ("host db1\nserveraliveinterval 0\nserveralivecountmax 3\n", False),
        ("host db1\nserveraliveinterval 15\n", True),
        ("host db1\n", False),
        ("host\nuser ann\n", False),
    ],
)
def test_keep_alive_is_read_from_the_settings_in_effect(shown: str, kept: bool) -> None:
    assert is_kept_alive(shown) == kept
