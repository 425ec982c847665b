#!/usr/bin/python
"""Count the lines in a service's journal on the server, and describe the last lines and the failures."""

from __future__ import annotations

import re

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.aimemory.tenancy.plugins.module_utils import journal, systemctl

DOCUMENTATION = r"""
module: service_journal
short_description: Count the lines in a service's journal on the server, and describe the last lines and the failures
description:
  - Reads the journal of the unit since its last start, and of the hour before its last stop.
  - The text of a line never leaves the server. A description contains only the line's time and process, and items from
    fixed lists. The items are its level, an HTTP status, the SQLSTATE of a PostgreSQL error, a Python exception,
    O(names) and matching O(failure_patterns).
  - Runs as root.
options:
  unit:
    description: The systemd unit.
    type: str
    required: true
  since:
    description: When the unit became inactive before its start, in the format of C(journalctl --since).
    type: str
    required: true
  before:
    description: Whether to count the lines in the hour before the stop as well.
    type: bool
    default: false
  failure_patterns:
    description: Case-insensitive regular expressions for further lines in RV(failures).
    type: list
    elements: str
    default: []
  request_pattern:
    description: Regular expression for the lines of requests.
    type: str
    required: true
  refused_pattern:
    description: Regular expression for the lines of failed requests.
    type: str
    required: true
  last:
    description: Maximum number of lines in RV(lines).
    type: int
    required: true
  own_requests:
    description: >-
      Requests of the run itself, each with method and path. Their access lines are neither counted nor described if the
      client is on the server itself.
    type: list
    elements: dict
    default: []
  names:
    description: Names, such as table names, that an error's description includes if the line contains them.
    type: list
    elements: str
    default: []
author: AI-Memory operations
"""

EXAMPLES = r"""
- name: Read the service's journal since the start
  become: true
  aimemory.tenancy.service_journal:
    unit: ai-memory.service
    since: Sat 2026-11-28 15:15:04 UTC
    request_pattern: '" [1-5][0-9]{2}$'
    refused_pattern: '" [45][0-9]{2}$'
    last: 50
    names: [memories]
"""

RETURN = r"""
lines:
  description: Descriptions of the last lines since the start.
  returned: success
  type: list
  sample: ["2026-11-28T07:43:11+00:00 ai-memory.service[12]: error, SQLSTATE 42501 insufficient_privilege, memories"]
failures:
  description:
    - Descriptions of the first 50 lines with a failure since the start. These lines contain a PostgreSQL error that the
      change may cause, or match O(failure_patterns).
  returned: success
  type: list
total:
  description:
    - Number of lines since the start; likewise C(own) (without systemd's lines), C(errors) (by level), C(requests) and
      C(refused).
  returned: success
  type: int
errors_before:
  description: Number of error lines in the hour before the stop; likewise C(refused_before).
  returned: success
  type: int
"""


def main() -> None:
    """Run the module."""
    text = {"type": "str", "required": True}
    module = AnsibleModule(
        argument_spec={
            "unit": text, "since": text, "before": {"type": "bool", "default": False},
            "failure_patterns": {"type": "list", "elements": "str", "default": []},
            "request_pattern": text, "refused_pattern": text,
            "last": {"type": "int", "required": True},
            "own_requests": {"type": "list", "elements": "dict", "default": []},
            "names": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )  # fmt: skip
    wanted = module.params
    try:
        searched = journal.Wanted(
            unit=wanted["unit"],
            names=wanted["names"],
            failures=[re.compile(pattern, re.IGNORECASE) for pattern in wanted["failure_patterns"]],
            request=re.compile(wanted["request_pattern"]),
            refused=re.compile(wanted["refused_pattern"]),
        )
    except re.error as error:
        module.fail_json(msg=f"A service_journal_* pattern is not a regular expression: {error}.")
    since = wanted["since"]
    try:
        # The journal stores only the unit's real name, but the run may have been given an alias.
        unit = systemctl.Systemctl(module.run_command).property("Id", wanted["unit"])
        if not unit:
            module.fail_json(msg=f"systemctl cannot show {wanted['unit']}: it has no Id")
        started = journal.since_start([*journal.read(unit, f"--since={since}")])
        before = journal.read(unit, "--since=-1h", f"--until={since}") if wanted["before"] else ()
        found, earlier = (journal.without_requests(lines, wanted["own_requests"]) for lines in (started, before))
        summary = journal.summary([*found], earlier, searched, wanted["last"])
    except systemctl.SystemctlError as error:
        module.fail_json(msg=f"systemctl cannot show {wanted['unit']}: {error}")
    except journal.JournalError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, **summary)


if __name__ == "__main__":
    main()
