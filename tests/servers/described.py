"""Helpers for tests of drafts: they read the catalogs and convert a draft into a model."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Mapping
from typing import Any

import yaml

from ansible_collections.aimemory.tenancy.plugins.module_utils import sessions
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.describe import catalog, difference, draft, text
from server import Server


def read(server: Server, case: str) -> dict[str, Any]:
    """Return a database's catalogs, as ``catalog.query()`` reads them for a draft."""
    with contextlib.closing(server.connect(case)) as connection, connection.cursor() as cursor:
        for name, value in {**sessions.SETTINGS, **sessions.READING}.items():
            cursor.execute("SELECT set_config(%s, %s, false)", (name, value))
        cursor.execute(catalog.query())
        found: dict[str, Any] = cursor.fetchone()[0]
        return found


def parsed(written: str, case: str, owner: str) -> dict[str, Any]:
    """Parse the text of a draft, and return its model in the form that the planner expects."""
    source = {name.removeprefix("tenancy_"): value for name, value in yaml.safe_load(written).items()}
    return source | {"database": case, "application_role": owner}


def prepare(server: Server, case: str, made: draft.Draft) -> None:
    """Run the draft's ``before.sql`` with psql."""
    psql = ("--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", f"--dbname={case}", "--file=-")
    server.run("psql", *psql, given=text.before(made))


def lines(given: Mapping[str, Any]) -> int:
    """Return how many lines the decisions need in an inventory: one for each scalar value and each list item."""
    return sum(len(value) if isinstance(value, list) else 1 for value in given.values())


def dumped(server: Server, case: str) -> str:
    """Return pg_dump's output for the schema, including the roles' settings in the database."""
    return server.run("pg_dump", "--schema-only", "--create", "--restrict-key=same", case)


def closed(source: dict[str, Any], found: list[difference.Difference]) -> dict[str, Any]:
    """Return a copy of the model, with the value of each difference added."""
    whole = copy.deepcopy(source)
    for item in found:
        place = whole[item["variable"].removeprefix("tenancy_")]
        if item["field"]:
            (entry,) = [entry for entry in place if entry["name"] == item["entry"]]
            place = entry.setdefault(item["field"], [])
        place.append(item["add"])
    return whole
