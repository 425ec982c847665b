"""Every run keeps idle connections open and pipelines modules, unless the operator configured something else."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import pytest
import yaml

from ansible_collections.aimemory.tenancy.plugins.action.connection_settings import KEEP_ALIVE, is_kept_alive
from production import ROOT

# The second play calls ssh with the settings that the first one made. Nothing listens on port 1, so ssh fails.
PLAYBOOK = """
- import_playbook: aimemory.tenancy.checkout
- hosts: ai_memory
  gather_facts: false
  tasks:
    - ansible.builtin.raw: "true"
      ignore_unreachable: true
      vars: {ansible_host: 127.0.0.1, ansible_port: 1}
"""
# A wrapper of ssh that also appends its arguments to a file.
SSH = """#!/usr/bin/env bash
printf '%s\\n' "$*" >> {log}
exec ssh -F {config} "$@"
"""


INTERVAL = "-o ServerAliveInterval=60"
# The variables of each host. The ssh configuration file sets an interval for the host "ssh_config".
HOSTS: dict[str, dict[str, str]] = {
    "silent": {},
    "ssh_config": {},
    "common_args": {"ansible_ssh_common_args": INTERVAL},
    "extra_args": {"ansible_ssh_extra_args": INTERVAL},
    "args": {"ansible_ssh_args": INTERVAL},
    "other": {"ansible_ssh_extra_args": "-o LogLevel=ERROR", "ansible_ssh_common_args": "-o Tunnel=no"},
}
OWN = "Host ssh_config.example.org\n  ServerAliveInterval 60\n"


def calls(
    directory: Path, hosts: Iterable[str], *, settings: str = "", environment: Mapping[str, str] | None = None
) -> dict[str, list[str]]:
    """Run the playbook, and return the arguments of each ssh call by host; ``settings`` is the text of ansible.cfg."""
    (directory / "play.yml").write_text(PLAYBOOK)
    (directory / "ansible.cfg").write_text(settings)
    (directory / "config").write_text(OWN)
    inventory = {}
    for name in hosts:
        program = directory / f"ssh-{name}"
        program.write_text(SSH.format(log=directory / f"log-{name}", config=directory / "config"))
        program.chmod(0o755)
        inventory[name] = {
            "ansible_ssh_executable": str(program), "ansible_host": f"{name}.example.org", **HOSTS[name],
        }  # fmt: skip
    (directory / "hosts.yml").write_text(yaml.safe_dump({"ai_memory": {"hosts": inventory}}))
    found = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    found |= {"ANSIBLE_HOME": str(directory), "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections")}
    subprocess.run(
        ["ansible-playbook", "-vvv", "-i", "hosts.yml", "play.yml"], cwd=directory,
        env=found | dict(environment or {}), capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    return {name: (directory / f"log-{name}").read_text().splitlines() for name in inventory}


@pytest.fixture(scope="module")
def called(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """Return the ssh calls of a run on all hosts."""
    return calls(tmp_path_factory.mktemp("run"), HOSTS)


def test_an_inventory_that_says_nothing_gets_both(called: dict[str, list[str]]) -> None:
    asked, *later = called["silent"]
    assert asked.startswith("-G ")
    assert asked.endswith(" silent.example.org")
    # The run looks for a shared connection of an earlier command, and keeps its own connections alive.
    assert "-O check" in later[0]
    assert KEEP_ALIVE in later[-1]


def assert_unchanged(later: Sequence[str]) -> None:
    assert later != []
    assert [line for line in later if "ServerAliveInterval=15" in line or "-O check" in line] == []


@pytest.mark.parametrize("host", ["common_args", "extra_args", "args", "ssh_config"])
def test_the_operators_own_interval_stays(called: dict[str, list[str]], host: str) -> None:
    assert_unchanged(called[host][1:])


def test_the_interval_in_ansibles_settings_stays(tmp_path: Path) -> None:
    settings = f"[ssh_connection]\nssh_args = {INTERVAL}\n"
    assert_unchanged(calls(tmp_path, ["silent"], settings=settings)["silent"][1:])


def test_the_interval_in_the_environment_stays(tmp_path: Path) -> None:
    environment = {"ANSIBLE_SSH_COMMON_ARGS": INTERVAL}
    assert_unchanged(calls(tmp_path, ["silent"], environment=environment)["silent"][1:])


def test_the_operators_other_arguments_stay(called: dict[str, list[str]]) -> None:
    last = called["other"][-1]
    assert f"-o LogLevel=ERROR {KEEP_ALIVE}" in last
    assert "-o Tunnel=no" in last


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
