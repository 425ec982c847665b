"""Options of the modules that inspect a service and its sessions."""

from __future__ import annotations


class ModuleDocFragment:
    """The options that ``aimemory.tenancy.witness`` adds."""

    DOCUMENTATION = r"""
options:
  unit:
    description: The service's systemd unit, without C(.service).
    type: str
    required: true
  variable:
    description: The environment variable that contains the URL of the database.
    type: str
    default: DATABASE_URL
  schema:
    description: Schema of O(tables).
    type: str
    required: true
  tables:
    description: The tables that no other role may access.
    type: list
    elements: str
    required: true
  files:
    description: Files that may contain the URL. An empty name means that there is no file.
    type: list
    elements: str
    default: []
  health_url:
    description: URL that is requested if no session is found.
    type: str
    required: true
  health_timeout:
    description: Seconds to wait for responses of O(health_url), and for a session.
    type: int
    default: 60
  health_request_timeout:
    description: Timeout of one health request in seconds.
    type: int
    default: 30
"""
