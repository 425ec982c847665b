"""The documentation of the action plugin of the same name, which runs on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: bundle
short_description: Write files into an archive on this machine
description:
  - Writes text files into a compressed archive that only its owner can read.
  - In check mode, the archive is not written.
options:
  path:
    description: Path of the archive, which ends in C(.tar.gz).
    type: path
    required: true
  files:
    description: The contents of each file, by its name in the archive.
    type: dict
    required: true
author: AI-Memory operations
"""

EXAMPLES = r"""
- name: Write the archive
  aimemory.tenancy.bundle:
    path: support/20261130T120000Z-db1.tar.gz
    files:
      index.md: "# An archive"
"""

RETURN = r"""
path:
  description: The path of the archive.
  returned: success
  type: str
size:
  description: The size of the archive in bytes.
  returned: success
  type: int
"""
