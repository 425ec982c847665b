"""Write one record of a run on this machine, within the process of ansible-playbook.

A copy task that is delegated to localhost starts two Python interpreters, which takes 0.4 s of CPU. This plugin takes
0.05 s. A run writes a record at the start of each phase, and the service is stopped during some phases.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase

from ansible_collections.aimemory.tenancy.plugins.module_utils import messages
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.report import files


def _shown(content: str, is_json: bool) -> str:
    """Return the content with each invisible character as an escape; JSON keeps its meaning."""
    if not is_json:
        return messages.visible(content, lines=True)
    return "".join(
        character if character == "\n" or messages.visible(character) == character else json.dumps(character)[1:-1]
        for character in content
    )


class ActionModule(ActionBase):  # type: ignore[misc]
    """Write ``content`` to the file ``path``, and make its directory (0700) first."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = False

    def run(self, tmp: str | None = None, task_vars: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return Ansible's result: never changed, because a record is no change; failed if it cannot be written."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _, arguments = self.validate_argument_spec(
            {"path": {"type": "path", "required": True}, "content": {"type": "str", "required": True}}
        )
        path = Path(arguments["path"])
        try:
            files.put(path, _shown(arguments["content"], path.suffix == ".json").encode())
        except OSError as error:
            return result | {"failed": True, "msg": f"{path} cannot be written: {error.strerror}."}
        return result | {"changed": False, "path": str(path)}
