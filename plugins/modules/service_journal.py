#!/usr/bin/python
"""Count the lines of a service's journal on the server, and return those that are shown."""

from __future__ import annotations

import re

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.aimemory.tenancy.plugins.module_utils import journal, redaction, unit_environment
from ansible_collections.aimemory.tenancy.plugins.module_utils.redaction import Known

DOCUMENTATION = r"""
module: service_journal
short_description: Count the lines of a service's journal on the server, and return those that are shown
description:
  - Reads the journal of the unit since its last start, and of the hour before its last stop. No line leaves the server
    but those that are shown, and of them only what is known to hold nothing of callers and no secret.
  - Runs as root.
options:
  unit:
    description: The systemd unit. No value that systemd gives it at its next start is shown.
    type: str
    required: true
  since:
    description: When the unit became inactive before its start, as C(journalctl --since) takes it.
    type: str
    required: true
  before:
    description: Whether the hour before is counted as well.
    type: bool
    default: false
  failure_patterns:
    description: Regular expressions, case ignored, of lines that RV(failures) holds as well.
    type: list
    elements: str
    default: []
  request_pattern:
    description: Regular expression of lines of requests.
    type: str
    required: true
  refused_pattern:
    description: Regular expression of lines of requests that failed.
    type: str
    required: true
  last:
    description: How many lines RV(lines) holds at most.
    type: int
    required: true
  names:
    description: Names that may be shown, such as those of tables.
    type: list
    elements: str
    default: []
  files:
    description: Files of the service's settings; none of the values in them is shown. An empty name stands for none.
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
    files: [/opt/ai-memory/.env]
"""

RETURN = r"""
lines:
  description: The last lines since the start.
  returned: success
  type: list
failures:
  description:
    - The first 50 lines since the start that have an error of PostgreSQL that the change may cause, or meet
      O(failure_patterns).
  returned: success
  type: list
total:
  description:
    - How many lines there are since the start; likewise C(own) (not of systemd), C(errors) (whose level says so),
      C(requests) and C(refused).
  returned: success
  type: int
errors_before:
  description: How many lines of errors there are in the hour before; likewise C(refused_before).
  returned: success
  type: int
"""


def read(module: AnsibleModule, *when: str) -> list[journal.Line]:
    """Return the lines of the unit in a span of time; the failure of journalctl is the module's."""
    found: list[journal.Line] = []
    fields = "--output-fields=MESSAGE,SYSLOG_IDENTIFIER,_PID,_HOSTNAME,PRIORITY"
    # The journal knows a unit by its own name alone, and the run may know it by an alias.
    named = ["systemctl", "show", "--property=Id", "--value", "--", module.params["unit"]]
    code, name, error = module.run_command(named)
    if code != 0 or not name.strip():
        module.fail_json(msg=f"systemd cannot be asked about {module.params['unit']}: {error.strip()}")
    code, output, error = module.run_command(
        ["journalctl", f"--unit={name.strip()}", "--no-pager", "--quiet", "--output=json", fields, *when],
        errors="surrogate_then_replace",
    )
    if code != 0:
        module.fail_json(msg=f"The journal cannot be read: {error.strip()}")
    try:
        found = journal.lines(output)
    except (ValueError, KeyError, TypeError, AttributeError):
        module.fail_json(msg="journalctl wrote a line of a form that is not known: report it.")
    return found


def hidden(module: AnsibleModule, known: Known) -> list[str]:
    """Return the values that are not shown: of the unit's environment and of the files; what cannot be read fails."""

    def run(*command: str) -> str:
        code, printed, error = module.run_command(list(command))
        if code != 0:
            raise OSError((error or printed).strip())
        return str(printed)

    values: list[str] = []
    try:
        for _, pairs in unit_environment.next_environment(run, module.params["unit"]):
            values += redaction.hidden(pairs.values(), known)
        for path in filter(None, module.params["files"]):
            with open(path, encoding="utf-8", errors="replace") as file:
                values += redaction.secrets(file.read(), known)
    except OSError as error:
        what = error.filename or "The environment of the unit"
        module.fail_json(msg=f"{what} cannot be read: {error.strerror or error}.")
    return sorted(set(values), key=len, reverse=True)


def main() -> None:
    """Run the module."""
    text = {"type": "str", "required": True}
    module = AnsibleModule(
        argument_spec={
            "unit": text, "since": text, "before": {"type": "bool", "default": False},
            "failure_patterns": {"type": "list", "elements": "str", "default": []},
            "request_pattern": text, "refused_pattern": text,
            "last": {"type": "int", "required": True},
            "names": {"type": "list", "elements": "str", "default": []},
            "files": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )  # fmt: skip
    wanted = module.params
    known = Known(wanted["names"])
    values = hidden(module, known)
    patterns = {name: wanted[f"{name}_pattern"] for name in ("request", "refused")}
    patterns["failure"] = "|".join(f"(?:{pattern})" for pattern in wanted["failure_patterns"])
    found = journal.since_start(read(module, f"--since={wanted['since']}"))
    before = read(module, "--since=-1h", f"--until={wanted['since']}") if wanted["before"] else []
    try:
        told = journal.summary(found, before, patterns, known, values, wanted["last"])
    except re.error as error:
        module.fail_json(msg=f"A service_journal_* pattern is no regular expression: {error}.")
    module.exit_json(changed=False, **told)


if __name__ == "__main__":
    main()
