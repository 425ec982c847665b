"""The documentation of the action plugin of the same name, which runs on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: write_text
short_description: Write text or a document to a file on this machine
description:
  - Replaces the file atomically, and creates its directory. Only the owner can access the file and the directory.
  - The task never reports a change, because a record is not a change.
  - Exactly one of O(text) and O(document) is required.
options:
  path:
    description: The file.
    type: path
    required: true
  text:
    description: The content as text.
    type: str
  document:
    description: The content as a document, which is written as JSON.
    type: raw
author: AI-Memory operations
"""

EXAMPLES = r"""
- name: Write the draft on this machine
  aimemory.tenancy.write_text:
    path: drafts/tenancy.yml
    text: "{{ draft }}"
"""

RETURN = r"""
path:
  description: The path of the file.
  returned: success
  type: str
"""
