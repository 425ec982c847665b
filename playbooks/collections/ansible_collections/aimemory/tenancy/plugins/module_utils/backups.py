"""Which backups are this database's, and whether they hold its tables."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any


def own(paths: Iterable[str], directory: str, database: str) -> list[str]:
    """Return the paths in backups of ``database`` below ``directory``, the oldest first.

    A backup is named after its database and the time; those of one whose name begins alike are left out.
    """
    name = re.compile(re.escape(f"{directory}/{database}") + r"-[0-9]{8}T[0-9]{6}Z(/.*)?")
    return sorted(path for path in paths if name.fullmatch(path))


def lacking(tables: Iterable[Mapping[str, Any]], schema: str, names: Iterable[str]) -> list[str]:
    """Return which of the tables ``names`` of ``schema`` a manifest's ``tables`` do not hold."""
    held = {table["name"] for table in tables if table["schema"] == schema}
    return sorted(set(names) - held)
