"""Write sentences about the open transactions that a run must wait for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Transactions = Sequence[Mapping[str, Any]]


def refusals(found: Transactions, wanted: Mapping[str, Any]) -> list[str]:
    """Return a sentence about the prepared transactions that stop a run. PostgreSQL itself never ends them.

    ``found`` contains the transactions from the other_clients module. ``wanted`` contains database and strategy. The
    online steps wait for every prepared transaction. LOCK TABLE waits only for those with locks on the tables.
    """
    prepared = [item for item in found if _stops(item, wanted)]
    if not prepared:
        return []
    named = "; ".join(item["sentence"] for item in prepared)
    sentence = (
        f"The run would wait for transactions in {wanted['database']} that only COMMIT PREPARED or ROLLBACK PREPARED "
        f"can end: {named}. End them first."
    )
    return [sentence]


def notes(found: Transactions, wanted: Mapping[str, Any]) -> list[str]:
    """Return a sentence about each open transaction that does not stop the run, but may delay it.

    ``found`` and ``wanted`` are as in ``refusals``.
    """
    return [
        f"{item['sentence'][:1].upper()}{item['sentence'][1:]}: {_effect(item)}."
        for item in found
        if not _stops(item, wanted) and (item["locks"] or wanted["strategy"] != "atomic")
    ]


def _stops(item: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    return item["kind"] == "prepared" and bool(item["locks"] or wanted["strategy"] != "atomic")


def _effect(item: Mapping[str, Any]) -> str:
    if item["locks"]:
        return "the change waits for its locks, and fails if the transaction does not end in time"
    return "no index is built while this transaction is open"
