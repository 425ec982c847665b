"""Build the attempts of the proof from their parts, and name their allowed outcomes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ..model.model import Table, View

Attempt = dict[str, Any]
Outcomes = tuple[str, ...]
# The parts of an attempt: identity, sentence, statement and allowed outcomes.
Row = tuple[str, str, str, Outcomes]
# A needed privilege: the table, the privilege and the columns. Without columns, the privilege on any column is enough.
Need = tuple[Table, str, Sequence[str]]

# Outcomes, in the format of module_utils/outcomes.py. For error codes, see the PostgreSQL manual, appendix A.
NOTHING, ONE = ("0 rows",), ("1 rows",)
REFUSED, POINTS_NOWHERE, IS_THERE = ("error 42501",), ("error 23503",), ("error 23505",)
NOTHING_OR_REFUSED = (*NOTHING, *REFUSED)
NO_PARTITION: Outcomes = ("error 23514",)
REFUSED_WITHOUT_TENANT = (*REFUSED, "error 23502")
# Attempts use the search path of the service's login, in which an unqualified operator might not be the built-in one.
EQUAL = "OPERATOR(pg_catalog.=)"
# A condition that every row meets. Extensions such as safeupdate refuse an UPDATE or DELETE without a condition.
EVERY = " WHERE true"


def made(table: Table | View, tenant: str | None, found: Iterable[Row], *, keep: bool = False) -> list[Attempt]:
    """Return the attempts of a tenant on a table or view, built from the parts in ``found``.

    If ``tenant`` is None, the session resets the tenant setting. ``keep`` is whether later attempts see the stored
    rows.
    """
    return [
        {
            "id": f"{table.name}.{identity}", "table": table.name, "sentence": sentence,
            "tenant": tenant, "sql": sql, "expected": list(expected), "keep": keep,
        }
        for identity, sentence, sql, expected in found
    ]  # fmt: skip
