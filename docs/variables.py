"""Write variables.md from the argument specs of the roles and the values in this inventory."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
ROLES = (
    "preflight", "lock", "service", "login", "tenancy", "plan", "apply", "verify", "backup", "restore", "rehearse",
    "report", "support", "describe", "watch",
)  # fmt: skip
PAGE = ROOT / "docs/variables.md"
HEAD = """# Variables

Set variables in `inventory/group_vars/ai_memory/`, for one host in `inventory/host_vars/`, or for one run with
`-e name=value`. A run checks the types, and the limits in the last column, before it contacts the host. Another
application needs its own `tenancy.yml`: its tables with their natural and surrogate keys, its tenant column and its
functions. No role contains the name of a table. `make docs` generates this page from
`roles/*/meta/argument_specs.yml`.
"""
TABLE = ("| variable | type | value in this inventory | meaning |", "|---|---|---|---|")


def read(path: str) -> Any:
    """Return the YAML document at ``path``, relative to the repository, or {} if the file does not exist."""
    file = ROOT / path
    return yaml.safe_load(file.read_text()) if file.exists() else {}


def specs(role: str) -> dict[str, dict[str, Any]]:
    """Return the options in a role's argument spec."""
    [entry] = read(f"roles/{role}/meta/argument_specs.yml")["argument_specs"].values()
    options: dict[str, dict[str, Any]] = entry["options"]
    return options


def inventory() -> dict[str, Any]:
    """Return the variables of the ai_memory group."""
    directory = ROOT / "inventory/group_vars/ai_memory"
    return {name: value for file in sorted(directory.glob("*.yml")) for name, value in read(str(file)).items()}


def _value(name: str, option: dict[str, Any], values: dict[str, Any]) -> str:
    if name in values:
        value, origin = values[name], ""
    elif "default" in option:
        value, origin = option["default"], " (default)"
    else:
        return "not set"
    if isinstance(value, (dict, list)):
        return ("set" if value else "empty") + origin
    shown = json.dumps(value, ensure_ascii=False) if not isinstance(value, str) else value or '""'
    return f"`{shown}`{origin}"


def _rows(options: dict[str, dict[str, Any]], values: dict[str, Any], prefix: str = "") -> list[str]:
    rows = []
    for name, option in options.items():
        kind = option["type"] + (f" of {option['elements']}" if "elements" in option else "")
        choices = f" One of {', '.join(option['choices'])}." if "choices" in option else ""
        value = _value(name, option, values) if not prefix else ""
        cells = (f"`{prefix}{name}`", kind, value, option["description"] + choices)
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
        rows += _rows(option.get("options", {}), values, f"{prefix}{name}[].")
    return rows


def page() -> str:
    """Return the page as Markdown: a section for each role, with one row for each variable."""
    values = inventory()
    sections = ([f"\n## {role}\n", *TABLE, *_rows(specs(role), values)] for role in ROLES)
    return "\n".join([HEAD.rstrip("\n"), *(line for section in sections for line in section)]) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page())
