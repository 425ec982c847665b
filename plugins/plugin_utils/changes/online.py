"""The part of a plan that runs while the service works, in steps that do not block other sessions for long.

An index is built CONCURRENTLY. After VALIDATE CONSTRAINT for a CHECK, SET NOT NULL does not scan the rows under its
lock (PostgreSQL manual, "ALTER TABLE"). The other changes are short for a table of any size, and remain in one
transaction: keys, functions, policies and row security.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...module_utils.quoting import identifier
from .statement import Statement, step

Step = dict[str, Any]
# The phase of the backfill, which a separate login runs before the transaction with both strategies (see backfill.py).
BACKFILL = "backfill"


def expand(statements: Sequence[Statement], strategy: str) -> list[Statement]:
    """Return the statements that run while the service works. With the strategy ``atomic``, none do."""
    return [item for item in statements if item["online"]] if strategy == "online" else []


def steps(statements: Sequence[Statement]) -> list[Step]:
    """Return the steps that run while the service works, each with the id of its statement, sql and patient."""
    return [{"id": item["id"], **part} for item in statements for part in item["online"]]


def cutover(statements: Sequence[Statement], strategy: str) -> list[Statement]:
    """Return the statements of the transaction that runs while the service is stopped, without the backfill."""
    return [item for item in statements if item["phase"] != BACKFILL and (strategy != "online" or not item["online"])]


def choose(tables: Mapping[str, Mapping[str, Any]], strategy: str, rows: int) -> str:
    """Return ``strategy``. For ``auto``, return ``online`` if the tables of a state have more than ``rows`` rows in
    total, or else ``atomic``."""
    if strategy != "auto":
        return strategy
    return "online" if sum(document["rows"] for document in tables.values() if document["exists"]) > rows else "atomic"


def concurrently(sql: str) -> list[Step]:
    """Return the step that builds or drops an index without blocking writers."""
    for words in ("CREATE INDEX ", "CREATE UNIQUE INDEX ", "DROP INDEX "):
        if sql.startswith(words):
            return [step(f"{words}CONCURRENTLY {sql[len(words) :]}", patient=True)]
    raise ValueError(f"{sql!r} neither builds nor drops an index")


def not_null(target: str, column: str, check: str) -> list[Step]:
    """Return the steps that make a column NOT NULL. They check the rows while other sessions can write, not under the
    lock."""
    name, check = identifier(column), identifier(check)
    return [
        step(
            f"ALTER TABLE {target} DROP CONSTRAINT IF EXISTS {check}, "
            f"ADD CONSTRAINT {check} CHECK ({name} IS NOT NULL) NOT VALID"
        ),
        step(f"ALTER TABLE {target} VALIDATE CONSTRAINT {check}"),
        # PostgreSQL runs several statements in one message as one transaction.
        step(f"ALTER TABLE {target} ALTER COLUMN {name} SET NOT NULL; ALTER TABLE {target} DROP CONSTRAINT {check}"),
    ]
