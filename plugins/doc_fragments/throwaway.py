"""Options of every module that makes or removes a throwaway server."""

from __future__ import annotations


class ModuleDocFragment:
    """The options that ``aimemory.tenancy.throwaway`` adds."""

    DOCUMENTATION = r"""
options:
  server:
    description: Where and how the throwaway server is made.
    type: dict
    required: true
    suboptions:
      directory:
        description: Directory in which that of the server is made.
        type: path
        required: true
      system_user:
        description: System user of the server, without rights. It is created if there is none, and stays.
        type: str
        required: true
      roles:
        description: Roles that may log in, which are created unless the server that runs has them.
        type: list
        elements: str
        default: []
      logins:
        description: Roles as which the administrator's system user may log in there, beside those of the restore.
        type: list
        elements: str
        default: []
      seconds:
        description: Seconds after which the server ends by itself.
        type: int
        default: 1800
      bytes:
        description: Size of the database that was dumped, for which there must be room.
        type: int
        default: 0
      secrets:
        description: Files and directories that the server's user must not read.
        type: list
        elements: path
        default: []
"""
