"""The options of the modules that inspect a service and its sessions."""

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
    description: Schema that contains the O(tables).
    type: str
    required: true
  tables:
    description: Tables for which the module checks whether the role of each session can access them.
    type: list
    elements: str
    required: true
  files:
    description: Files that may contain the URL. An empty name stands for a file that does not exist.
    type: list
    elements: str
    default: []
  health_url:
    description: URL to request if the service has no session, so that it opens one.
    type: str
    required: true
  health_timeout:
    description: Seconds to wait for a response from O(health_url), and for a session.
    type: int
    default: 60
  health_request_timeout:
    description: Timeout for each request to O(health_url), in seconds.
    type: int
    default: 30
"""
