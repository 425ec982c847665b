"""Filters that expose the planner: from the state document to plan, findings, proof and tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError

from ansible_collections.aimemory.tenancy.plugins.module_utils import (
    backfill_login,
    backups,
    contents,
    messages,
    quoting,
    rehearsal,
    sessions,
    throwaway,
)
from ansible_collections.aimemory.tenancy.plugins.module_utils.errors import TenancyError
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.audit import audit
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.catalog import expressions
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.changes import (
    backfill,
    bridge,
    bridge_record,
    enforce,
    evidence,
    finding,
    findings,
    hazards,
    login,
    online,
    plan,
    revert,
    schema,
)
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.model import model
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.proof import proof
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.report import clock, notes, page


def _typed(function: Callable[..., Any]) -> Callable[..., Any]:
    """Turn the planner's errors into Ansible's errors with the same sentence."""

    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except TenancyError as error:
            raise AnsibleFilterError(str(error)) from error

    return call


def tenancy_model(source: Mapping[str, Any]) -> bool:
    """Return true for a valid model. Raises AnsibleFilterError, with the first error of the model, for any other."""
    return bool(model.parse(source))


def tenancy_plan(
    state: Mapping[str, Any],
    source: Mapping[str, Any],
    goal: str,
    snapshot: Mapping[str, Any] | None = None,
    *,
    lone: bool = True,
    url_options: str = "",
) -> list[dict[str, Any]]:
    """Return the ordered statements from ``state`` to ``goal``: id, table, phase, sql, reason.

    ``snapshot`` is the state document that the goal ``schema`` restores. With ``lone``, a rollback is refused if
    another tenant has rows, and the migration is refused if something would make it fail. ``url_options`` are the
    options of DATABASE_URL.
    """
    if goal == "migrate":
        return plan.build(state, model.parse(source), url_options, careful=lone)
    if goal == "policies":
        return revert.policies(state, model.parse(source), lone=lone)
    if goal == "schema" and snapshot is not None:
        return schema.build(state, model.parse(source), snapshot, lone=lone)
    if goal == "enforce":
        return enforce.build(state, model.parse(source))
    raise TenancyError(f"Unknown goal {goal!r}: use migrate, enforce, policies, or schema with a snapshot.")


def tenancy_notes(state: Mapping[str, Any], source: Mapping[str, Any]) -> list[str]:
    """Return what may stop the migration and which effects others notice, a sentence for each."""
    return notes.of_plan(state, model.parse(source))


def tenancy_backfills(state: Mapping[str, Any], source: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the tables that have rows without a tenant: input of the module postgresql_backfill."""
    return backfill.items(state, model.parse(source))


