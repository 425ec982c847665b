"""The options of every module that works in a database."""

from __future__ import annotations


class ModuleDocFragment:
    """The options that ``database`` and its ``.user``, ``.socket``, ``.tables``, ``.pooler``, ``.queries`` add."""

    DOCUMENTATION = r"""
options:
  database:
    description: Name of the database.
    type: str
    required: true
  port:
    description: The port number in the name of the server's Unix socket.
    type: int
    required: true
"""
    SOCKET = r"""
options:
  host:
    description: Directory of the server's Unix socket. Empty for libpq's default.
    type: str
    default: ""
"""
    TABLES = r"""
options:
  tables:
    description: Tables on which no other session of any kind may hold a lock. Only client sessions are terminated.
    type: dict
    suboptions:
      schema:
        description: Schema of the tables.
        type: str
        required: true
      names:
        description: Names of the tables.
        type: list
        elements: str
        required: true
"""
    POOLER = r"""
options:
  pooler:
    description: The service's pooler, if it has one. Its sessions do not count as other clients.
    type: dict
    suboptions:
      role:
        description: Role of the pooler's sessions.
        type: str
        required: true
      address:
        description: Client address of the pooler's sessions, or V("") if the pooler connects through a Unix socket.
        type: str
        required: true
"""
    USER = r"""
options:
  user:
    description: System user with which the module connects to the database, as the role with the same name. The module
      itself runs as root.
    type: str
    required: true
"""
    QUERIES = r"""
options:
  queries:
    description: Queries that read the catalogs, in one transaction of a read-only session.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name under which the rows are returned.
        type: str
        required: true
      sql:
        description: The query.
        type: str
        required: true
  values:
    description: Named arguments for all queries.
    type: dict
    default: {}
"""
