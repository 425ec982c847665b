"""The parts of a plan: the online steps, the early statements, and the transaction of the cutover.

The ``atomic`` strategy makes the change in one transaction while the service is stopped. The ``online`` strategy makes
most of the change before the stop, in steps that do not block other sessions for long. The ``live`` strategy does not
stop the service. After the online steps, the run commits the early statements: the bridge, and the sequences and the
function of its usage record. Then the run renews the service's sessions, and the transaction follows.

An index is built CONCURRENTLY. After VALIDATE CONSTRAINT for a CHECK, SET NOT NULL does not scan the rows under its
lock (PostgreSQL manual, "ALTER TABLE"). The other changes are short for a table of any size, and remain in one
transaction: keys, functions, policies and row security.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...module_utils.errors import TenancyError
from ...module_utils.quoting import identifier
from .statement import Statement, step

Step = dict[str, Any]
# The phase of the backfill. With every strategy, a separate login runs it before the transaction (see backfill.py).
BACKFILL = "backfill"


ATOMIC, ONLINE, LIVE = "atomic", "online", "live"


def is_expanding(strategy: str) -> bool:
    """Return whether online steps run before the transaction. Raises TenancyError for an unknown strategy."""
    if strategy not in (ATOMIC, ONLINE, LIVE):
        raise TenancyError(f"Unknown strategy {strategy!r}: use {ATOMIC}, {ONLINE} or {LIVE}.")
    return strategy != ATOMIC


def expand(statements: Sequence[Statement], strategy: str) -> list[Statement]:
    """Return the statements that run in online steps. With the ``atomic`` strategy, none do."""
    return [item for item in statements if is_expanding(strategy) and item["online"]]


def early(statements: Sequence[Statement], strategy: str) -> list[Statement]:
    """Return the statements that are committed before the service's sessions are renewed. Only ``live`` has any.

    They set the bridge for new sessions, and create the sequences and the function of its usage record. Without
    policies, none of these has an effect. Therefore sessions with the old setting and sessions with the new setting
    behave alike until the transaction. Callers do not wait for the early statements.
    """
    return [item for item in statements if is_expanding(strategy) and strategy == LIVE and item["early"]]


def steps(statements: Sequence[Statement]) -> list[Step]:
    """Return the steps that run while the service runs. Each has the ``id`` of its statement, ``sql`` and
    ``patient``."""
    return [{"id": item["id"], **part} for item in statements for part in item["online"]]


def cutover(statements: Sequence[Statement], strategy: str) -> list[Statement]:
    """Return the statements of the transaction, without the backfill. With ``live``, the service keeps running during
    the transaction."""
    before = [*expand(statements, strategy), *early(statements, strategy)]
    return [item for item in statements if item["phase"] != BACKFILL and item not in before]


def concurrently(sql: str) -> list[Step]:
    """Return the step that builds or drops an index without blocking writers."""
    for words in ("CREATE INDEX ", "CREATE UNIQUE INDEX ", "DROP INDEX "):
        if sql.startswith(words):
            return [step(f"{words}CONCURRENTLY {sql[len(words) :]}", patient=True)]
    raise ValueError(f"{sql!r} neither builds nor drops an index")


def not_null(target: str, column: str, check: str) -> list[Step]:
    """Return the steps that make a column NOT NULL. They check the rows without an exclusive lock, so other sessions
    can write."""
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