def hazard_keys(source: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the keys that will be unique per tenant: input of ``hazards.sql``."""
    return hazards.keys(model.parse(source))


def tenancy_transaction(
    statements: list[dict[str, Any]],
    source: Mapping[str, Any],
    lock_timeout: str,
    seconds: float,
    *,
    checks: Sequence[str] = (),
    proof: Mapping[str, Any] | None = None,
    counted: bool = True,
) -> dict[str, Any]:
    """Return the one transaction around ``statements``, for the modules postgresql_transaction and cutover."""
    return plan.document(
        statements, model.parse(source), lock_timeout, float(seconds), checks=checks, proof=proof, counted=counted
    )


def tenancy_findings(
    state: Mapping[str, Any], source: Mapping[str, Any], rows_before: Mapping[str, int] | None = None
) -> list[dict[str, Any]]:
    """Return the findings for ``state``: check, table, expected, actual, ok."""
    return findings.collect(state, model.parse(source), rows_before)


def tenancy_revert_findings(
    state: Mapping[str, Any], source: Mapping[str, Any], rows_before: Mapping[str, int]
) -> list[dict[str, Any]]:
    """Return the findings after the rollback of the policies: check, table, expected, actual, ok."""
    return revert.policies_findings(state, model.parse(source), rows_before)


def tenancy_schema_findings(
    state: Mapping[str, Any], source: Mapping[str, Any], snapshot: Mapping[str, Any], rows_before: Mapping[str, int]
) -> list[dict[str, Any]]:
    """Return the findings after the rollback to the schema of ``snapshot``: check, table, expected, actual, ok.

    ``rows_before`` is empty if the rows were not counted.
    """
    return schema.findings(state, model.parse(source), snapshot, rows_before)


def tenancy_audit(
    facts: Mapping[str, list[str]], state: Mapping[str, Any], source: Mapping[str, Any], url_options: str
) -> list[dict[str, Any]]:
    """Return the ways to bypass row security: rule, severity, subject, why, remedy, fixed_by_plan."""
    return audit.collect(facts, state, model.parse(source), url_options)


def audit_query(_: Any = None) -> str:
    """Return the query of the audit's rules that read the catalogs."""
    return audit.query()


def audit_statements_query(_: Any = None) -> str:
    """Return the block of the audit's rules that read the service's statements."""
    return audit.statements_query()


def isolation_proof(
    state: Mapping[str, Any],
    source: Mapping[str, Any],
    max_rows: int,
    seconds: float,
    url_options: str = "",
) -> dict[str, Any]:
    """Return the isolation proof for ``tenancy_transaction``."""
    return proof.document(state, model.parse(source), max_rows, float(seconds), url_options)


def other_tenants_refused(state: Mapping[str, Any], source: Mapping[str, Any]) -> list[str]:
    """Return SQL that fails a rollback's transaction if another tenant has rows by then."""
    return revert.refuse_other_tenants(state, model.parse(source))


def login_becoming(role: str, bypassing: list[str]) -> list[dict[str, Any]]:
    """Return the attempts of a login to become another role: input of the module postgresql_attempts."""
    return login.becoming(role, bypassing)


def login_reaching(state: Mapping[str, Any], source: Mapping[str, Any], writes: bool) -> list[dict[str, Any]]:
    """Return the attempts of a login to reach rows by COPY and without a tenant, for postgresql_attempts."""
    return login.reaching(state, model.parse(source), writes)


def login_unnamed(source: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the attempt that uses the bridge, for postgresql_attempts."""
    return login.unnamed(model.parse(source))


def bridge_query(_: Any = None) -> str:
    """Return the query for the last use of the bridge by each kind of statement; it takes schema and kinds."""
    return bridge_record.query()


def bridge_kinds(source: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return the kinds of statements that the bridge's record distinguishes, for bridge_query."""
    return bridge_record.kinds(model.parse(source))


def bridge_tenant(state: Mapping[str, Any], source: Mapping[str, Any]) -> str | None:
    """Return the tenant that the bridge gives a login, as a session would name it, or None if it is off."""
    return bridge.named(state, model.parse(source))


_PLAN: Mapping[str, Callable[..., Any]] = {
    "tenancy_model": tenancy_model,
    "tenancy_plan": tenancy_plan,
    "tenancy_notes": tenancy_notes,
    "hazard_keys": hazard_keys,
    "code_of_ordinary_roles": expressions.refusals,
    "tenancy_transaction": tenancy_transaction,
    "other_tenants_refused": other_tenants_refused,
    "tenancy_strategy": online.choose,
    "tenancy_expand": online.expand,
    "tenancy_steps": online.steps,
    "tenancy_cutover": online.cutover,
    "tenancy_backfills": tenancy_backfills,
    "backfill_role": backfill_login.role,
}
_FINDINGS: Mapping[str, Callable[..., Any]] = {
    "tenancy_findings": tenancy_findings,
    "tenancy_revert_findings": tenancy_revert_findings,
    "tenancy_schema_findings": tenancy_schema_findings,
    "failing": finding.failing,
    "tenancy_audit": tenancy_audit,
    "audit_finding": audit.as_finding,
    "audit_query": audit_query,
    "audit_statements_query": audit_statements_query,
}
_ATTEMPTS: Mapping[str, Callable[..., Any]] = {
    "isolation_proof": isolation_proof,
    "login_becoming": login_becoming,
    "login_reaching": login_reaching,
    "login_unnamed": login_unnamed,
}
_BRIDGE: Mapping[str, Callable[..., Any]] = {
    "bridge_accepted": evidence.accepted,
    "bridge_evidence": evidence.judge,
    "bridge_kinds": bridge_kinds,
    "bridge_query": bridge_query,
    "bridge_unnoted": evidence.unnoted,
    "bridge_tenant": bridge_tenant,
}
_BACKUPS: Mapping[str, Callable[..., Any]] = {
    "own_backups": backups.own,
    "document_of_version": backups.document,
    "contents_differences": contents.differences,
    "changed_names": contents.changed_names,
    "plan_differences": rehearsal.plan_differences,
    "rehearsal_cost": rehearsal.cost,
    "throwaway_name": throwaway.unit_name,
}
_TEXTS: Mapping[str, Callable[..., Any]] = {
    "time_ago": clock.ago,
    "run_page": page.render,
    "error_sentence": messages.sentence,
    "failure_sentence": messages.of_failure,
    "visible": messages.visible,
    "session_options": sessions.options,
    "quote_identifier": quoting.identifier,
    "quote_literal": quoting.literal,
    "name_beside": quoting.name_beside,
}


class FilterModule:
    """Filters of the collection aimemory.tenancy."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        subjects = (_PLAN, _FINDINGS, _ATTEMPTS, _BRIDGE, _BACKUPS, _TEXTS)
        return {name: _typed(function) for subject in subjects for name, function in subject.items()}
