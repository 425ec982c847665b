"""Look up the name of the operator who runs the playbook."""

from __future__ import annotations

import os
import pwd
from collections.abc import Mapping
from typing import Any

from ansible.plugins.lookup import LookupBase

DOCUMENTATION = """
name: operator
short_description: The name of the operator who runs ansible-playbook
description:
  - Returns the environment variable USER or LOGNAME. If neither is set, returns the name of the user of the process.
  - If this user has no name, as in some containers, returns C(user) and the UID.
"""

EXAMPLES = """
- ansible.builtin.debug:
    msg: "{{ lookup('aimemory.tenancy.operator') }}"
"""

RETURN = """
_raw:
  description: The name, as the only element.
  type: list
  elements: str
"""


def name(environment: Mapping[str, str]) -> str:
    """Return the operator's name from the environment, or the name of the process's user."""
    for variable in ("USER", "LOGNAME"):
        if environment.get(variable):
            return environment[variable]
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"user {os.getuid()}"


class LookupModule(LookupBase):  # type: ignore[misc]
    """The lookup plugin."""

    def run(self, terms: Any, variables: Any = None, **kwargs: Any) -> list[str]:
        """Return the operator's name as the only element."""
        return [name(os.environ)]
