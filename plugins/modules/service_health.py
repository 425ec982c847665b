#!/usr/bin/python
"""Ask a service for its health, on the server itself."""

from __future__ import annotations

from dataclasses import asdict

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.aimemory.tenancy.plugins.module_utils import health

DOCUMENTATION = r"""
module: service_health
short_description: Ask a service for its health, on the server itself
description:
  - Requests a URL without any proxy. If the answer is late, it retries within O(timeout).
  - Whether the service is healthy is returned and does not fail the task.
options:
  url:
    description: URL that answers 200 when the service is healthy.
    type: str
    required: true
  request_timeout:
    description: Seconds to wait for one answer.
    type: int
    required: true
  timeout:
    description: Seconds after which a late service is not retried; 0 asks once.
    type: int
    default: 0
author: AI-Memory operations
"""

EXAMPLES = r"""
- name: Ask whether the service is healthy
  aimemory.tenancy.service_health:
    url: http://127.0.0.1:8100/health
    request_timeout: 30
"""

RETURN = r"""
healthy:
  description: Whether it answered 200.
  returned: always
  type: bool
sentence:
  description: Why the answer is not healthy, as a clause after the URL.
  returned: always
  type: str
late:
  description: Whether the time for the answer ran out.
  returned: always
  type: bool
said:
  description: The status in its answer, if that is a JSON document and the status is not healthy, such as C(degraded).
  returned: always
  type: str
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
