"""Options of every module that works in one database."""

from __future__ import annotations


class ModuleDocFragment:
    """What ``extends_documentation_fragment: aimemory.tenancy.database`` adds."""

    DOCUMENTATION = r"""
options:
  database:
    description: The database.
    type: str
    required: true
  port:
    description: Port that names the server's Unix socket.
    type: int
    required: true
"""
