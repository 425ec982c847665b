"""Tell a chat of a run, from this machine, within the process of ansible-playbook."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.plugins.action import ActionBase

from ansible_collections.aimemory.tenancy.plugins.module_utils import messages
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.report import webhook


class ActionModule(ActionBase):  # type: ignore[misc]
    """Post ``text`` to the webhook at ``url`` (a secret) and give up after ``timeout`` seconds."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = False

    def run(self, tmp: str | None = None, task_vars: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return Ansible's result: never failed nor changed; ``problem`` says why nobody was told, or is empty."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _, arguments = self.validate_argument_spec(
            {
                "url": {"type": "str", "required": True, "no_log": True},
                "text": {"type": "str", "required": True},
                "timeout": {"type": "float", "required": True},
            }
        )
        problem = webhook.post(arguments["url"], messages.visible(arguments["text"], lines=True), arguments["timeout"])
        return result | {"changed": False, "problem": problem}
