"""Ask the operator once for all hosts of a batch, and know whether anybody was asked.

ansible.builtin.pause returns an empty answer both when the operator typed none and when there was no terminal, and
fails when he interrupts the question.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsiblePromptInterrupt, AnsiblePromptNoninteractive
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

display = Display()


class ActionModule(ActionBase):  # type: ignore[misc]
    """Ask with ``prompt``: the answer is one line."""

    # Not once for each host.
    BYPASS_HOST_LOOP = True
    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = False

    def run(self, tmp: str | None = None, task_vars: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return Ansible's result: ``asked``, whether there was a terminal, and ``answer``; an interrupt is none."""
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
