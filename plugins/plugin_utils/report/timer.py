"""Write the systemd units that verify databases every night from the machine that runs Ansible."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ...module_utils import messages
from ..whole import whole

Wanted = Mapping[str, Any]


def service(wanted: Wanted) -> str:
    """Return the service unit.

    ``wanted`` contains ``checkout``, ``user``, ``program`` (ansible-playbook), ``inventory`` (a list of sources),
    ``arguments`` (a list), ``state_directory``, ``metrics_file`` (or empty) and ``seconds`` (the time limit).
    """
    words = [
        wanted["program"], f"{wanted['checkout']}/playbooks/verify.yml",
        *(f"--inventory={source}" for source in wanted["inventory"]),
        # Unlike key=value, JSON keeps every character of a path.
        f"--extra-vars={json.dumps(_variables(wanted))}",
        *wanted["arguments"],
    ]  # fmt: skip
    return _unit(
        "Unit", ("Description", "Verify the tenancy of the databases of AI-Memory"),
        ("Wants", "network-online.target"), ("After", "network-online.target"),
    ) + _unit(
        "Service", ("Type", "oneshot"), ("User", wanted["user"]), ("WorkingDirectory", _specifiers(wanted["checkout"])),
        # In a checkout, Ansible finds the collection only with this ansible.cfg. An installed archive has no such file.
        ("Environment", _quoted(f"ANSIBLE_CONFIG={wanted['checkout']}/ansible.cfg")),
        ("Environment", _quoted("ANSIBLE_CALLBACKS_ENABLED=aimemory.tenancy.verdict")),
        # systemd accepts only plain characters in the path of the executed program, which is therefore env.
        ("ExecStart", " ".join(["/usr/bin/env", *(_quoted(word).replace("$", "$$") for word in words)])),
        ("TimeoutStartSec", str(whole(wanted["seconds"]))), ("UMask", "0077"),
    )  # fmt: skip


def timer(wanted: Wanted) -> str:
    """Return the timer unit.

    ``wanted`` contains ``calendar`` (as in systemd.time) and ``random_delay`` in seconds. If the machine is off at the
    scheduled time, the verification runs after the machine's next start.
    """
    return _unit("Unit", ("Description", "Verify the tenancy of the databases of AI-Memory every night")) + _unit(
        "Timer", ("OnCalendar", wanted["calendar"]), ("RandomizedDelaySec", str(whole(wanted["random_delay"]))),
        ("Persistent", "true"),
    ) + _unit("Install", ("WantedBy", "timers.target")).rstrip("\n") + "\n"  # fmt: skip


def _unit(section: str, *settings: tuple[str, str]) -> str:
    return "\n".join([f"[{section}]", *(f"{name}={value}" for name, value in settings), "", ""])


def _variables(wanted: Wanted) -> dict[str, str]:
    names = {"verify_state_directory": "state_directory", "verify_metrics_file": "metrics_file"}
    return {variable: wanted[name] for variable, name in names.items() if wanted[name]}


def _specifiers(text: str) -> str:
    return text.replace("%", "%%")


def _quoted(text: str) -> str:
    """Return a word quoted for a systemd unit."""
    return '"' + _specifiers(text.replace("\\", "\\\\").replace('"', '\\"')) + '"'


def unsafe(wanted: Wanted) -> list[str]:
    """Return the values that no unit can contain, because they have line breaks or other hidden characters."""
    texts = [text for value in wanted.values() for text in (value if isinstance(value, list) else [str(value)])]
    return [messages.visible(text) for text in texts if messages.visible(text) != text]
