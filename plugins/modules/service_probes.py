#!/usr/bin/python
"""Start or stop probes of a service: requests at fixed times that show how a run affects callers."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.aimemory.tenancy.plugins.module_utils import (
    api,
    probe_samples,
    probe_unit,
    prober,
    request_options,
)

DOCUMENTATION = r"""
module: service_probes
short_description: Start or stop probes of a service, which show how a run affects callers
description:
  - Starts a transient systemd unit on the server that sends O(request) every O(interval) seconds. A request is not sent
    before the response to the previous one. Requests that become due meanwhile count as waiting for that response.
    Requests to O(health_url) are sent between them, at most one per second, and fewer if responses are slow.
  - A request counts as failed if its response is late, has an error or C(success) false, or lacks data that the same
    request returned before the start.
  - The unit stops O(limit) seconds after the last sign of the run, which is the start of the probes or the modification
    time of the file RV(alive). Starting the probes stops those of a lost run.
  - The samples contain only times, a status and a verdict. The secret and the headers remain on the server, in a file
    that only root may read. The prober reads and then deletes this file. If the service cannot be probed, the reason is
    returned, and the task does not fail. The headers may be secrets, so the task needs C(no_log). Runs as root.
extends_documentation_fragment:
  - aimemory.tenancy.api
options:
  state:
    description: Whether probes are sent.
    type: str
    choices: [started, stopped]
    required: true
  request:
    description: The request, which must only read.
    type: dict
    required: true
    suboptions:
      name:
        description: Name of the request.
        type: str
        required: true
      method:
        description: The HTTP method.
        type: str
        default: GET
      path:
        description: The path, with its query.
        type: str
        required: true
      body:
        description: The JSON document to send; no body if omitted.
        type: dict
      claims:
        description: Claims of the token; without claims, no token is sent.
        type: dict
      marker:
        description: Not used.
        type: str
        default: ""
  interval:
    description: Seconds from one request to the next.
    type: float
    default: 0.1
  limit:
    description: Seconds from the last sign of the run to the end of the probes.
    type: int
    default: 900
  health_url:
    description: URL of the health check.
    type: str
    required: true
  health_timeout:
    description: Timeout for a health request, in seconds.
    type: float
    default: 30
  health_seconds:
    description: Seconds that a health request took before the run. The first health request is sent after 20 times this
      duration.
    type: float
    default: 30
author: AI-Memory operations
"""

EXAMPLES = r"""
- name: Start the probes
  become: true
  aimemory.tenancy.service_probes:
    state: started
    unit: ai-memory
    url: http://127.0.0.1:8100
    timeout: 60
    names: {column: customer_id, setting: app.current_tenant, tables: [memories]}
    request: {name: GET /v1/memories, path: /v1/memories}
    health_url: http://127.0.0.1:8100/health
  no_log: true
"""

RETURN = r"""
obstacle:
  description: Why the service cannot be probed, or why the probes ended early; "" if there is no such reason.
  returned: success
  type: str
alive:
  description: The file to touch while the run waits for a long job.
  returned: success
  type: str
found:
  description: >-
    The statistics of the probes. These are sent, failed, reasons (failures by verdict), the times worst, p99, gap
    (without a good response) and seconds, slices (step, worst and failed by slices of time), and health (sent, failed,
    worst).
  returned: success
  type: dict
"""

NOTHING = probe_samples.Samples([], [])


def filled(wanted: dict[str, Any], token: str, caller: api.Caller) -> tuple[list[str], str]:
    """Send one request; return its response's parts with data, and why the service cannot be probed, or ""."""
    name = wanted["request"]["name"]
    try:
        answer = prober.ask(wanted, caller)
    except ValueError:
        return [], f"{name} cannot be sent with these headers"
    verdict, _ = api.judged(answer, api.names(wanted["names"]))
    if verdict == api.REFUSED:
        why = "" if token in ("signed", "given") else ", and the run has no token"
        return [], f"{name} was refused before the run (HTTP {answer.status}){why}"
    if verdict != api.OK:
        how = f"HTTP {answer.status}" if answer.status else "no response in time" if answer.late else "no connection"
        return [], f"{name} already failed before the run ({how})"
    return api.filled(answer.document), ""


def start(module: AnsibleModule, unit: probe_unit.ProbeUnit) -> str:
    """Start the probes, and return why the service cannot be probed, or "". Raises OSError."""
    wanted = module.params
    unit.stop()
    token, caller = api.caller(module)
    parts, obstacle = filled(wanted, token, caller)
    if obstacle:
        return obstacle
    copied = (
        "url", "timeout", "headers", "seconds", "names", "request", "interval", "limit", "health_url", "health_timeout",
        "health_seconds",
    )  # fmt: skip
    unit.start({name: wanted[name] for name in copied} | {"secret": caller.secret, "filled": parts})
    return ""


def stop(wanted: dict[str, Any], unit: probe_unit.ProbeUnit) -> tuple[dict[str, Any], str]:
    """Stop the probes; return their statistics, and why they ended early, or "". Raises OSError."""
    samples, obstacle = unit.stop() or NOTHING, ""
    if samples.ended is None:
        obstacle = "the probes did not continue until the end"
    elif samples.timed_out:
        obstacle = f"the probes ended after {wanted['limit']} s without a sign of the run"
    return probe_samples.summary(samples, wanted["interval"]), obstacle


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            **request_options.OPTIONS,
            "state": {"type": "str", "choices": ["started", "stopped"], "required": True},
            "request": {"type": "dict", "required": True, "options": request_options.REQUEST},
            "interval": {"type": "float", "default": 0.1}, "limit": {"type": "int", "default": 900},
            "health_url": {"type": "str", "required": True}, "health_timeout": {"type": "float", "default": 30},
            "health_seconds": {"type": "float", "default": 30},
        },
    )  # fmt: skip
    unit = probe_unit.ProbeUnit(module.run_command, module.params["unit"])
    found = probe_samples.summary(NOTHING, module.params["interval"])
    try:
        if module.params["state"] == "started":
            obstacle = start(module, unit)
        else:
            found, obstacle = stop(module.params, unit)
    except OSError as error:
        # A run must not fail because its effect on callers cannot be observed.
        obstacle = f"the probes could not be {module.params['state']}: {error}"
    module.exit_json(changed=False, obstacle=obstacle, alive=unit.alive, found=found)


if __name__ == "__main__":
    main()
