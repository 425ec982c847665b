"""Determine how Ansible connects to a host, and which settings a run must add. Nothing is sent to the host."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Mapping
from typing import Any

from ansible.plugins.action import ActionBase

# Without these options, a connection that is idle during a long dump may be lost.
KEEP_ALIVE = "-o ServerAliveInterval=15 -o ServerAliveCountMax=8"


def is_kept_alive(shown: str) -> bool:
    """Return whether ssh keeps an idle connection alive. ``shown`` is the output of ``ssh -G``: all settings."""
    values = dict(line.split(maxsplit=1) for line in shown.splitlines() if " " in line)
    return values.get("serveraliveinterval", "0") not in ("0", "none")


def effective_settings(connection: Any) -> str:
    """Return the output of ``ssh -G`` for an Ansible connection. Raises OSError or CalledProcessError."""
    option = connection.get_option
    command = [option("ssh_executable"), "-G"]
    for name in ("ssh_args", "ssh_common_args", "ssh_extra_args"):
        command += shlex.split(option(name) or "")
    for flag, name in (("-p", "port"), ("-l", "remote_user")):
        command += [flag, str(option(name))] if option(name) else []
    done = subprocess.run([*command, option("host")], capture_output=True, text=True, check=True)
    return done.stdout


class ActionModule(ActionBase):  # type: ignore[misc]
    """Return the settings that a run needs for its SSH connection, without changing values that the user has set."""

    TRANSFERS_FILES = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return Ansible's result with ``is_ssh`` and, for SSH, ``extra_args`` and ``pipelining``.

        The task fails if ssh rejects its arguments.
        """
        done: dict[str, Any] = super().run(tmp, task_vars)
        connection = self._connection
        if connection.transport != "ssh":
            return done | {"changed": False, "is_ssh": False}
        try:
            added = not is_kept_alive(effective_settings(connection))
        except (OSError, subprocess.CalledProcessError) as error:
            reason = str(getattr(error, "stderr", "") or error).strip()
            problem = f"ssh cannot be started: {reason}. Correct the ssh executable or its arguments."
            return done | {"failed": True, "msg": problem}
        extra = connection.get_option("ssh_extra_args") or ""
        if added:
            # Close the shared connection, because an earlier command may have opened it without the options.
            connection.reset()
            extra = f"{extra} {KEEP_ALIVE}".strip()
        # The origin is "default" if no variable, file or environment variable sets the option.
        pipelining, origin = connection.get_option_and_origin("pipelining")
        found = {"extra_args": extra, "pipelining": pipelining or origin == "default"}
        return done | {"changed": False, "is_ssh": True, **found}
