#!/usr/bin/python
"""Replace the content of an environment file and keep its owner, mode and attributes."""

from __future__ import annotations

import array
import fcntl
import os
import secrets
import stat
from typing import Any

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: environment_file
short_description: Replace the content of an environment file and keep its owner, mode and attributes
description:
  - Follows a symbolic link and replaces its target atomically, so that a reader sees either the old content or the new
    content. Owner, group, mode and extended attributes, such as an ACL and an SELinux label, are preserved and checked
    afterwards. The file is never readable by more users than before.
  - Rejects a file that cannot be replaced in this way, because it has several hard links, is immutable or append-only,
    or is not a regular file. Without O(content), the module only checks the file.
options:
  path:
    description: The file, or a symbolic link to it.
    type: path
    required: true
  content:
    description: The new content.
    type: str
author: AI-Memory operations
"""

EXAMPLES = r"""
- name: Check whether the file can be written
  aimemory.tenancy.environment_file:
    path: /opt/ai-memory/.env
"""

RETURN = r"""
path:
  description: The path of the file itself, with all links resolved.
  returned: success
  type: str
attributes:
  description: Names of the file's extended attributes.
  returned: success
  type: list
"""

# ioctl_iflags(2): FS_IOC_GETFLAGS, FS_APPEND_FL and FS_IMMUTABLE_FL.
GET_FLAGS, APPEND, IMMUTABLE = 0x80086601, 0x20, 0x10


class FileError(Exception):
    """The file cannot be written; the message gives the remedy."""


def attributes(path: str) -> tuple[int, int, int, dict[str, bytes]]:
    """Return the user, group, mode and extended attributes of a file. Raises OSError."""
    found = os.stat(path)
    names = sorted(os.listxattr(path))
    return found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode), {name: os.getxattr(path, name) for name in names}


def flags(path: str) -> int:
    """Return the flags that chattr sets on a file, or 0 if the file system does not support them."""
    value = array.array("L", [0])
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        fcntl.ioctl(descriptor, GET_FLAGS, value, True)
    except OSError:
        return 0
    finally:
        os.close(descriptor)
    return int(value[0])


def require_trusted_links(path: str, target: str) -> None:
    """Raise FileError if an ordinary user's link leads to another user's file, which root would overwrite.

    ``target`` is the file to which ``path`` resolves. It exists, so the links do not form a loop.
    """
    owner = os.lstat(target).st_uid
    at = "/"
    parts = os.path.abspath(path).split("/")[1:]
    while parts:
        at = os.path.join(at, parts.pop(0))
        found = os.lstat(at)
        if not stat.S_ISLNK(found.st_mode):
            continue
        if found.st_uid not in (0, owner):
            raise FileError(
                f"{at} belongs to user {found.st_uid} but is a link to another user's file, {target}: anyone who can "
                "change the link could choose which file is overwritten. Specify the file itself, or make root the "
                "owner of the link"
            )
        parts = os.path.abspath(os.path.join(os.path.dirname(at), os.readlink(at))).split("/")[1:] + parts
        at = "/"


def regular(path: str) -> str:
    """Return the file to which ``path`` resolves. Raises FileError if it cannot be replaced."""
    target = os.path.realpath(path)
    if not os.path.lexists(target):
        raise FileError(f"{path} leads to {target}, which does not exist: correct the link, or the path")
    found = os.stat(target)
    if not stat.S_ISREG(found.st_mode):
        raise FileError(f"{target} is not a regular file: specify the service's environment file")
    require_trusted_links(path, target)
    if found.st_nlink > 1:
        raise FileError(
            f"{target} has {found.st_nlink} names (hard links), and only one of them would get the new content: remove "
            f"the others (find {os.path.dirname(target)} -xdev -samefile {target} shows all of them)"
        )
    if flags(target) & (APPEND | IMMUTABLE):
        raise FileError(f"{target} is immutable or append-only: remove that attribute first (chattr -i -a {target})")
    return target


def replace(target: str, content: bytes) -> None:
    """Replace the file atomically and keep its attributes. Raises FileError and OSError."""
    user, group, mode, extended = before = attributes(target)
    directory = os.path.dirname(target)
    beside = os.path.join(directory, f".{os.path.basename(target)}.{secrets.token_hex(8)}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fchown(file.fileno(), user, group)
            for name in set(os.listxattr(file.fileno())) - set(extended):
                os.removexattr(file.fileno(), name)
            # The extended attributes must be set before the mode. The mode's group bits are the mask of an ACL, or the
            # group's permissions if there is no ACL.
            for name, value in extended.items():
                os.setxattr(file.fileno(), name, value)
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        if attributes(beside) != before:
            raise FileError(f"The owner, mode and attributes of {target} cannot be set on a new file in its directory")
        os.rename(beside, target)
    except BaseException:
        if os.path.lexists(beside):
            os.unlink(beside)
        raise
    folder = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    with open(target, "rb") as file:
        written = file.read()
    if attributes(target) != before or written != content:
        raise FileError(f"{target} differs from the content that was written: another process is changing it")


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={"path": {"type": "path", "required": True}, "content": {"type": "str", "no_log": True}},
        supports_check_mode=True,
    )
    content: Any = module.params["content"]
    changed = False
    try:
        target = regular(module.params["path"])
        if content is not None:
            with open(target, "rb") as file:
                changed = file.read() != content.encode()
            if changed and not module.check_mode:
                replace(target, content.encode())
        extended = sorted(os.listxattr(target))
    except FileError as error:
        module.fail_json(msg=f"{error}.")
    except OSError as error:
        module.fail_json(msg=f"{error.filename or module.params['path']}: {error.strerror}.")
    module.exit_json(changed=changed, path=target, attributes=extended)


if __name__ == "__main__":
    main()
