"""Recognize the tenant column, and the column with a row's write time, by their names and defaults."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

TENANT = re.compile(
    "(tenant|organi[sz]ation|org|account|company|customer|client|workspace|team|site|shop|store|agency|firm)"
    "(_?(id|uuid))?",
    re.IGNORECASE,
)
# Matches a default that sets a column to the session's tenant.
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
    # A NOT NULL column with a default probably contains the write time. Without a default, it may be an end time.
    return next((name for name, item in times.items() if item["not_null"] and item["default"]), None)
