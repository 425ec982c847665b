"""Options of every module that creates or removes a throwaway server."""

from __future__ import annotations


class ModuleDocFragment:
    """The options that ``aimemory.tenancy.throwaway`` adds."""

    DOCUMENTATION = r"""
options:
  server:
    description: Where and how the throwaway server is created.
    type: dict
    required: true
    suboptions:
      directory:
        description: Parent of the server's directory.
        type: path
        required: true
      system_user:
        description: System user of the server, without privileges. It is created if it does not exist, and is not
          removed.
        type: str
        required: true
      roles:
        description: Roles that may log in. A role is created unless the running server already has it.
        type: list
        elements: str
        default: []
      logins:
        description: Further roles that the administrator's system user may use to log in, in addition to those of the
          restore.
        type: list
        elements: str
        default: []
      seconds:
        description: Seconds after which the server stops automatically.
        type: int
        default: 1800
      bytes:
        description: Size of the dumped database, for which there must be free disk space.
        type: int
        default: 0
      secrets:
        description: Files and directories that the server's user must not read.
        type: list
        elements: path
        default: []
"""
