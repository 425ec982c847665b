"""Begin a phase of a run, and write the run's record as far as it is known."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase

from ansible_collections.aimemory.tenancy.plugins.plugin_utils.report import facts, record, result, texts


class ActionModule(ActionBase):  # type: ignore[misc]
    """Begin the phase ``name``.

    An unreachable host, Ctrl-C and a killed run execute neither ``rescue`` nor ``always``: the record that a phase
    writes is the one that such a run leaves.
    """

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the fact ``report_result``; failed if the record cannot be written."""
        done: dict[str, Any] = super().run(tmp, task_vars)
        _, arguments = self.validate_argument_spec({"name": {"type": "str", "required": True}})
        variables: Mapping[str, Any] = task_vars or {}
        begun = result.begin_phase(variables["report_result"], arguments["name"])
        if begun["log"] is not None:
            path = Path(begun["log"]).with_name("run.json")
            known = facts.pick({**variables, "report_result": begun}, self._templar.template)
            try:
                texts.write_json(path, record.build(known))
            except OSError as error:
                return done | {"failed": True, "msg": f"{path} cannot be written: {error.strerror}."}
        return done | {"changed": False, "ansible_facts": {"report_result": begun}}
