"""Options of every module that works in one database."""

from __future__ import annotations


class ModuleDocFragment:
    """What ``aimemory.tenancy.database`` and ``aimemory.tenancy.database.user`` add."""

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
    USER = r"""
options:
  user:
    description: System user that works in the database, as the role of the same name; the module runs as root.
    type: str
    required: true
"""
