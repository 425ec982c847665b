"""Filters that derive the result of a phase, or its input for the server, from the results of earlier phases."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible_collections.aimemory.tenancy.plugins.module_utils import backups
from ansible_collections.aimemory.tenancy.plugins.module_utils.errors import TenancyError
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.audit import audit
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.catalog import state as catalog
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.changes import (
    ended,
    finding,
    findings,
    online,
    planning,
    releases,
)
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.changes import (
    schema as schemas,
)
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.model import model
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.report import audited, planned, verified
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.typed import typed

Document = Mapping[str, Any]
Findings = Sequence[dict[str, Any]]


def plan_result(
    inspected: Document, source: Document, wanted: Document, snapshot: Document | None = None
) -> dict[str, Any]:
    """Return the result of the plan role and the ``lines`` that show the plan: see ``planning.result``.

    ``wanted`` is as in ``planning.result``, and also contains ``service`` and ``verbose``.
    """
    made = model.parse(source)
    found = planning.result(inspected, made, wanted, snapshot)
    return {**found, "lines": planned.lines(found, made, wanted["service"], verbose=wanted["verbose"])}


def plan_statements(
    state: Document,
    source: Document,
    goal: str,
    snapshot: Document | None = None,
    url_options: str = "",
    careful: bool = True,
) -> list[dict[str, Any]]:
    """Return the ordered statements that change ``state`` into ``goal``: see ``planning.statements``.

    ``url_options`` is the options parameter of DATABASE_URL. With ``careful``, a rollback is refused if a tenant other
    than the default tenant has rows, and a migration is refused if it cannot succeed.
    """
    return planning.statements(state, model.parse(source), goal, snapshot, url_options, careful=careful)


def plan_rehearsed(made: Document, source: Document, wanted: Document, measured: Document) -> dict[str, Any]:
    """Return the strategy after a rehearsal, with its reason and refusals: see ``planning.rehearsed``.

    ``made`` is the plan role's result for ``wanted``. ``measured`` contains the durations that the rehearsal measured.
    """
    return planning.rehearsed(made, model.parse(source), wanted, measured)


def plan_transaction(found: Findings, state: Document, source: Document, wanted: Document) -> dict[str, Any]:
    """Return the transaction for the statements in ``found``: see ``planning.transaction``.

    ``wanted`` contains goal, strategy and limits.
    """
    return planning.transaction(found, state, model.parse(source), wanted)


def is_committed(failed: Document, is_known: bool, left: Findings, planned: Findings) -> bool:
    """Return whether the change of a failed run was committed.

    ``is_known`` is whether an earlier call committed the change. ``failed`` is Ansible's result of the failed task. A
    result of the cutover module contains ``committed``, unless the module does not know. If the module does not know,
    or its call was lost, the database decides. A difference between the remaining statements (``left``) and all
    statements (``planned``) then shows that the change was committed.
    """
    committed = failed.get("committed")
    if is_known or committed is not None:
        return is_known or bool(committed)
    return list(left) != list(planned)


def verify_result(
    inspected: Document, source: Document, rows_before: Mapping[str, int] | None, attempts: Mapping[str, Findings]
) -> dict[str, Any]:
    """Return the result of the verify role: state, audit, ``findings``, ``failing`` and ``lines``.

    ``attempts`` contains the findings of the attempts, by the login that made them. ``failing`` contains the findings
    that do not hold.
    """
    made, state = model.parse(source), inspected["state"]
    found = [*findings.collect(state, made, rows_before), audit.as_finding(inspected["audit"])]
    found += [item for tried in attempts.values() for item in tried]
    said = [*audited.lines(inspected["audit"], has_plan=False), "", *verified.lines(state, made, found, attempts)]
    return {**inspected, "findings": found, "failing": finding.failing(found), "lines": said}


def rollback_result(
    inspected: Document, source: Document, goal: str, snapshot: Document | None, rows_before: Mapping[str, int]
) -> dict[str, Any]:
    """Return the result of the verify role after a rollback: state, audit, findings, failing and lines.

    ``goal`` is the goal of the plan, such as policies.
    """
    made, state = model.parse(source), inspected["state"]
    found = planning.rolled_back(state, made, goal, snapshot, rows_before)
    said = verified.lines(state, made, found, {})
    return {**inspected, "findings": found, "failing": finding.failing(found), "lines": said}


def schema_differences(
    state: Document, source: Document, snapshot: Document, rows_before: Mapping[str, int]
) -> list[str]:
    """Return the differences between ``snapshot`` and the database after a rollback."""
    found = schemas.findings(state, model.parse(source), snapshot, rows_before)
    return [item["check"] for item in found if not item["ok"]]


def snapshots_since(paths: Sequence[str]) -> list[str]:
    """Return the ``paths`` from the newest snapshot of an unmigrated database onwards, oldest first.

    A path that ends in -partly.json names a snapshot of a migrated or partly migrated database. If there are only such
    paths, return the newest one.
    """
    complete = [place for place, path in enumerate(paths) if not path.endswith("-partly.json")]
    return list(paths[complete[-1] :] if complete else paths[-1:])


def combined_snapshot(files: Sequence[Mapping[str, str]], source: Document) -> dict[str, Any]:
    """Return the oldest snapshot in ``files``, with its state updated from the later snapshots.

    ``files`` contains at least one result of slurp, oldest first. In the result, ``unreadable`` contains a sentence for
    each file with an unknown format. If it is not empty, the result has no other key.
    """
    texts = {file["source"]: _text(file["content"]) for file in files}
    unreadable = [sentence for path, text in texts.items() if (sentence := backups.unreadable(path, text, 1))]
    if unreadable:
        return {"unreadable": unreadable}
    documents = [backups.document(text, 1) for text in texts.values()]
    state = releases.combined([document["state"] for document in documents], model.parse(source))
    return {**documents[0], "state": state, "source": files[0]["source"], "unreadable": []}


def _text(content: str) -> str:
    return base64.b64decode(content).decode(errors="replace")


def rows_by_table(state: Document) -> dict[str, int]:
    """Return the number of rows in each tenant table that exists."""
    return {name: document["rows"] for name, document in state["tables"].items() if document["exists"]}


def rows_to_compare(state: Document, source: Document) -> dict[str, Any]:
    """Return the number of rows in each tenant table that exists.

    For an adopted tenant column, the value is the number of rows of each tenant instead.
    """
    adopted = {table.name for table in model.parse(source).tables} if source.get("column_adopted") else set()
    return {
        name: document["column"]["tenants"] if name in adopted and document["column"] else document["rows"]
        for name, document in state["tables"].items()
        if document["exists"]
    }


def model_errors(source: Document) -> list[str]:
    """Return a list with the first error in a model, or an empty list if the model is valid."""
    try:
        model.parse(source)
    except TenancyError as error:
        return [str(error)]
    return []


def rewritten_tables(found: Findings, state: Document, source: Document) -> list[str]:
    """Return the tables and partitions, as schema.name, in which the statements in ``found`` assign a tenant."""
    made = model.parse(source)
    filled = {item["table"] for item in found if item["phase"] in (online.BACKFILL, "tenant")}
    return [
        f"{holder.schema}.{holder.name}"
        for table in made.tables
        if table.name in filled
        for holder in catalog.holders(state, made, table)
    ]


def ended_errors(found: Findings, column: str, is_secured: bool) -> list[dict[str, Any]]:
    """Return the errors of the service that the statements in ``found`` fix: see ``ended.errors``.

    ``column`` is the tenant column. ``is_secured`` is whether row security is enabled on any table.
    """
    return ended.errors(found, column, is_secured=is_secured)


FILTERS: dict[str, Callable[..., Any]] = {
    "plan_result": plan_result,
    "plan_statements": plan_statements,
    "plan_rehearsed": plan_rehearsed,
    "is_committed": is_committed,
    "plan_transaction": plan_transaction,
    "verify_result": verify_result,
    "rollback_result": rollback_result,
    "schema_differences": schema_differences,
    "snapshots_since": snapshots_since,
    "combined_snapshot": combined_snapshot,
    "rows_by_table": rows_by_table,
    "rows_to_compare": rows_to_compare,
    "model_errors": model_errors,
    "rewritten_tables": rewritten_tables,
    "ended_errors": ended_errors,
}


class FilterModule:
    """Filters of the collection aimemory.tenancy."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        return {name: typed(function) for name, function in FILTERS.items()}
