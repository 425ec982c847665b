"""Read the versions of the software on the control node from within the process of ansible-playbook."""

from __future__ import annotations

import importlib
import json
import platform
from pathlib import Path

import psycopg2
import yaml
from ansible.release import __version__


def of(*collections: str) -> dict[str, str]:
    """Return the versions of the system, Python, ansible-core, psycopg2 and ``collections``.

    The version of a missing collection is ``none``.
    """
    return {
        "system": platform.platform(),
        "python": platform.python_version(),
        "ansible-core": __version__,
        "psycopg2": psycopg2.__version__,
        **{name: collection(name) for name in collections},
    }


def collection(name: str) -> str:
    """Return a collection's version, from galaxy.yml in a checkout, or from the manifest of an installed archive."""
    try:
        directory = Path(next(iter(importlib.import_module(f"ansible_collections.{name}").__path__)))
    except ImportError:
        return "none"
    manifest, galaxy = directory / "MANIFEST.json", directory / "galaxy.yml"
    if manifest.exists():
        return str(json.loads(manifest.read_text())["collection_info"]["version"])
    return str(yaml.safe_load(galaxy.read_text())["version"]) if galaxy.exists() else "unknown"
