"""The documentation of the action plugin of the same name, which runs on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: begin_run
short_description: Begin a run, and write the beginning of its log on this machine
description:
  - Chooses the name of the run from the time and the host. If the log cannot be written, the task fails.
  - A dry run writes no file.
options:
  kind:
    description: The kind of the run, such as V(migrate).
    type: str
    required: true
  directory:
    description: The directory that contains the records of all runs on this machine.
    type: path
    required: true
author: AI-Memory operations
"""

EXAMPLES = r"""
- name: Begin the log on this machine
  aimemory.tenancy.begin_run:
    kind: migrate
    directory: logs
  register: begun
"""

RETURN = r"""
result:
  description: 'The initial result of the run: its name, its phases and the path of its log.'
  returned: success
  type: dict
"""
