"""The documentation of the action plugin of the same name, which runs on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: write_record
short_description: Write the record of an unfinished run
description:
  - Writes C(run.json) on this machine. The file remains if the run is interrupted or its host becomes unreachable.
  - A dry run writes no record.
options: {}
author: AI-Memory operations
"""

EXAMPLES = r"""
- name: Write the record
  aimemory.tenancy.write_record:
"""

RETURN = r"""
msg:
  description: Why the record was not written.
  returned: failure
  type: str
"""
