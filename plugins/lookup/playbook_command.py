"""Look up the command that runs another playbook of this collection for the host of a run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible.plugins.lookup import LookupBase

from ansible_collections.aimemory.tenancy.plugins.plugin_utils import installed
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.report import commands, facts

DOCUMENTATION = """
name: playbook_command
short_description: Command that runs a playbook of this collection for the host of a run
description:
  - Includes the inventories and the host of the current run, so that the command does not apply to other hosts.
  - Specifies the playbook by its path in a checkout, or by its full name if the collection is installed.
options:
  _terms:
    description: The names of the playbooks, such as C(verify).
    type: list
    elements: str
    required: true
"""

EXAMPLES = """
- ansible.builtin.debug:
    msg: "{{ lookup('aimemory.tenancy.playbook_command', 'verify') }}"
"""

RETURN = """
_raw:
  description: One command for each playbook.
  type: list
  elements: str
"""


class LookupModule(LookupBase):  # type: ignore[misc]
    """The lookup plugin."""

    def run(self, terms: Iterable[str], variables: Mapping[str, Any] | None = None, **kwargs: Any) -> list[str]:
        """Return a command for each playbook."""
        known = variables or {}
        start = commands.playbook({**facts.called(known), "host": known["inventory_hostname"]})
        return [f"{start} {installed.playbook(name)}" for name in terms]
