"""Cause a fault before a task starts. The environment specifies the fault, and the task by number or by name."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = r"""
name: fault
type: aggregate
short_description: Cause a fault when a task starts
description:
  - C(FAULT_AT) is the number of the task, counted from 1, or a part of its name.
  - C(FAULT_COMMAND) is a shell command that runs before the task starts; without a command, the whole run is killed.
  - C(FAULT_TASKS) is a file to which the tasks' names are appended.
"""


class CallbackModule(CallbackBase):  # type: ignore[misc]
    """Count the tasks and cause the fault once."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "fault"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        """Read the fault from the environment."""
        super().__init__()
        self._at = os.environ.get("FAULT_AT", "")
        self._command = os.environ.get("FAULT_COMMAND", "")
        self._tasks = os.environ.get("FAULT_TASKS", "")
        self._count = 0

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:
        """Cause the fault if ``task`` is the chosen task."""
        self._count += 1
        name = task.get_name()
        if self._tasks:
            with Path(self._tasks).open("a") as file:
                file.write(f"{name}\n")
        if not self._at or (str(self._count) != self._at if self._at.isdigit() else self._at not in name):
            return
        self._at = ""
        if self._command:
            subprocess.run(["bash", "-c", self._command], check=True, stdout=subprocess.DEVNULL)
        else:
            os.killpg(os.getpgrp(), signal.SIGKILL)
