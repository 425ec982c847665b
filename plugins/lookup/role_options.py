"""Look up the options of all roles, so that one task can validate all variables."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml
from ansible.plugins.lookup import LookupBase

DOCUMENTATION = """
name: role_options
short_description: Options in the argument specs of all roles
description:
  - Reads C(meta/argument_specs.yml) of each role in a directory of roles, and merges the options.
options:
  _terms:
    description: The directory of roles.
    type: list
    elements: str
    required: true
"""

EXAMPLES = """
- ansible.builtin.validate_argument_spec:
    argument_spec: "{{ lookup('aimemory.tenancy.role_options', role_path | dirname) }}"
"""

RETURN = """
_raw:
  description: One dict, which maps the name of each option to its spec.
  type: list
  elements: dict
"""


def options(roles: Path) -> dict[str, Any]:
    """Return the options of the roles in a directory, by name."""
    found: dict[str, Any] = {}
    for path in sorted(roles.glob("*/meta/argument_specs.yml")):
        for entry in yaml.safe_load(path.read_text())["argument_specs"].values():
            found |= entry.get("options", {})
    return found


class LookupModule(LookupBase):  # type: ignore[misc]
    """The lookup plugin."""

    def run(self, terms: Iterable[str], variables: Any = None, **kwargs: Any) -> list[dict[str, Any]]:
        """Return the options of each directory in ``terms``."""
        return [options(Path(term)) for term in terms]
