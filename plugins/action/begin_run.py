"""Begin a run: choose its name, and create its log on this machine."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase

from ansible_collections.aimemory.tenancy.plugins.plugin_utils.report import expected, result, texts

BEGUN = """# {kind} Execution Log

The run replaces this text when it ends. Until then, and if the run is lost, run.json in this directory shows the
progress of the run.
"""


class ActionModule(ActionBase):  # type: ignore[misc]
    """Begin a run of the given ``kind``, and create its log below ``directory``. A dry run writes no files."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return Ansible's result with the initial ``result`` of the run.

        The task fails if the log cannot be written, because a run without a log must not start.
        """
        done: dict[str, Any] = super().run(tmp, task_vars)
        text = {"type": "str", "required": True}
        _, arguments = self.validate_argument_spec({"kind": text, "directory": {"type": "path", "required": True}})
        name = f"{datetime.datetime.now(datetime.UTC):%Y%m%dT%H%M%SZ}-{(task_vars or {})['inventory_hostname']}"
        log = None
        if not self._task.check_mode:
            log = Path(arguments["directory"]) / name / "execution-log.md"
            try:
                texts.write(log, BEGUN.format(kind=arguments["kind"].capitalize()))
            except OSError as error:
                sentence = f"The log {log} cannot be written: {error.strerror}. Specify another directory with"
                return done | {"failed": True, "msg": f"{sentence} -e report_directory=..."}
        variables = task_vars or {}
        about = {
            "kind": arguments["kind"], "host": variables["inventory_hostname"],
            "database": self._templar.template(variables.get("database_name", "")),
        }  # fmt: skip
        begun = result.new(name, None if log is None else str(log))
        begun["expected"] = expected.durations(Path(arguments["directory"]), about)
        return done | {"changed": False, "result": begun}
