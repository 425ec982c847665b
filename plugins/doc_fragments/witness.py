"""Options of the modules that look at a service and its sessions."""

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
    description: The environment variable that holds the URL of the database.
    type: str
    default: DATABASE_URL
  schema:
    description: Where O(tables) are.
    type: str
    required: true
  tables:
    description: The tables that nobody else must reach.
    type: list
    elements: str
    required: true
  files:
    description: Files that may name the URL; an empty name stands for none.
    type: list
    elements: str
    default: []
  health_url:
    description: URL that is requested if no session is found.
    type: str
    required: true
  health_timeout:
    description: Seconds to wait for its answers, and for a session.
    type: int
    default: 60
  health_request_timeout:
    description: Seconds to wait for one answer about its health.
    type: int
    default: 30
"""
