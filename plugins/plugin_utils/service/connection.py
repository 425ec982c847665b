"""Why a host cannot be worked on, from what its login and sudo answered."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

# What the login's shell is asked for (``roles/preflight/tasks/inspect.yml``): this line alone, or one about its home.
ASKED = "tenancy-runbook"
HOME_FULL = "tenancy-home:"
# What the module inspect_host returns whenever it runs.
INSPECTED = "service"


def trouble(shell: Mapping[str, Any], answer: Mapping[str, Any], user: str, host: str) -> str:
    """Return what is wrong with the way to root on a host and what to do, in one sentence; "" where nothing is.

    ``shell`` is the result of ``raw`` as the login, ``answer`` that of the module inspect_host as root. Both may have
    failed.
    """
    return _of_shell(shell, user, host) or ("" if INSPECTED in answer else _of_root(answer, user, host))


def _of_shell(shell: Mapping[str, Any], user: str, host: str) -> str:
    # Text of the login that ends no line stands before the answer, in its line.
    answered = re.sub(rf"{ASKED}\s*$", f"\n{ASKED}", str(shell.get("stdout", "")), flags=re.MULTILINE)
    lines = [line.strip() for line in answered.splitlines()]
    said = [line for line in lines if line and line != ASKED and not line.startswith(HOME_FULL)]
    if ASKED not in lines:
        answer = " / ".join(said) or str(shell.get("stderr", "")).strip() or "nothing"
        return (
            f"{user} on {host} has no shell that runs commands (it answered: {answer[:200]}): give it one with usermod"
            f" --shell /bin/bash {user}, or use another login (ansible_user)."
        )
    if said:
        return (
            f"The shell of {user} on {host} prints text at login ({said[0][:80]!r}), which breaks the transfer of"
            " files: move that line of ~/.bashrc, or of the file that has it, behind a test for an interactive shell."
        )
    for line in lines:
        if line.startswith(HOME_FULL):
            reason = line.removeprefix(HOME_FULL).strip()
            return (
                f"{user} on {host} cannot write into its home, where Ansible keeps what it transfers ({reason[:200]}):"
                " make room or correct the rights there, or name another directory with -e ansible_remote_tmp=..."
            )
    return ""


# What sudo, the shell and Ansible say, the remedy that follows, as a sentence about {user} and {host}.
_ROOT = (
    (
        "you must have a tty",
        (
            "sudo on {host} wants a terminal, which Ansible's connection has not: add 'Defaults:{user} !requiretty' to"
            " /etc/sudoers with visudo."
        ),
    ),
    (
        "incorrect sudo password|incorrect password",
        "sudo on {host} did not take the password of {user}: type the right one at --ask-become-pass.",
    ),
    (
        "not in the sudoers file|is not allowed to|may not run sudo",
        (
            "{user} may not use sudo on {host}: give it sudo there (visudo, or usermod --append --groups sudo {user}),"
            " or use another login (ansible_user)."
        ),
    ),
    (
        "missing sudo password|a password is required|timed out waiting for become",
        (
            "sudo on {host} asks {user} for a password: add --ask-become-pass; or, where {user} has no sudo yet, give"
            " it with visudo."
        ),
    ),
    (
        r"sudo: (command )?not found",
        "There is no sudo on {host}: apt-get install sudo, and let {user} use it; or use another login (ansible_user).",
    ),
    (
        r"python\S*: (not found|no such file)|python\S*' was not found|no python interpreters? found",
        (
            "There is no Python 3 on {host} where Ansible looks for it: apt-get install python3, or name it with -e"
            " ansible_python_interpreter=/usr/bin/python3."
        ),
    ),
    (
        "no space left on device|disk quota exceeded",
        "A disk of {host} is full: make room where it says ({said}).",
    ),
)


def _of_root(result: Mapping[str, Any], user: str, host: str) -> str:
    said = " ".join(
        " ".join(str(result.get(part, "")) for part in ("module_stderr", "module_stdout", "stderr", "msg")).split()
    )
    for pattern, sentence in _ROOT:
        if re.search(pattern, said, re.IGNORECASE):
            return sentence.format(user=user, host=host, said=said[:200])
    answer = said.removesuffix("Module result deserialization failed: No start of json char found").strip()
    return (
        f"Cannot become root on {host}: {(answer or 'no answer')[:300]}. Try ssh {host} sudo -n true as {user}, and"
        " mend what it names."
    )
