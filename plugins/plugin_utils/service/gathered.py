"""What was taken for a bundle: every module's result in one shape, with the reason where there is none."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from ...module_utils import messages
from ...module_utils.errors import TenancyError
from . import database_url

Gathered = dict[str, Any]


def text(item: Mapping[str, Any], content: str, reason: str) -> Gathered:
    """Return ``item`` (name, kind, what) with ``text``, or with ``why`` there is none."""
    return {**item, "text": content} if content.strip() else {**item, "why": reason}


def outputs(results: Iterable[Mapping[str, Any]]) -> list[Gathered]:
    """Return what programs wrote: the results of a loop over items with the module command."""
    return [
        text(
            result["item"],
            result.get("stdout", "") if result.get("rc") == 0 else "",
            messages.of_failure(result) if result.get("rc") != 0 else "it is empty",
        )
        for result in results
    ]


def answers(items: Iterable[Mapping[str, Any]], result: Mapping[str, Any]) -> list[Gathered]:
    """Return what PostgreSQL answered: of each query in one list, the column that ``item`` names in its first row."""
    rows = result.get("query_all_results")
    if rows is None:
        return [text(item, "", messages.of_failure(result)) for item in items]
    return [text(item, json.dumps(row[0][item["column"]]), "") for item, row in zip(items, rows, strict=True)]


def login(environment: str, otherwise: str) -> str:
    """Return the role in DATABASE_URL of an environment file; ``otherwise`` where it cannot be told."""
    try:
        return str(database_url.parse(database_url.from_environment_file(environment))["user"])
    except TenancyError:
        return otherwise
