"""Who runs the playbook."""

from __future__ import annotations

import os
import pwd
from collections.abc import Mapping
from typing import Any

from ansible.plugins.lookup import LookupBase

DOCUMENTATION = """
name: operator
short_description: The name of whoever runs ansible-playbook
description:
  - USER or LOGNAME where the environment has one, else the name that the system has for the process's user; a number
    where it has none, as in some containers.
"""

EXAMPLES = """
- ansible.builtin.debug:
    msg: "{{ lookup('aimemory.tenancy.operator') }}"
"""

RETURN = """
_raw:
  description: The name.
  type: list
  elements: str
"""


def name(environment: Mapping[str, str]) -> str:
    """Return the name of the process's user."""
    for variable in ("USER", "LOGNAME"):
        if environment.get(variable):
            return environment[variable]
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"user {os.getuid()}"


class LookupModule(LookupBase):  # type: ignore[misc]
    """The lookup."""

    def run(self, terms: Any, variables: Any = None, **kwargs: Any) -> list[str]:
        """Return the name in a list."""
        return [name(os.environ)]
