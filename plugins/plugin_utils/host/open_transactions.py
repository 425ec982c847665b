"""Sentences about open transactions, for which the run would have to wait."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Transactions = Sequence[Mapping[str, Any]]


def refusals(found: Transactions, wanted: Mapping[str, Any]) -> list[str]:
    """Return why prepared transactions, which PostgreSQL never ends, stop a run.

    ``found`` are the transactions from the other_clients module. ``wanted`` has database and strategy. The online steps
    wait for any prepared transaction, and LOCK TABLE waits for one with locks on the tables.
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
    """Return a sentence about each other open transaction, which may end before the run needs its locks.

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
