"""The versions of the programs that run the playbooks on this machine."""

from __future__ import annotations

import importlib
import json
import platform
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import psycopg2
import yaml
from ansible.plugins.lookup import LookupBase
from ansible.release import __version__

DOCUMENTATION = """
name: versions
short_description: Versions of Python, ansible-core, psycopg2 and collections on the machine that runs ansible-playbook
description:
  - Reads the versions from the process itself, so that they are those of the run, even if others are installed.
options:
  _terms:
    description: Collections to look for.
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


def collection(name: str) -> str:
    """Return a collection's version: a checkout's from galaxy.yml, an installed one's from its manifest."""
    try:
        directory = Path(next(iter(importlib.import_module(f"ansible_collections.{name}").__path__)))
    except ImportError:
        return "none"
    manifest, galaxy = directory / "MANIFEST.json", directory / "galaxy.yml"
    if manifest.exists():
        return str(json.loads(manifest.read_text())["collection_info"]["version"])
    return str(yaml.safe_load(galaxy.read_text())["version"]) if galaxy.exists() else "unknown"


class LookupModule(LookupBase):  # type: ignore[misc]
    """The lookup plugin."""

    def run(self, terms: Iterable[str], variables: Any = None, **kwargs: Any) -> list[dict[str, str]]:
        """Return the versions as the only element."""
        return [
            {
                "system": platform.platform(),
                "python": platform.python_version(),
                "ansible-core": __version__,
                "psycopg2": psycopg2.__version__,
                **{name: collection(name) for name in terms},
            }
        ]
