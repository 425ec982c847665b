"""Find out how this collection is installed: as a checkout of the repository, or by ansible-galaxy."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

NAME = "aimemory.tenancy"
ROOT = Path(__file__).resolve().parents[2]
# A checkout has these playbooks in its root directory, so that the commands for them are short.
SHORT = ("migrate", "rollback")
VERIFY = ROOT / "playbooks/verify.yml"


def is_checkout(root: Path = ROOT) -> bool:
    """Return whether the collection at ``root`` is a checkout: only a checkout contains galaxy.yml."""
    return (root / "galaxy.yml").is_file()


def working_directory(root: Path = ROOT) -> Path:
    """Return the directory in which runs write files on this machine: the checkout, or the current directory."""
    return root if is_checkout(root) else Path.cwd()


def playbook(name: str, root: Path = ROOT) -> str:
    """Return the argument of ansible-playbook that runs the playbook ``name`` of this collection."""
    if not is_checkout(root):
        return f"{NAME}.{name}"
    return f"{name}.yml" if name in SHORT else f"playbooks/{name}.yml"


def prints_json(path: Path, variables: Mapping[str, Any]) -> bool:
    """Return whether the playbook, when called with these extra variables, prints nothing but a JSON document."""
    return path == VERIFY and variables.get("verify_output") == "json"


def missing_files(root: Path = ROOT) -> list[str]:
    """Return the sorted names of files in the collection's archive that are not installed; empty for a checkout.

    The list of the archive's files is in FILES.json, which ansible-galaxy installs.
    """
    if is_checkout(root):
        return []
    listed = json.loads((root / "FILES.json").read_text())["files"]
    return sorted(item["name"] for item in listed if item["ftype"] == "file" and not (root / item["name"]).is_file())
