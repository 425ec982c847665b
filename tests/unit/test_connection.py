"""If a run cannot become root, the reason is derived from the output of the login and of sudo."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.aimemory.tenancy.plugins.plugin_utils.service.connection import ASKED, HOME_FULL, trouble

WELL = {"stdout": f"{ASKED}\r\n", "rc": 0}
ROOT: dict[str, Any] = {"service": {}}


def asked(shell: dict[str, Any], ping: dict[str, Any]) -> str:
    return trouble(shell, ping, "operator", "db1")


def test_what_works_is_no_trouble() -> None:
    assert asked(WELL, ROOT) == ""


@pytest.mark.parametrize(
    ("shell", "sentence"),
    [
        ({"stdout": f"Welcome\n{ASKED}\n"}, "The shell of operator on db1 prints text at login ('Welcome'), which"),
        ({"stdout": f"Hi {ASKED}\r\n"}, "The shell of operator on db1 prints text at login ('Hi'), which"),
        ({"stdout": f"{ASKED}\nBye\n"}, "The shell of operator on db1 prints text at login ('Bye'), which"),
        ({"stdout": "This account is currently not available.\n", "rc": 1}, "operator on db1 has no shell that runs"),
        (
            {"stdout": "", "stderr": "bash: not found"},
            "operator on db1 has no shell that runs commands (its output: b",
        ),
        # A login without output gives no reason.
        ({}, "operator on db1 has no shell that runs commands (its output: nothing): set one"),
        (
            {"stdout": f"{ASKED}\n{HOME_FULL} No space left"},
            "operator on db1 cannot store Ansible's temporary files in its home",
        ),
    ],
)
def test_the_shell_is_judged_first(shell: dict[str, Any], sentence: str) -> None:
    assert asked(shell, ROOT).startswith(sentence)
    assert asked(shell, {}).startswith(sentence)


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ({"module_stderr": "sudo: sorry, you must have a tty to run sudo"}, "sudo on db1 requires a terminal, which"),
        ({"msg": "Task failed: Missing sudo password"}, "sudo on db1 asks operator for a password: add --ask-become-p"),
        ({"msg": "Task failed: Incorrect sudo password"}, "sudo on db1 rejected the password of operator: enter"),
        ({"module_stderr": "operator is not in the sudoers file."}, "operator is not allowed to use sudo on db1"),
        (
            {"module_stderr": "Sorry, user operator is not allowed to execute '/bin/sh' as root on db1."},
            "operator is not allowed to use sudo on db1",
        ),
        ({"module_stderr": "/bin/sh: 1: sudo: not found"}, "sudo is not installed on db1: apt-get install sudo"),
        ({"module_stderr": "/bin/sh: 1: /usr/bin/python3: not found"}, "Ansible found no Python 3 on db1: apt-get"),
        ({"msg": "The module interpreter '/usr/bin/python3' was not found."}, "Ansible found no Python 3 on db1"),
        ({"msg": "[Errno 28] No space left on device: '/tmp/x'"}, "A disk of db1 is full: free up space there ("),
        (
            {"module_stderr": "kaput", "msg": "MODULE FAILURE"},
            "Cannot become root on db1: kaput MODULE FAILURE. Try ssh",
        ),
        ({}, "Cannot become root on db1: no answer. Try ssh db1 sudo -n true as operator"),
        # The module ran as root, but raised an exception, or rejected an option.
        (
            {"msg": "Module failed: 'utf-8' codec can't decode byte 0xc3 in position 14: unexpected end of data"},
            "The inspection of db1 as root failed: 'utf-8' codec can't decode byte 0xc3 in position 14: unexpected",
        ),
        (
            {"msg": "argument 'port' is of type str", "invocation": {"module_args": {}}},
            "The inspection of db1 as root failed: argument 'port' is of type str. If the message names a setting",
        ),
    ],
)  # fmt: skip
def test_the_cause_and_its_remedy_are_told(said: dict[str, Any], sentence: str) -> None:
    assert asked(WELL, said).startswith(sentence)
