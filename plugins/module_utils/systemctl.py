"""Run systemctl on the server."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from . import units

# AnsibleModule.run_command: code, output, errors.
RunCommand = Callable[..., tuple[int, str, str]]


class SystemctlError(OSError):
    """systemctl failed; the message is its error output."""


def now() -> str:
    """Return the current time in systemd's format."""
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime())


class Systemctl:
    """Queries and commands for systemd, through a module's ``run_command``."""

    def __init__(self, run_command: Any) -> None:
        """Initialize with the function that runs commands."""
        self._run: RunCommand = run_command

    def run(self, *arguments: str) -> str:
        """Return the output of a command. Raises SystemctlError."""
        code, output, error = self._run(list(arguments))
        if code != 0:
            raise SystemctlError((error or output).strip())
        return str(output).strip()

    def order(self, verb: str, names: Sequence[str]) -> None:
        """Start or stop units and wait for them; do nothing if ``names`` is empty. Raises SystemctlError."""
        if names:
            self.run("systemctl", verb, "--", *names)

    def show(self, names: Sequence[str]) -> Mapping[str, units.Properties]:
        """Return the properties of each unit. Raises SystemctlError."""
        properties = f"--property={','.join(units.PROPERTIES)}"
        return units.parse(self.run("systemctl", "show", properties, "--", *names), names)

    def property(self, name: str, unit: str) -> str:
        """Return one property of a unit. Raises SystemctlError."""
        return self.run("systemctl", "show", f"--property={name}", "--value", "--", unit)

    def is_down(self, unit: str) -> bool:
        """Return whether a unit is stopped, that is, not running, starting or stopping."""
        return self.property("ActiveState", unit) in units.DOWN
