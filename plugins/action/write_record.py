"""Write the record of a run as far as the run came."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase

from ansible_collections.aimemory.tenancy.plugins.plugin_utils.report import facts, record, texts


class ActionModule(ActionBase):  # type: ignore[misc]
    """Write run.json on this machine; a dry run has none.

    An unreachable host, Ctrl-C and a killed run execute neither ``rescue`` nor ``always``: such a run leaves the record
    that its last phase wrote.
    """

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return Ansible's result; failed if the record cannot be written."""
        done: dict[str, Any] = super().run(tmp, task_vars)
        known = facts.pick(task_vars or {}, self._templar.template)
        if known["log"] is not None:
            path = Path(known["log"]).with_name("run.json")
            try:
                texts.write_json(path, record.build(known))
            except OSError as error:
                return done | {"failed": True, "msg": f"{path} cannot be written: {error.strerror}."}
        return done | {"changed": False}
