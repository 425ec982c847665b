"""The documentation of the action plugin of the same name, which runs on the controller."""

from __future__ import annotations

DOCUMENTATION = r"""
module: inspect_database
short_description: Read the catalogs of a database, and audit them
description:
  - Runs the M(aimemory.tenancy.read_catalogs) module on the server, and converts its rows on this machine.
options:
  database:
    description: The name of the database.
    type: str
    required: true
  port:
    description: The port in the name of the server's socket.
    type: int
    required: true
  host:
    description: The directory of the socket, by default libpq's.
    type: str
    default: ""
  user:
    description: The role for the connection.
    type: str
    required: true
  inspect:
    description: What to inspect.
    type: dict
    required: true
    suboptions:
      model:
        description: The model, from the variables C(tenancy_*).
        type: dict
        required: true
      readable:
        description: Further relations that the service can read, as C(schema.name).
        type: list
        elements: str
        required: true
      url_options:
        description: The C(options) parameter of C(DATABASE_URL).
        type: str
        required: true
author: AI-Memory operations
"""

EXAMPLES = r"""
- name: Inspect the database
  become: true
  become_user: postgres
  aimemory.tenancy.inspect_database:
    database: ai_memory
    port: 5432
    user: postgres
    inspect:
      model: "{{ preflight_result.model }}"
      readable: "{{ tenancy_readable }}"
      url_options: ""
"""

RETURN = r"""
state:
  description: The state document.
  returned: success
  type: dict
audit:
  description: The findings of the audit.
  returned: success
  type: list
  elements: dict
"""
