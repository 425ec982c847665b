"""The production model: the repository's own group_vars, as the tenancy role hands them to the planner."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]


def _source(inventory: str) -> dict[str, Any]:
    variables = yaml.safe_load((ROOT / inventory / "group_vars/ai_memory/tenancy.yml").read_text())
    return {name.removeprefix("tenancy_"): value for name, value in variables.items()}


def rental_source(database: str = "boat_rental") -> dict[str, Any]:
    """Return the same of the example's inventory."""
    return _source("examples/boat-rental") | {"database": database, "application_role": "desk"}


def model_source(database: str = "ai_memory") -> dict[str, Any]:
    """Return the ``tenancy_*`` variables without their prefix, with the file lookups resolved."""
    source = _source("inventory")
    for function in source["functions"]:
        lookup = re.search(r"files/[a-z_]+\.sql", function["body"])
        assert lookup, function["body"]
        function["body"] = (ROOT / lookup.group()).read_text().rstrip("\n")
    return source | {"database": database, "application_role": "alice"}
