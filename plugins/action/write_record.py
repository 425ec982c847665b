"""Write the record of an unfinished run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase

from ansible_collections.aimemory.tenancy.plugins.plugin_utils.report import facts, record, texts


class ActionModule(ActionBase):  # type: ignore[misc]
    """Write run.json on this machine, unless the run is a dry run.

    Ansible runs neither ``rescue`` nor ``always`` if a host is unreachable, or if the run is interrupted or killed. The
    record that was written in the last phase then remains.
    """

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return Ansible's result. The task fails if the record cannot be written."""
        done: dict[str, Any] = super().run(tmp, task_vars)
        known = facts.pick(task_vars or {}, self._templar.template)
        if known["log"] is not None:
            path = Path(known["log"]).with_name("run.json")
            try:
                texts.write_json(path, record.build(known))
            except OSError as error:
                return done | {"failed": True, "msg": f"{path} cannot be written: {error.strerror}."}
        return done | {"changed": False}
