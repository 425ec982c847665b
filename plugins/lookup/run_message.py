"""Look up the message for the webhook about a run."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ansible.plugins.lookup import LookupBase

from ansible_collections.aimemory.tenancy.plugins.module_utils import messages
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.report import facts, summary

DOCUMENTATION = """
name: run_message
short_description: The message for the webhook about the run on this host
description:
  - Reads the facts of the run from the variables of the host. The message contains no error text, because PostgreSQL's
    messages may quote rows.
options:
  _terms:
    description: The event, C(start), C(success), C(cancelled) or C(failure).
    type: list
    elements: str
    required: true
"""

EXAMPLES = """
- ansible.builtin.debug:
    msg: "{{ lookup('aimemory.tenancy.run_message', 'start') }}"
"""

RETURN = """
_raw:
  description: One message for each event, with hidden characters as escapes.
  type: list
  elements: str
"""


class LookupModule(LookupBase):  # type: ignore[misc]
    """The lookup plugin."""

    def run(self, terms: Iterable[str], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[str]:
        """Return the message for each event."""
        known = facts.pick(variables or {}, self._templar.template)
        return [messages.visible(summary.message(known, event)) for event in terms]
