"""Recognize columns by their names and defaults: the tenant column, and the column with a row's write time."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

TENANT = re.compile(
    "(tenant|organi[sz]ation|org|account|company|customer|client|workspace|team|site|shop|store|agency|firm)"
    "(_?(id|uuid))?",
    re.IGNORECASE,
)
# A default that gives a column the tenant of the session.
SESSION = re.compile(r"current_setting\('([^']+)'")
# Names of the column with a row's write time, in order of preference.
WRITTEN = tuple(
    re.compile(pattern)
    for pattern in (
        "(last_)?(updated|modified|changed|written)(_(at|on|time))?|(update|modification)_(date|time)",
        "(created|inserted|added|date_added|date_joined)(_(at|on|time))?|(creation|insert)_(date|time)",
        "(recorded|measured|logged|occurred|happened|submitted|posted)(_(at|on|time))?",
    )
)


def written_at(columns: Mapping[str, Mapping[str, Any]]) -> str | None:
    """Return the name of the column with a row's write time, or None."""
    times = {
        name: item for name, item in columns.items() if item["type"].startswith("timestamp") and not item["generated"]
    }
    for pattern in WRITTEN:
        for name in times:
            if pattern.fullmatch(name):
                return name
    # The server fills in only a column with a default. Any other column may contain another time, such as an end time.
    return next((name for name, item in times.items() if item["not_null"] and item["default"]), None)
