"""The location of this collection: a checkout of the repository, or an archive that ansible-galaxy installed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

NAME = "aimemory.tenancy"
ROOT = Path(__file__).resolve().parents[2]
# In a checkout, these playbooks are in the root directory, so their commands are short.
SHORT = ("migrate", "rollback")
VERIFY = ROOT / "playbooks/verify.yml"


def is_checkout(root: Path = ROOT) -> bool:
    """Return whether the collection is a checkout. ansible-galaxy omits galaxy.yml from archives."""
    return (root / "galaxy.yml").is_file()


def working_directory(root: Path = ROOT) -> Path:
    """Return the directory in which runs write files on this machine: the checkout, or the current directory."""
    return root if is_checkout(root) else Path.cwd()


def playbook(name: str, root: Path = ROOT) -> str:
    """Return a playbook of this collection as an argument of ansible-playbook."""
    if not is_checkout(root):
        return f"{NAME}.{name}"
    return f"{name}.yml" if name in SHORT else f"playbooks/{name}.yml"


def prints_json(path: Path, variables: Mapping[str, Any]) -> bool:
    """Return whether the playbook, called with these extra variables, prints only one JSON document."""
    return path == VERIFY and variables.get("verify_output") == "json"


def missing_files(root: Path = ROOT) -> list[str]:
    """Return the sorted names of the archive's files that are not installed. In a checkout, there are none.

    FILES.json, which ansible-galaxy installs, lists the files of the archive.
    """
    if is_checkout(root):
        return []
    listed = json.loads((root / "FILES.json").read_text())["files"]
    return sorted(item["name"] for item in listed if item["ftype"] == "file" and not (root / item["name"]).is_file())
