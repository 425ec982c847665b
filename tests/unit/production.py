"""The models of the unit tests and of production, in the form that the tenancy role passes to the planner."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
# The unit tests have their own models, so a change to an inventory does not change the tested plans.
OWN = Path(__file__).parent / "model"


def _source(variables: Path, place: Path) -> dict[str, Any]:
    """Return the ``tenancy_*`` variables without their prefix; ``place`` contains the directory of function bodies."""
    found = yaml.safe_load(variables.read_text())
    source = {name.removeprefix("tenancy_"): value for name, value in found.items()}
    for function in source["functions"]:
        if lookup := re.search(r"lookup\(.*(files/[a-z_]+\.sql)", function["body"]):
            function["body"] = (place / lookup[1]).read_text().rstrip("\n")
    return source


def model_source(database: str = "ai_memory") -> dict[str, Any]:
    """Return the unit tests' model of AI-Memory."""
    return _source(OWN / "ai_memory.yml", OWN) | {"database": database, "application_role": "alice"}


def rental_source(database: str = "boat_rental") -> dict[str, Any]:
    """Return the unit tests' model of the boat rental, another application."""
    return _source(OWN / "boat_rental.yml", OWN) | {"database": database, "application_role": "desk"}


def projects_source(database: str = "projects") -> dict[str, Any]:
    """Return the unit tests' model of an application that already has the tenant column and a table of tenants."""
    return _source(OWN / "projects.yml", OWN) | {"database": database, "application_role": "alice"}


def production_source(database: str = "ai_memory") -> dict[str, Any]:
    """Return the model in production's inventory."""
    variables = ROOT / "inventory/group_vars/ai_memory/tenancy.yml"
    return _source(variables, ROOT) | {"database": database, "application_role": "alice"}
