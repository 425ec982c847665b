"""Write one record of a run on this machine, within the process of ansible-playbook.

A template task delegated to localhost starts two Python interpreters, half a second for each record; some are written
while the service is stopped.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase


def write(path: Path, content: str) -> None:
    """Replace the file at ``path`` as a whole; only its owner may read it. Raises OSError."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(content)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


class ActionModule(ActionBase):  # type: ignore[misc]
    """Write ``content`` to the file ``path``, and make its directory (0700) first."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = False

    def run(self, tmp: str | None = None, task_vars: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return Ansible's result: never changed, since a record is no change; failed where it cannot be written."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _, arguments = self.validate_argument_spec(
            {"path": {"type": "path", "required": True}, "content": {"type": "str", "required": True}}
        )
        path = Path(arguments["path"])
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write(path, arguments["content"])
        except OSError as error:
            return result | {"failed": True, "msg": f"{path} cannot be written: {error.strerror}."}
        return result | {"changed": False, "path": str(path)}
