#!/usr/bin/python
"""Archive a backup in a file that the SSH login can fetch."""

from __future__ import annotations

import contextlib
import os

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.aimemory.tenancy.plugins.module_utils import dumping

DOCUMENTATION = r"""
module: backup_archive
short_description: Archive a backup in a file that the SSH login can fetch
description:
  - Creates a tar archive and returns its SHA-256 checksum. The archive belongs to the owner of its directory, and only
    that user may read it. Replaces an archive that an interrupted run left behind. Runs as root.
options:
  path:
    description: Directory of the backup. The archive contains this directory under its own name, without its parents.
    type: path
    required: true
  archive:
    description: Path of the archive, in a directory that the SSH login owns.
    type: path
    required: true
author: AI-Memory operations
"""

EXAMPLES = r"""
- name: Archive the backup
  become: true
  aimemory.tenancy.backup_archive:
    path: /var/backups/ai-memory/ai_memory-20261124T181104Z
    archive: /home/operator/.tenancy-copy/backup.tar
"""

RETURN = r"""
sha256:
  description: SHA-256 checksum of the archive.
  returned: success
  type: str
"""


def create(archive: str) -> None:
    """Create an empty file that belongs to the owner of its directory; replace an existing file. Raises OSError."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(archive)
    descriptor = os.open(archive, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        owner = os.stat(os.path.dirname(archive))
        os.fchown(descriptor, owner.st_uid, owner.st_gid)
    finally:
        os.close(descriptor)


def main() -> None:
    """Run the module."""
    path = {"type": "path", "required": True}
    module = AnsibleModule(argument_spec={"path": path, "archive": path}, supports_check_mode=True)
    if module.check_mode:
        module.exit_json(changed=True, sha256="")
    archive = module.params["archive"]
    directory, name = os.path.split(module.params["path"])
    try:
        create(archive)
        code, _, error = module.run_command(["tar", "--create", f"--file={archive}", f"--directory={directory}", name])
        if code != 0:
            module.fail_json(msg=f"The backup cannot be copied: {error.strip()}")
        sha256 = dumping.digest(archive)
    except OSError as error:
        module.fail_json(msg=f"The backup cannot be copied: {error.strerror} ({error.filename or archive}).")
    module.exit_json(changed=True, sha256=sha256)


if __name__ == "__main__":
    main()
