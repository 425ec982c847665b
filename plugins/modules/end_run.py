"""The documentation of the action plugin of the same name, which runs on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: end_run
short_description: End a run, and write its record, log and page on this machine
description:
  - Determines the outcome from the facts of the roles. A dry run writes no file.
  - A file that cannot be written does not fail the task, because the operator must still see the outcome.
options: {}
author: AI-Memory operations
"""

EXAMPLES = r"""
- name: Determine the outcome, and write the files of the run
  aimemory.tenancy.end_run:
  register: ended
"""

RETURN = r"""
result:
  description: The final result of the run.
  returned: success
  type: dict
lines:
  description: The outcome as lines for the operator.
  returned: success
  type: list
  elements: dict
problem:
  description: A sentence about the first file that was not written, or an empty string.
  returned: success
  type: str
"""
