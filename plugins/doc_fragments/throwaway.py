"""The options of every module that creates or removes a throwaway server."""

from __future__ import annotations


class ModuleDocFragment:
    """The options that ``aimemory.tenancy.throwaway`` adds."""

    DOCUMENTATION = r"""
options:
  server:
    description: The properties of the throwaway server.
    type: dict
    required: true
    suboptions:
      directory:
        description: Parent of the server's directory.
        type: path
        required: true
      system_user:
        description: The unprivileged system user that runs the server. The module creates a missing user, and does not
          remove the user later.
        type: str
        required: true
      roles:
        description: Roles that can log in. The module creates those that do not exist on the running server.
        type: list
        elements: str
        default: []
      logins:
        description: Roles that the administrator's system user can log in as, in addition to those that the restore
          needs.
        type: list
        elements: str
        default: []
      seconds:
        description: Seconds after which the server stops automatically.
        type: int
        default: 1800
      bytes:
        description: Size of the dumped database, in bytes. The disk must have this much free space.
        type: int
        default: 0
      secrets:
        description: Files and directories that the server's user must not be able to read.
        type: list
        elements: path
        default: []
"""
