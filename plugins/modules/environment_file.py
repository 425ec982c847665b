#!/usr/bin/python
"""Replace what stands in an environment file, and nothing else of it."""

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
short_description: Replace what stands in an environment file, and nothing else of it
description:
  - Follows a symbolic link and replaces the file that it leads to as a whole, so that whoever reads it gets the old
    text or the new one. Owner, group, mode and extended attributes, such as an ACL and a label of SELinux, stay, which
    is checked afterwards; at no moment may anybody read it who could not before.
  - Refuses what cannot be replaced like that, a file with several names (hard links), an immutable or append-only one,
    and one that is no regular file. Without O(content) it only looks.
options:
  path:
    description: The file, or a symbolic link to it.
    type: path
    required: true
  content:
    description: The new text.
    type: str
author: AI-Memory operations
"""

EXAMPLES = r"""
- name: Look whether the file can be written
  aimemory.tenancy.environment_file:
    path: /opt/ai-memory/.env
"""

RETURN = r"""
path:
  description: The file itself, behind every link.
  returned: success
  type: str
attributes:
  description: Names of its extended attributes.
  returned: success
  type: list
"""

# ioctl_iflags(2): FS_IOC_GETFLAGS, FS_APPEND_FL and FS_IMMUTABLE_FL.
GET_FLAGS, APPEND, IMMUTABLE = 0x80086601, 0x20, 0x10


class FileError(Exception):
    """What keeps a file from being written; the message says what to do."""


def attributes(path: str) -> tuple[int, int, int, dict[str, bytes]]:
    """Return user, group, mode and extended attributes of a file. Raises OSError."""
    found = os.stat(path)
    names = sorted(os.listxattr(path))
    return found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode), {name: os.getxattr(path, name) for name in names}


def flags(path: str) -> int:
    """Return the flags of a file as chattr sets them; none where its file system knows none."""
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
    """Require that no ordinary user leads root to a file that is not his. Raises FileError.

    ``target`` is the file behind ``path``, which exists: the way to it has an end.
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
                f"{at} is a link of user {found.st_uid} to a file of another one, {target}: whoever may change the link"
                " would choose what is overwritten. Name the file itself, or make root the owner of the link"
            )
        parts = os.path.abspath(os.path.join(os.path.dirname(at), os.readlink(at))).split("/")[1:] + parts
        at = "/"


def regular(path: str) -> str:
    """Return the file behind ``path``, which can be replaced. Raises FileError for what cannot."""
    target = os.path.realpath(path)
    if not os.path.lexists(target):
        raise FileError(f"{path} leads to {target}, which does not exist: correct the link, or the name of the file")
    found = os.stat(target)
    if not stat.S_ISREG(found.st_mode):
        raise FileError(f"{target} is no regular file: name the service's environment file")
    require_trusted_links(path, target)
    if found.st_nlink > 1:
        raise FileError(
            f"{target} has {found.st_nlink} names (hard links), of which only one would get the new text: leave it one "
            f"(find {os.path.dirname(target)} -xdev -samefile {target} shows those beside it)"
        )
    if flags(target) & (APPEND | IMMUTABLE):
        raise FileError(f"{target} is immutable or append-only: take that off it first (chattr -i -a {target})")
    return target


def replace(target: str, content: bytes) -> None:
    """Replace the file as a whole and keep what belongs to it. Raises FileError and OSError."""
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
            # Before the mode, whose group bits are the mask of an ACL and the group's own where there is none.
            for name, value in extended.items():
                os.setxattr(file.fileno(), name, value)
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        if attributes(beside) != before:
            raise FileError(f"owner, mode and attributes of {target} cannot be given to a new file beside it")
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
        raise FileError(f"{target} is not as it was written: somebody else changes it")


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
