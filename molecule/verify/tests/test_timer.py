"""watch.yml installs a timer that verifies the databases every night, and removes the timer again.

A lab host serves as the machine that runs Ansible, because the machine of the tests may have no systemd.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab import HOSTS, ROOT, Host, Run

pytestmark = pytest.mark.one_host

# Many of these characters have a special meaning for systemd or the shell.
CHECKOUT = r'/srv/a 100%n "checkout" of $HOME\x'
PRINT = """#!/usr/bin/python3
import json, os, pwd, sys
print(json.dumps([pwd.getpwuid(os.getuid()).pw_name, os.getcwd(), os.environ["ANSIBLE_CONFIG"], sys.argv[1:]]))
"""
SOURCES = ["it's.yml", "$0,%i {b}.yml"]
STATE = "/srv/state's directory"


@pytest.fixture
def control(machine: Host, tmp_path: Path) -> Iterator[str]:
    """Yield an inventory in which the lab host is the machine that runs Ansible."""
    lab = yaml.safe_load((ROOT / "inventory/group_vars/lab.yml").read_text())
    connection: dict[str, Any] = {name: lab[name] for name in lab if name.startswith("ansible_")}
    connection |= {
        "ansible_connection": "ssh", "ansible_port": HOSTS[machine.name]["ansible_port"],
        "ansible_ssh_private_key_file": str(ROOT / ".lab/id_ed25519"),
        "ansible_ssh_common_args": lab["ansible_ssh_common_args"].replace("inventory_dir", f"'{ROOT}/inventory'"),
    }  # fmt: skip
    given = {
        "watch_checkout": CHECKOUT, "watch_program": f"{CHECKOUT}/print", "watch_user": "operator",
        "watch_inventory": SOURCES, "watch_arguments": ["--flush-cache"], "watch_state_directory": STATE,
        "watch_random_delay": 60,
    }  # fmt: skip
    path = tmp_path / "control.yml"
    path.write_text(yaml.safe_dump({"all": {"hosts": {"localhost": connection | given}}}))
    place = shlex.quote(CHECKOUT)
    machine.run(f"sudo install -d {place}; sudo install -m 755 /dev/stdin {place}/print", given=PRINT)
    yield str(path)
    machine.run(f"sudo rm -rf {place}")


def test_the_timer_runs_the_verification_and_goes(machine: Host, control: str) -> None:
    hosts = f"localhost,{machine.name}"
    before = machine.files()
    installed = Run(hosts, "playbooks/watch.yml", inventories=(control,))
    installed.wait()
    assert installed.returncode == 0, installed.output
    show = "systemctl show --property={} --value tenancy-verify.{}"
    states = machine.run("systemctl is-enabled tenancy-verify.timer; systemctl is-active tenancy-verify.timer")
    assert states.split() == ["enabled", "active"]
    assert machine.run(show.format("Persistent", "timer")).strip() == "yes"
    assert machine.run(show.format("RandomizedDelayUSec", "timer")).strip() == "1min"
    assert "*-*-* 02:00:00" in machine.run(show.format("TimersCalendar", "timer"))
    assert machine.run(show.format("NextElapseUSecRealtime", "timer")).strip()
    machine.run("sudo systemctl start tenancy-verify.service")
    printed = machine.run("sudo journalctl --unit=tenancy-verify.service --output=cat --grep='^\\['").splitlines()
    user, directory, settings, words = json.loads(printed[-1])
    assert (user, directory, settings) == ("operator", CHECKOUT, f"{CHECKOUT}/ansible.cfg")
    assert words[:-2] == [f"{CHECKOUT}/playbooks/verify.yml", *(f"--inventory={source}" for source in SOURCES)]
    assert words[-1] == "--flush-cache"
    assert json.loads(words[-2].removeprefix("--extra-vars=")) == {"verify_state_directory": STATE}
    removed = Run(hosts, "playbooks/watch.yml", "-ewatch_state=absent", inventories=(control,))
    removed.wait()
    assert removed.returncode == 0, removed.output
    assert machine.files() == before
    assert machine.run("systemctl list-unit-files 'tenancy-verify*' --no-legend", check=False) == ""
