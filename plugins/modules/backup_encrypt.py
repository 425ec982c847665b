#!/usr/bin/python
"""Encrypt a backup that was taken with ``encrypt``, and give it its final name."""

from __future__ import annotations

import os
import shutil
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.aimemory.tenancy.plugins.module_utils import age, backup_files

DOCUMENTATION = r"""
module: backup_encrypt
short_description: Encrypt a backup that was taken with C(encrypt), and give it its final name
description:
  - Continues after M(aimemory.tenancy.backup) with O(aimemory.tenancy.backup#module:encrypt=true). Creates one archive
    with C(age), decrypts it, compares it with the unencrypted files, and removes these files. Then it writes
    C(manifest.json), gives the directory its final name, and removes the oldest backups.
  - Must not run as a background job, because the job's files would contain the key. After a failure, the module
    removes all files of the backup. Runs as root.
options:
  user:
    description: System user that owns the backup.
    type: str
    required: true
  manifest:
    description: RV(aimemory.tenancy.backup#module:manifest).
    type: dict
    required: true
  identity:
    description: Key for C(age), which is passed only through standard input.
    type: str
    required: true
  keep:
    description: Number of backups to keep, at least 1.
    type: int
    required: true
  needed:
    description: Paths of other backups to keep.
    type: list
    elements: path
    default: []
author: AI-Memory operations
"""

EXAMPLES = r"""
- name: Encrypt the backup
  become: true
  aimemory.tenancy.backup_encrypt:
    user: postgres
    manifest: "{{ backup.manifest }}"
    identity: "{{ backup_age_identity }}"
    keep: 5
"""

RETURN = r"""
left:
  description: Sentences about old backups that could not be removed.
  returned: success
  type: list
"""


def encrypt(manifest: dict[str, Any], user: str, identity: str) -> None:
    """Encrypt the backup's files, remove the originals, and give the backup its final name.

    Raises AgeError and OSError.
    """
    partial = f"{manifest['path']}{backup_files.PARTIAL}"
    age.encrypt(partial, user, identity)
    for part in age.PARTS:
        path = f"{partial}/{part}"
        if os.path.isdir(path):
            shutil.rmtree(path)
        else:
            os.unlink(path)
    backup_files.put_in_place(manifest, user)


def main() -> None:
    """Run the module."""
    text: dict[str, Any] = {"type": "str", "required": True}
    module = AnsibleModule(
        argument_spec={
            "user": text, "manifest": {"type": "dict", "required": True}, "identity": text | {"no_log": True},
            "keep": {"type": "int", "required": True},
            "needed": {"type": "list", "elements": "path", "default": []},
        },
        supports_check_mode=True,
    )  # fmt: skip
    if module.check_mode:
        module.exit_json(changed=True, left=[])
    wanted = module.params
    manifest = wanted["manifest"]
    done = False
    try:
        encrypt(manifest, wanted["user"], wanted["identity"])
        done = True
    except age.AgeError as error:
        module.fail_json(msg=str(error))
    except OSError as error:
        module.fail_json(
            msg=f"The backup cannot be encrypted: {error.strerror} ({error.filename or manifest['path']})."
        )
    finally:
        if not done:
            shutil.rmtree(f"{manifest['path']}{backup_files.PARTIAL}", ignore_errors=True)
    directory = os.path.dirname(manifest["path"])
    left = backup_files.prune(directory, manifest["database"], wanted["keep"], wanted["needed"])
    module.exit_json(changed=True, left=left)


if __name__ == "__main__":
    main()
