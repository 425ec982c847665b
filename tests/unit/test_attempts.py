"""The outcome of an attempt that counts visible rows."""

from __future__ import annotations

import pytest

from ansible_collections.aimemory.tenancy.plugins.module_utils import attempts


class Cursor:
    """A cursor that returns one given row."""

    def __init__(self, *row: int) -> None:
        """Set the row: the counts of all rows, of newer rows and of forbidden rows."""
        self._row = row

    def execute(self, statement: str) -> None:
        """Accept any statement."""

    def fetchone(self) -> tuple[int, ...]:
        """Return the row."""
        return self._row


@pytest.mark.parametrize(
    ("visible", "row", "outcome"),
    [
        (3, (3, 0, 0), "3 rows"),
        # Since the state was read, the service has stored two rows and deleted one of the three.
        (3, (4, 2, 0), "3 rows"),
        (0, (2, 2, 0), "0 rows"),
        (3, (2, 0, 0), "2 rows"),
        (3, (5, 1, 0), "5 rows"),
        # While a long transaction is open, every row seems to be newer than the state.
        (0, (5, 5, 5), "5 rows, 5 of which the login must not see"),
        (3, (5, 5, 2), "5 rows, 2 of which the login must not see"),
        (3, (3, 3, 1), "3 rows, 1 of which the login must not see"),
    ],
)
def test_rows_that_came_since_excuse_no_row_of_others(visible: int, row: tuple[int, ...], outcome: str) -> None:
    attempt = {"visible": visible, "sql": "SELECT", "data": None}
    assert attempts.outcome(Cursor(*row), attempt) == outcome
