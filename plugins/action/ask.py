"""Ask the operator once for all hosts of a batch, and report whether there was a terminal.

Unlike this plugin, ansible.builtin.pause returns an empty answer both for an empty line and without a terminal. It also
fails if the operator interrupts the prompt.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsiblePromptInterrupt, AnsiblePromptNoninteractive
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

display = Display()


class ActionModule(ActionBase):  # type: ignore[misc]
    """Show ``prompt``, and read a line as the answer."""

    # Ask once, not once for each host.
    BYPASS_HOST_LOOP = True
    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = False

    def run(self, tmp: str | None = None, task_vars: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return ``asked`` (whether there is a terminal) and ``answer``, which is empty after an interrupt."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        _, arguments = self.validate_argument_spec({"prompt": {"type": "str", "required": True}})
        asked, answer = True, b""
        try:
            answer = display.prompt_until(f"{arguments['prompt']}:")
        except AnsiblePromptNoninteractive:
            asked = False
        except AnsiblePromptInterrupt:
            pass
        return result | {"changed": False, "asked": asked, "answer": answer.decode("utf-8", "replace").strip()}
