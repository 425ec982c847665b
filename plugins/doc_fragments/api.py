"""Options of every module that asks a service's API."""

from __future__ import annotations


class ModuleDocFragment:
    """The options that ``aimemory.tenancy.api`` adds."""

    DOCUMENTATION = r"""
options:
  unit:
    description: The service's systemd unit, without C(.service).
    type: str
    required: true
  url:
    description: URL of the service, as the server itself reaches it.
    type: str
    required: true
  timeout:
    description: Seconds that one answer may take.
    type: int
    required: true
  headers:
    description: Headers of every request.
    type: dict
    default: {}
  secret:
    description: The environment variable that holds the secret; empty if requests need no token.
    type: str
    default: ""
  seconds:
    description: Seconds that a token holds.
    type: int
    default: 300
  file:
    description: A file of variables that the service's code may read itself; empty for none.
    type: str
    default: ""
  names:
    description: By which an error of the database is known in any language - column, setting, tables.
    type: dict
    required: true
"""
