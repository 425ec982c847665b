"""The document of the action plugin with this name, which runs on the machine of the operator."""

from __future__ import annotations

DOCUMENTATION = r"""
module: write_record
short_description: Write the record of a run that is not finished
description:
  - Writes C(run.json) on this machine. It remains if the run is interrupted or its host becomes unreachable.
  - A dry run writes none.
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
