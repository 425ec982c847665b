"""The choice of the strategy: whether the service is stopped for a plan, and why.

The ``live`` strategy needs a service that can renew its sessions while it runs. It also needs a plan whose transaction
reads or writes no large table, because callers wait for the transaction.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..catalog import state as catalog
from ..model.model import Model, Table
from ..whole import whole
from .online import ATOMIC, LIVE, ONLINE, cutover
from .statement import State, Statement

# With this value of tenancy_strategy, the run chooses the strategy.
AUTO = "auto"
# The ways to renew the sessions while the service runs, each with a clause for the report. With any other way, the
# service is stopped.
RENEWED = {
    "gunicorn": "gunicorn replaces its workers one by one",
    "reload": "systemctl reload replaces its processes",
    "command": "service_renew_command replaces its processes",
}


def choose(
    found: Sequence[Statement],
    state: State,
    model: Model,
    wanted: Mapping[str, Any],
    measured: Mapping[str, float] | None = None,
) -> dict[str, Any]:
    """Return ``strategy``, ``strategy_reason`` and ``strategy_refusals`` for the statements ``found`` of a plan.

    ``wanted`` has ``goal``, ``strategy`` (atomic, online, live or auto), ``online_rows``, ``live_rows``, ``service``
    and ``renewal``, which has way, workers and obstacle. ``wanted`` also has ``restores_login``, which is true if a
    rollback restores the service's earlier login. ``measured`` maps the ids of statements to the seconds that they took
    in a rehearsal. The reason is empty if the run changes nothing. There are refusals only if ``live`` is requested but
    impossible.
    """
    goal, asked = wanted["goal"], wanted["strategy"]
    obstacles = against_live(found, state, model, wanted, measured or {})
    is_live = asked in (AUTO, LIVE) and not obstacles
    if not found and model.replaced_role is None:
        # A run that only resumes a lost run still renews the sessions or restarts the service, so it needs a strategy.
        strategy = LIVE if is_live else _stopping(state, goal, wanted)
        return {"strategy": strategy, "strategy_reason": "", "strategy_refusals": []}
    if is_live:
        return {"strategy": LIVE, "strategy_reason": _live(wanted), "strategy_refusals": []}
    because = obstacles if asked in (AUTO, LIVE) else [f"tenancy_strategy is {asked}."]
    reason = f"{wanted['service']} is stopped: {' '.join(because)}"
    if asked != LIVE:
        return {"strategy": _stopping(state, goal, wanted), "strategy_reason": reason, "strategy_refusals": []}
    refusal = f"tenancy_strategy=live is impossible. {' '.join(obstacles)} Or use -e tenancy_strategy=auto."
    return {"strategy": LIVE, "strategy_reason": "", "strategy_refusals": [refusal]}


def _live(wanted: Mapping[str, Any]) -> str:
    renewal = wanted["renewal"]
    workers = f" ({renewal['workers']} workers)" if renewal["workers"] > 1 else ""
    # gunicorn starts a second worker before its only worker ends.
    is_alone = renewal["workers"] == 1 and renewal["way"] != "gunicorn"
    alone = " It has only one worker: callers may wait until the new one has started." if is_alone else ""
    return (
        f"{wanted['service']} is not stopped: {RENEWED[renewal['way']]}{workers}, which renews its sessions.{alone} "
        "Then callers wait for one short transaction."
    )


def _stopping(state: State, goal: str, wanted: Mapping[str, Any]) -> str:
    """Return the strategy for a run that stops the service: atomic or online.

    A rollback and enforce.yml are always atomic. A migration uses the requested strategy if it is atomic or online.
    Otherwise, the number of rows determines the strategy.
    """
    asked = wanted["strategy"]
    if goal != "migrate":
        return ATOMIC
    if asked in (ATOMIC, ONLINE):
        return str(asked)
    rows = sum(document["rows"] for document in state["tables"].values() if document["exists"])
    return ONLINE if rows > whole(wanted["online_rows"]) else ATOMIC


def against_live(
    found: Sequence[Statement], state: State, model: Model, wanted: Mapping[str, Any], measured: Mapping[str, float]
) -> list[str]:
    """Return the reasons against ``live`` as sentences, each with a remedy if there is one."""
    renewal, service = wanted["renewal"], wanted["service"]
    sentences = []
    if renewal["obstacle"]:
        sentences.append(str(renewal["obstacle"]))
    elif renewal["way"] not in RENEWED:
        sentences.append(
            f"Only a restart renews the sessions of {service}: run {service} with gunicorn, or set service_renew to "
            "reload or command."
        )
    if model.replaced_role is not None:
        sentences.append(
            f"{service} gets the login {model.application_role}, which it reads only when it starts: give {service} "
            "this login in an earlier run."
        )
    if wanted["restores_login"]:
        sentences.append(f"{service} gets its earlier login again, which it reads only when it starts.")
    limit = whole(wanted["live_rows"])
    return [
        *sentences,
        *_locked(found, state, model, limit, measured),
        *_unindexed(state, model, wanted["goal"], limit),
    ]


def _locked(
    found: Sequence[Statement], state: State, model: Model, limit: int, measured: Mapping[str, float]
) -> list[str]:
    """Return a sentence about the statements that read or write all rows of a large table while callers wait."""
    rows = {name: document.get("rows", 0) for name, document in state["tables"].items()}
    late = [item for item in cutover(found, LIVE) if item["scans"] and rows[item["table"]] > limit]
    if not late:
        return []
    # The sentence describes the statement on the largest table, and counts the others.
    item = max(late, key=lambda one: rows[one["table"]])
    table, seconds = f"{model.schema}.{item['table']} is locked", measured.get(item["id"])
    took = "" if seconds is None else f", {seconds:.1f} s in the rehearsal"
    others = ("", " So does 1 other statement.")[len(late) - 1] if len(late) < 3 else f" So do {len(late) - 1} others."
    sentence = (
        f"The transaction {item['scans']} while {table} ({rows[item['table']]:,} rows{took}), and tenancy_live_rows is "
        f"{limit:,}.{others}"
    )
    return [sentence]


def _unindexed(state: State, model: Model, goal: str, limit: int) -> list[str]:
    """Return a sentence for each large table in which no index begins with the tenant column after the change.

    Without such an index, the attempts of the proof and the check of a rollback read all rows of the table.
    """
    if model.adopted and goal not in ("migrate", "enforce"):
        return []
    return [
        f"No index of {model.schema}.{table.name} ({rows:,} rows) begins with {model.column}, so the proof reads all "
        f"rows while the table is locked, and tenancy_live_rows is {limit:,}: list such an index under indexes of the "
        "table."
        for table in catalog.tables(state, model)
        if (rows := catalog.required(state, table.name)["rows"]) > limit
        if not (model.tenant_keys(table) or table.indexes or _has_index(state, table, model))
    ]


def _has_index(state: State, table: Table, model: Model) -> bool:
    document = catalog.required(state, table.name)
    return any(
        index["valid"] and index["plain"] and index["method"] == "btree" and index["names"][:1] == [model.column]
        for index in document["indexes"]
    )
