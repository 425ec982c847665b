"""Which backups are this database's, what is written beside them, and whether they hold its tables."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any


def own(paths: Iterable[str], directory: str, database: str) -> list[str]:
    """Return the paths in backups of ``database`` below ``directory``, the oldest first.

    A backup is named after its database and the time; those of one whose name begins alike are left out.
    """
    name = re.compile(re.escape(f"{directory}/{database}") + r"-[0-9]{8}T[0-9]{6}Z(/.*)?")
    return sorted(path for path in paths if name.fullmatch(path))


def document(text: str, version: int) -> dict[str, Any]:
    """Return the JSON object in ``text``, or nothing when it is none, or of another version."""
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) and found.get("version") == version else {}


def lacking(tables: Iterable[Mapping[str, Any]], schema: str, names: Iterable[str]) -> list[str]:
    """Return which of the tables ``names`` of ``schema`` a manifest's ``tables`` do not hold."""
    held = {table["name"] for table in tables if table["schema"] == schema}
    return sorted(set(names) - held)
