"""The plan for the goal of a run, and the single transaction around its statements."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...module_utils.errors import TenancyError
from ..audit import audit
from ..model.model import Model
from ..proof import proof
from ..whole import whole
from . import backfill, enforce, online, plan, revert, schema, strategy
from .finding import Finding
from .statement import State, Statement

# For these goals, the isolation proof shows which rows the service's role can reach.
ISOLATING = ("migrate", "enforce")
# The number of rows that the proof reads from each table while callers wait for it.
LIVE_PROBED = 10


def statements(
    state: State, model: Model, goal: str, snapshot: State | None = None, url_options: str = "", *, careful: bool = True
) -> list[Statement]:
    """Return the ordered statements that reach ``goal`` from ``state``.

    ``snapshot`` is the state that the ``schema`` goal restores. ``url_options`` is the options parameter of
    DATABASE_URL. With ``careful``, a rollback is refused if another tenant has rows, and a migration is refused if it
    would fail. Raises TenancyError for obstacles and for an unknown goal.
    """
    if goal == "migrate":
        return plan.build(state, model, url_options, careful=careful)
    if goal == "policies":
        return revert.policies(state, model, lone=careful)
    if goal == "schema" and snapshot is not None:
        return schema.build(state, model, snapshot, lone=careful)
    if goal == "enforce":
        return enforce.build(state, model)
    raise TenancyError(f"Unknown goal {goal!r}: use migrate, enforce, policies, or schema with a snapshot.")


def result(
    inspected: Mapping[str, Any], model: Model, wanted: Mapping[str, Any], snapshot: State | None
) -> dict[str, Any]:
    """Return the result of the plan role, except ``lines``, its report for the terminal.

    ``inspected`` has ``state`` and ``audit``. ``wanted`` has ``goal``, ``url_options``, and the values that
    ``strategy.choose`` needs. ``wanted`` also has ``lost_run``, which is true if an earlier run ended without releasing
    its lock. ``otherwise_stop`` is true if a live run may stop the service when its sessions cannot be renewed.

    The result has ``state``, ``audit``, ``goal``, ``statements``, ``strategy`` (atomic, online or live),
    ``strategy_reason``, ``may_stop``, ``backfilling``, ``refusals`` and the ``snapshot`` of a rollback.
    ``state_before`` keeps its value when ``state`` is read again. ``needed`` is true if the run must change
    anything, and ``resumes`` is true if it continues a lost run. Raises TenancyError if the goal cannot be reached.
    """
    state, goal = inspected["state"], wanted["goal"]
    found = statements(state, model, goal, snapshot, wanted["url_options"])
    is_migration, is_needed = goal == "migrate", bool(found) or model.replaced_role is not None
    has_backfill = state["hazards"]["backfill_login"] or backfill.items(state, model)
    choice = strategy.choose(found, state, model, wanted)
    return {
        "goal": goal,
        "state_before": state,
        "state": state,
        "audit": inspected["audit"],
        "statements": found,
        "strategy": choice["strategy"],
        "strategy_reason": choice["strategy_reason"],
        "may_stop": choice["strategy"] != online.LIVE or wanted["otherwise_stop"],
        "backfilling": bool(is_migration and has_backfill),
        "needed": is_needed,
        "resumes": bool(is_migration and not is_needed and wanted["lost_run"]),
        "refusals": choice["strategy_refusals"] + (refusals(inspected["audit"]) if is_migration else []),
        "snapshot": snapshot,
    }


def rehearsed(
    plan_made: Mapping[str, Any], model: Model, wanted: Mapping[str, Any], measured: Mapping[str, Any]
) -> dict[str, Any]:
    """Return ``strategy``, ``strategy_reason`` and ``refusals`` of a plan after its rehearsal.

    ``plan_made`` is the result of the plan role. ``wanted`` also has ``max_downtime`` in seconds. ``measured`` has
    ``locked_seconds``, and ``durations``, which maps the ids of statements to the seconds that they took. With the
    ``live`` strategy, the operator has confirmed a run that does not stop the service. Therefore a transaction that
    takes too long results in a refusal.
    """
    chosen, found = str(plan_made["strategy"]), plan_made["statements"]
    reason = strategy.choose(found, plan_made["state"], model, wanted, measured["durations"])["strategy_reason"]
    seconds, limit = float(measured["locked_seconds"]), float(wanted["max_downtime"])
    refused = list[str]()
    if seconds > limit and chosen == online.LIVE:
        slowest = max(measured["durations"].items(), key=lambda item: item[1], default=("the proof", 0.0))
        sentence = (
            f"In the rehearsal, the transaction locked the tables for {seconds:.1f} s ({slowest[0]} took "
            f"{slowest[1]:.1f} s). Callers would wait longer than tenancy_max_downtime, which is {limit:g} s: use -e "
            "tenancy_strategy=online, which stops the service."
        )
        refused.append(sentence)
    elif seconds > limit and wanted["strategy"] == strategy.AUTO:
        chosen = online.ONLINE
    return {"strategy": chosen, "strategy_reason": reason, "refusals": refused}


def refusals(entries: Sequence[dict[str, Any]]) -> list[str]:
    """Return a refusal if a bypass of row security would remain after the migration."""
    left = audit.as_finding([entry for entry in entries if not entry["fixed_by_plan"]])["actual"]
    if not left:
        return []
    ways = "; ".join(left)
    return [f"The migration would leave bypasses of row security: {ways}. The audit above lists reasons and remedies."]


def transaction(found: Sequence[Statement], state: State, model: Model, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Return the single transaction around the statements, for the postgresql_transaction and cutover modules.

    ``wanted`` has ``goal``, ``strategy``, ``lock_timeout`` in PostgreSQL's units, ``url_options``, and the limits
    ``seconds`` for the transaction and ``proof_seconds`` for the proof. In a table with more than ``proof_rows`` rows,
    the proof uses only some rows. ``counted`` is true if the rows are counted beforehand. ``careful`` is true if a
    rollback is refused when another tenant has rows. ``patience`` is the number of seconds for which the transaction is
    retried if a lock is not free.

    With the ``live`` strategy, callers wait for the whole transaction. Therefore it counts no rows, and the proof uses
    only some rows of every table.
    """
    is_isolating, is_live = wanted["goal"] in ISOLATING, wanted["strategy"] == online.LIVE
    made, checks = None, []
    if is_isolating:
        rows, probed = (0, LIVE_PROBED) if is_live else (whole(wanted["proof_rows"]), proof.PROBED)
        seconds, options = float(wanted["proof_seconds"]), wanted["url_options"]
        made = proof.document(state, model, rows, seconds, options, probed=probed)
    elif wanted["careful"]:
        # A rollback needs no proof, but rows of another tenant may have been stored after the plan was made.
        checks = revert.refuse_other_tenants(state, model)
    return plan.document(
        found, model, wanted["lock_timeout"], float(wanted["seconds"]), checks=checks, proof=made,
        counted=wanted["counted"] and not is_live, patience=float(wanted["patience"]),
        lacking=plan.lacking(state, model), live=is_live,
    )  # fmt: skip


def rolled_back(
    state: State, model: Model, goal: str, snapshot: State | None, rows_before: Mapping[str, int]
) -> list[Finding]:
    """Return the findings after a rollback. Its ``goal`` is policies or schema."""
    if goal == "schema" and snapshot is not None:
        return schema.findings(state, model, snapshot, rows_before)
    return revert.policies_findings(state, model, rows_before)
