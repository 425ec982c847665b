"""What the modules of awx.awx take, read from the collection where it is installed, and kept in awx_schema.json.

The bundle `ansible` 12 brings the collection, later ones do not. Run this file where it is installed to write it anew.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import json
from pathlib import Path
from typing import Any

import yaml

KEPT = Path(__file__).parent / "awx_schema.json"
MODULES = (
    "credential_type", "execution_environment", "inventory", "inventory_source", "job_template", "project",
    "workflow_job_template",
)  # fmt: skip
# What DOCUMENTATION says beside types.
RULES = ("type", "elements", "choices", "required", "default", "suboptions")


class _ReadError(Exception):
    """Ends a module once it has said what it takes."""


def installed() -> bool:
    """Say whether the collection is there."""
    try:
        return importlib.util.find_spec("ansible_collections.awx.awx") is not None
    except ModuleNotFoundError:
        return False


def _rules(options: dict[str, Any]) -> dict[str, Any]:
    """Return documented options in the form of an argument spec."""
    found: dict[str, Any] = {}
    for name, option in options.items():
        rules = {rule: option[rule] for rule in RULES if rule in option}
        if "suboptions" in rules:
            rules["options"] = _rules(rules.pop("suboptions"))
        # The module compares it with nothing and passes it on: what is left out stays out.
        rules.pop("default", None)
        found[name] = rules
    return found


def _taken_by(name: str) -> dict[str, Any]:
    module = importlib.import_module(f"ansible_collections.awx.awx.plugins.modules.{name}")
    spec: dict[str, Any] = {}

    def read(argument_spec: dict[str, Any], **_: Any) -> None:
        spec.update(argument_spec)
        raise _ReadError

    vars(module)["ControllerAPIModule"] = read
    with contextlib.suppress(_ReadError):
        module.main()
    # The module takes any nodes; what they hold is documented alone.
    if "workflow_nodes" in spec:
        documented = yaml.safe_load(module.DOCUMENTATION)["options"]["workflow_nodes"]["suboptions"]
        spec["workflow_nodes"] = spec["workflow_nodes"] | {"options": _rules(documented)}
    return spec


def read() -> dict[str, Any]:
    """Return the argument specs by module."""
    return {name: _taken_by(name) for name in MODULES}


def kept() -> dict[str, Any]:
    """Return what was kept."""
    specs: dict[str, Any] = json.loads(KEPT.read_text())
    return specs


if __name__ == "__main__":
    KEPT.write_text(json.dumps(read(), indent=1, sort_keys=True) + "\n")
