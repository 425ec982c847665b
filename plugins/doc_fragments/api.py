"""The options of every module that sends requests to a service's API."""

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
    description: URL of the service on the server itself.
    type: str
    required: true
  timeout:
    description: Timeout for each request, in seconds.
    type: int
    required: true
  headers:
    description: Headers of every request.
    type: dict
    default: {}
  secret:
    description: The environment variable with the secret that signs tokens. Empty if requests need no token.
    type: str
    default: ""
  seconds:
    description: Seconds for which a token is valid.
    type: int
    default: 300
  file:
    description: An environment file that the service's code itself reads. Empty if there is no such file.
    type: str
    default: ""
  names:
    description: Names that identify a database error in any language, with the keys column, setting and tables.
    type: dict
    required: true
"""
