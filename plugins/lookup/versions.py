"""Look up the versions of the programs that run the playbooks on this machine."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ansible.plugins.lookup import LookupBase

from ansible_collections.aimemory.tenancy.plugins.plugin_utils.report import versions

DOCUMENTATION = """
name: versions
short_description: Versions of Python, ansible-core, psycopg2 and collections on the machine that runs ansible-playbook
description:
  - Reads the versions from the running process, so that they are correct even if other versions are installed.
options:
  _terms:
    description: The names of collections whose versions are wanted.
    type: list
    elements: str
"""

EXAMPLES = """
- ansible.builtin.debug:
    msg: "{{ lookup('aimemory.tenancy.versions', 'community.postgresql') }}"
"""

RETURN = """
_raw:
  description: One dict of names and versions, with C(none) for a collection that is not installed.
  type: list
  elements: dict
"""


class LookupModule(LookupBase):  # type: ignore[misc]
    """The lookup plugin."""

    def run(self, terms: Iterable[str], variables: Any = None, **kwargs: Any) -> list[dict[str, str]]:
        """Return the versions as the only element."""
        return [versions.of(*terms)]
