"""Look up the directory in which runs write files on this machine."""

from __future__ import annotations

from typing import Any

from ansible.plugins.lookup import LookupBase

from ansible_collections.aimemory.tenancy.plugins.plugin_utils import installed

DOCUMENTATION = """
name: working_directory
short_description: Directory in which runs write files on this machine
description:
  - In a checkout, returns the root directory of the checkout, regardless of the current directory.
  - If the collection is installed from its archive, returns the current directory.
"""

EXAMPLES = """
- ansible.builtin.debug:
    msg: "{{ lookup('aimemory.tenancy.working_directory') }}/logs"
"""

RETURN = """
_raw:
  description: The absolute path, as the only element.
  type: list
  elements: path
"""


class LookupModule(LookupBase):  # type: ignore[misc]
    """The lookup plugin."""

    def run(self, terms: Any, variables: Any = None, **kwargs: Any) -> list[str]:
        """Return the path as the only element."""
        return [str(installed.working_directory())]
