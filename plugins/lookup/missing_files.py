"""Look up the files of the collection's archive that are not installed."""

from __future__ import annotations

from typing import Any

from ansible.plugins.lookup import LookupBase

from ansible_collections.aimemory.tenancy.plugins.plugin_utils import installed

DOCUMENTATION = """
name: missing_files
short_description: Files of the collection's archive that are not installed
description:
  - Compares the installed collection with the list of files in its archive.
  - A checkout has no such list, so the result is empty.
"""

EXAMPLES = """
- ansible.builtin.assert:
    that: query('aimemory.tenancy.missing_files') | length == 0
"""

RETURN = """
_raw:
  description: The paths of the missing files, relative to the directory of the collection.
  type: list
  elements: str
"""


class LookupModule(LookupBase):  # type: ignore[misc]
    """The lookup plugin."""

    def run(self, terms: Any, variables: Any = None, **kwargs: Any) -> list[str]:
        """Return the paths of the missing files."""
        return installed.missing_files()
