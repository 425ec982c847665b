"""Find out why Ansible cannot work on a host, from the output of the login's shell and of sudo."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

# The lines that the login's shell prints (``roles/preflight/tasks/inspect.yml``): ASKED, and HOME_FULL if the
# login cannot write to its home directory.
ASKED = "tenancy-runbook"
HOME_FULL = "tenancy-home:"
# A key that the inspect_host module always returns.
INSPECTED = "service"
# Ansible's words for an exception that the module itself raised, and the key that a module's own error contains.
RAISED, ANSWERED = "Module failed: ", "invocation"


def trouble(shell: Mapping[str, Any], answer: Mapping[str, Any], user: str, host: str) -> str:
    """Return a sentence about what prevents the inspection of a host as root, with the remedy; "" if nothing does.

    ``shell`` is the result of the raw module, run as the login. ``answer`` is the result of the inspect_host module,
    run as root. Both may have failed.
    """
    return _of_shell(shell, user, host) or ("" if INSPECTED in answer else _of_root(answer, user, host))


def _of_shell(shell: Mapping[str, Any], user: str, host: str) -> str:
    # If the login prints text without a newline, the expected output follows on the same line.
    answered = re.sub(rf"{ASKED}\s*$", f"\n{ASKED}", str(shell.get("stdout", "")), flags=re.MULTILINE)
    lines = [line.strip() for line in answered.splitlines()]
    said = [line for line in lines if line and line != ASKED and not line.startswith(HOME_FULL)]
    if ASKED not in lines:
        answer = " / ".join(said) or str(shell.get("stderr", "")).strip() or "nothing"
        return (
            f"{user} on {host} has no shell that runs commands (its output: {answer[:200]}): set one with usermod"
            f" --shell /bin/bash {user}, or use another login (ansible_user)."
        )
    if said:
        return (
            f"The shell of {user} on {host} prints text at login ({said[0][:80]!r}), which breaks the transfer of"
            " files: move this line of ~/.bashrc, or of another file, behind a test for an interactive shell."
        )
    for line in lines:
        if line.startswith(HOME_FULL):
            reason = line.removeprefix(HOME_FULL).strip()
            return (
                f"{user} on {host} cannot store Ansible's temporary files in its home directory ({reason[:200]}):"
                " free up space or correct its permissions, or use another directory with -e ansible_remote_tmp=..."
            )
    return ""


# Patterns in the output of sudo, the shell and Ansible, each with the remedy as a sentence about {user} and {host}.
_ROOT = (
    (
        "you must have a tty",
        (
            "sudo on {host} requires a terminal, which Ansible's connection does not have: add 'Defaults:{user}"
            " !requiretty' to /etc/sudoers with visudo."
        ),
    ),
    (
        "incorrect sudo password|incorrect password",
        "sudo on {host} rejected the password of {user}: enter the correct password with --ask-become-pass.",
    ),
    (
        "not in the sudoers file|is not allowed to|may not run sudo",
        (
            "{user} is not allowed to use sudo on {host}: grant it sudo there (visudo, or usermod --append --groups"
            " sudo {user}), or use another login (ansible_user)."
        ),
    ),
    (
        "missing sudo password|a password is required|timed out waiting for become",
        (
            "sudo on {host} asks {user} for a password: add --ask-become-pass. If {user} has no sudo yet, grant"
            " it with visudo."
        ),
    ),
    (
        r"sudo: (command )?not found",
        (
            "sudo is not installed on {host}: apt-get install sudo, and let {user} use it, or use another login"
            " (ansible_user)."
        ),
    ),
    (
        r"python\S*: (not found|no such file)|python\S*' was not found|no python interpreters? found",
        (
            "Ansible found no Python 3 on {host}: apt-get install python3, or set its path with"
            " -e ansible_python_interpreter=/usr/bin/python3."
        ),
    ),
    (
        "no space left on device|disk quota exceeded",
        "A disk of {host} is full: free up space there ({said}).",
    ),
)


def _of_root(result: Mapping[str, Any], user: str, host: str) -> str:
    said = " ".join(
        " ".join(str(result.get(part, "")) for part in ("module_stderr", "module_stdout", "stderr", "msg")).split()
    )
    for pattern, sentence in _ROOT:
        if re.search(pattern, said, re.IGNORECASE):
            return sentence.format(user=user, host=host, said=said[:200])
    if RAISED in said or ANSWERED in result:
        # The module ran, so the login can become root.
        return (
            f"The inspection of {host} as root failed: {(said.partition(RAISED)[2] or said)[:300]}. If the message"
            " names a setting, correct it. Otherwise, report this error, with the archive of playbooks/support.yml."
        )
    answer = said.removesuffix("Module result deserialization failed: No start of json char found").strip()
    return (
        f"Cannot become root on {host}: {(answer or 'no answer')[:300]}. Try ssh {host} sudo -n true as {user}, and"
        " correct the problem that this command reports."
    )
