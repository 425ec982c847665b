"""The documentation of the action plugin of the same name, which runs on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: fetch_archive
short_description: Fetch an archive from the server to this machine
description:
  - Fetches the archive under another name, verifies its checksum, and renames it. Only the file's owner can read it.
options:
  archive:
    description: The archive on the server.
    type: str
    required: true
  path:
    description: The file on this machine.
    type: path
    required: true
  sha256:
    description: The SHA-256 checksum of the archive.
    type: str
    required: true
author: AI-Memory operations
"""

EXAMPLES = r"""
- name: Fetch the archive
  aimemory.tenancy.fetch_archive:
    archive: /var/backups/ai-memory/ai_memory-20261124T181104Z.tar
    path: backups/db1/ai_memory-20261124T181104Z.tar
    sha256: "{{ archived.sha256 }}"
"""

RETURN = r"""
msg:
  description: Why the archive was not fetched.
  returned: failure
  type: str
"""
