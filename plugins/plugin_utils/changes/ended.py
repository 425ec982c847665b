"""The service's errors that a plan fixes, as input for the smoke test, which tolerates them before the migration."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .registry import CHANGES
from .statement import Statement


def errors(statements: Iterable[Statement], column: str, *, is_secured: bool) -> list[dict[str, Any]]:
    """Return the errors that the statements fix, in the form that ``module_utils.smoke.judged`` expects.

    Each error has codes, needle and secured. ``column`` is the name of the tenant column.

    ``is_secured`` is true if row security is enabled on any table. If it is false, the errors that only row security
    causes are omitted.
    """
    phases = {item["phase"] for item in statements}
    return [
        {"codes": list(error.codes), "needle": error.needle.format(column=column), "secured": error.secured}
        for change in CHANGES
        for error in change.ended_errors
        if error.phase in phases and (is_secured or not error.secured)
    ]
