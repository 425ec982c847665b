"""Options of every module that works in one database."""

from __future__ import annotations


class ModuleDocFragment:
    """The options that ``database`` and its ``.user``, ``.socket``, ``.tables``, ``.pooler``, ``.queries`` add."""

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
    SOCKET = r"""
options:
  host:
    description: Directory of the server's Unix socket; empty is libpq's own.
    type: str
    default: ""
"""
    TABLES = r"""
options:
  tables:
    description: Tables on which nobody else may hold a lock, whatever kind of session it is; only clients are ended.
    type: dict
    suboptions:
      schema:
        description: Their schema.
        type: str
        required: true
      names:
        description: Their names.
        type: list
        elements: str
        required: true
"""
    POOLER = r"""
options:
  pooler:
    description: The service's pooler, if it has one. Its sessions are no other clients.
    type: dict
    suboptions:
      role:
        description: The role of its sessions.
        type: str
        required: true
      address:
        description: The address from which the server sees them come, or V("") for a Unix socket.
        type: str
        required: true
"""
    USER = r"""
options:
  user:
    description: System user that works in the database, as the role of the same name; the module runs as root.
    type: str
    required: true
"""
    QUERIES = r"""
options:
  queries:
    description: Queries that read the catalogs, in one transaction of a session that only reads.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: The name of the query's rows.
        type: str
        required: true
      sql:
        description: The query.
        type: str
        required: true
  values:
    description: The named arguments of all queries.
    type: dict
    default: {}
"""
