"""The arguments of the modules in awx.awx, read from the installed collection and stored in awx_schema.json.

Version 12 of the `ansible` package contains the collection; later versions do not. Run this file with that version to
update the schema.
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
    "credential_type", "execution_environment", "inventory", "inventory_source", "job_template", "project", "schedule",
    "workflow_job_template",
)  # fmt: skip
# The keys of an option in DOCUMENTATION that restrict the option's value.
RULES = ("type", "elements", "choices", "required", "default", "suboptions")


class _ReadError(Exception):
    """Raised to end a module as soon as it has built its argument spec."""


def installed() -> bool:
    """Return whether the collection is installed."""
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
        # The module treats the default like a missing value, so the schema omits the default.
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
    # The argument spec accepts any nodes. Only the documentation describes their options.
    if "workflow_nodes" in spec:
        documented = yaml.safe_load(module.DOCUMENTATION)["options"]["workflow_nodes"]["suboptions"]
        spec["workflow_nodes"] = spec["workflow_nodes"] | {"options": _rules(documented)}
    return spec


def read() -> dict[str, Any]:
    """Return the argument spec of each module in the installed collection."""
    return {name: _taken_by(name) for name in MODULES}


def kept() -> dict[str, Any]:
    """Return the stored argument specs."""
    specs: dict[str, Any] = json.loads(KEPT.read_text())
    return specs


if __name__ == "__main__":
    KEPT.write_text(json.dumps(read(), indent=1, sort_keys=True) + "\n")
