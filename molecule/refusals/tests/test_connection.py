"""If a login is unusable, the run explains the reason before any change."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from lab import Host

pytestmark = pytest.mark.wide

# A separate login for the test, because the tests themselves use the operator's login.
LOGIN = "deputy"
ALLOWED = f"{LOGIN} ALL=(ALL) NOPASSWD: ALL"
# A persistent SSH connection would keep the login's old state.
FRESH = {"ansible_user": LOGIN, "ansible_ssh_args": "-o ControlMaster=no -o ControlPath=none"}
SMALL = "/dev/shm/home"


@pytest.fixture(autouse=True)
def login(machine: Host) -> Iterator[None]:
    """Create a login that can become root without a password."""
    machine.run(
        f"sudo useradd --create-home --shell /bin/bash {LOGIN}; sudo cp -r ~/.ssh /home/{LOGIN}/;"
        f" sudo chown -R {LOGIN}: /home/{LOGIN}/.ssh; echo {LOGIN}:secret | sudo chpasswd;"
        f" echo '{ALLOWED}' | sudo tee /etc/sudoers.d/{LOGIN}"
    )
    yield
    machine.run(
        f"sudo rm -f /etc/sudoers.d/{LOGIN}; sudo rm -rf {SMALL}; sudo userdel --force --remove {LOGIN} || true"
    )


def sudoers(line: str) -> str:
    """Return the command that replaces the login's line in sudoers."""
    return f"echo '{line}' | sudo tee /etc/sudoers.d/{LOGIN}"


@pytest.mark.parametrize(
    ("trouble", "given", "sentence"),
    [
        (
            sudoers(f"Defaults:{LOGIN} requiretty\n{ALLOWED}"), {},
            "requires a terminal, which Ansible s connection does not have: add Defaults:deputy !requiretty to",
        ),
        (sudoers(f"{LOGIN} ALL=(ALL) ALL"), {}, "asks deputy for a password: add --ask-become-pass"),
        (
            sudoers(f"{LOGIN} ALL=(ALL) ALL"), {"ansible_become_pass": "wrong"},
            "rejected the password of deputy: enter the correct password with --ask-become-pass.",
        ),
        (
            f"sudo rm /etc/sudoers.d/{LOGIN}", {"ansible_become_pass": "secret"},
            "deputy is not allowed to use sudo on HOST: grant it sudo there",
        ),
        (f"sudo rm /etc/sudoers.d/{LOGIN}", {}, "asks deputy for a password: add --ask-become-pass. If deputy"),
        (
            "true", {"ansible_python_interpreter": "/usr/bin/python9"},
            "Ansible found no Python 3 on HOST: apt-get install python3",
        ),
        (
            f"sudo sed -i '1i echo Welcome to the server' /home/{LOGIN}/.bashrc", {},
            "The shell of deputy on HOST prints text at login ( Welcome to the server ), which breaks the transfer",
        ),
        (
            f"sudo usermod --shell /usr/sbin/nologin {LOGIN}", {},
            "deputy on HOST has no shell that runs commands (its output: This account is currently not available.)",
        ),
        (
            f"sudo chown root: /home/{LOGIN}; sudo chmod 0755 /home/{LOGIN}", {},
            "deputy on HOST cannot store Ansible s temporary files in its home (mkdir: cannot create",
        ),
        (
            (f"sudo mkdir {SMALL}; sudo cp -r /home/{LOGIN}/.ssh {SMALL}/; sudo chown -R {LOGIN}: {SMALL};"
            f" sudo usermod --home {SMALL} {LOGIN};"
            f" sudo dd if=/dev/zero of={SMALL}/filler bs=4k status=none || true"),
            {}, "(head: error writing standard output : No space left on device): make room",
        ),
        ("true", {"ansible_become_exe": "/bin/false"}, "Cannot become root on HOST: "),
    ],
    ids=[
        "requiretty", "password", "wrong-password", "not-in-sudoers", "no-sudo-nor-password", "no-python", "welcome",
        "nologin", "home-not-its-own", "full-disk", "anything-else",
    ],
)  # fmt: skip
def test_the_cause_and_its_remedy_are_told(machine: Host, trouble: str, given: dict[str, str], sentence: str) -> None:
    machine.run(trouble)
    before = machine.untouched()
    run = machine.playbook("migrate.yml", "-emigrate_confirm=YES", f"-e{json.dumps(FRESH | given)}", check=False)
    assert sentence.replace("HOST", machine.name) in run.words
    assert machine.untouched() == before


@pytest.mark.parametrize(
    ("harmless", "given"),
    [
        # Output that appears only on a terminal, and output to stderr, is harmless.
        (f"sudo sed -i '1i [ -t 1 ] && echo Welcome' /home/{LOGIN}/.bashrc", {}),
        (f"sudo sed -i '1i echo Welcome >&2' /home/{LOGIN}/.bashrc", {}),
        # A temporary directory on a noexec file system is harmless, too.
        ("findmnt --noheadings --output OPTIONS /dev/shm | grep noexec", {"ansible_remote_tmp": "/dev/shm"}),
    ],
    ids=["terminal", "errors", "noexec"],
)
def test_what_breaks_nothing_is_let_pass(machine: Host, harmless: str, given: dict[str, str]) -> None:
    machine.run(harmless)
    machine.playbook("migrate.yml", "--check", f"-e{json.dumps(FRESH | given)}")
