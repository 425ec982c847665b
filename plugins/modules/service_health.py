#!/usr/bin/python
"""Check the health of a service, on the server itself."""

from __future__ import annotations

from dataclasses import asdict

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.aimemory.tenancy.plugins.module_utils import health

DOCUMENTATION = r"""
module: service_health
short_description: Check the health of a service, on the server itself
description:
  - Requests a URL without any proxy. If the request times out, the module retries within O(timeout).
  - The verdict is returned; an unhealthy service does not fail the task.
options:
  url:
    description: URL that returns status 200 when the service is healthy.
    type: str
    required: true
  request_timeout:
    description: Timeout for one request, in seconds.
    type: int
    required: true
  timeout:
    description: Seconds during which a request that times out is retried; with 0, only one request is sent.
    type: int
    default: 0
author: AI-Memory operations
"""

EXAMPLES = r"""
- name: Check whether the service is healthy
  aimemory.tenancy.service_health:
    url: http://127.0.0.1:8100/health
    request_timeout: 30
"""

RETURN = r"""
healthy:
  description: Whether the service returned status 200.
  returned: always
  type: bool
sentence:
  description: Why the response is not healthy, as a clause that follows the URL.
  returned: always
  type: str
late:
  description: Whether the request timed out.
  returned: always
  type: bool
said:
  description: The status in the response if the response is a JSON document with an unhealthy status, such as
    C(degraded).
  returned: always
  type: str
seconds:
  description: Seconds that the last request took.
  returned: always
  type: float
"""


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "url": {"type": "str", "required": True},
            "request_timeout": {"type": "int", "required": True},
            "timeout": {"type": "int", "default": 0},
        },
        supports_check_mode=True,
    )
    wanted = module.params
    answer = health.ask_while_late(wanted["url"], wanted["request_timeout"], wanted["timeout"])
    module.exit_json(changed=False, **asdict(answer))


if __name__ == "__main__":
    main()
