"""Filters that expose the planner: state document in, plan, revert, findings or tables out."""

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
    """Turn the planner's errors into Ansible's, with the same sentence."""

    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except TenancyError as error:
            raise AnsibleFilterError(str(error)) from error

    return call


def tenancy_model(source: Mapping[str, Any]) -> bool:
    """Return true for a model that can be planned for; the error of any other says what is wrong with it."""
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
    """Return the ordered statements that lead from ``state`` to ``goal``: id, table, phase, sql, reason.

    ``snapshot`` is the state document to which the goal ``schema`` leads back; ``lone`` says whether the ways back are
    refused while another tenant has rows, and the migration where something would make it fail; ``url_options`` are the
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
    """Return what may stop the migration and what others notice of it, a sentence each."""
    return notes.of_plan(state, model.parse(source))


def tenancy_backfills(state: Mapping[str, Any], source: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the tables that have rows without a tenant: input of the module postgresql_backfill."""
    return backfill.items(state, model.parse(source))


def hazard_keys(source: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the keys that are to be unique per tenant: input of ``hazards.sql``."""
    return hazards.keys(model.parse(source))


def hazard_shared_keys(source: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the natural keys that several tenants may share: input of ``hazards.sql``."""
    return hazards.shared_keys(model.parse(source))


def hazard_links(source: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the foreign keys whose rows have tenants already: input of ``hazards.sql``."""
    return hazards.links(model.parse(source))


def readable_names(source: Mapping[str, Any]) -> list[str]:
    """Return the views and the tenants table, which the service may read although they are no tenant tables."""
    wanted = model.parse(source)
    names = [view.name for view in wanted.views] + ([wanted.tenants.name] if wanted.tenants is not None else [])
    return [f"{wanted.schema}.{name}" for name in names]


def with_tenants(names: Sequence[str], tenants: Mapping[str, Any] | None) -> list[str]:
    """Return the names of the tenant tables, and of the tenants table where there is one."""
    return [*names, *([tenants["table"]] if tenants else [])]


def assignment_warning(column: str, tenant: int | str | None, name: str, *, adopted: bool) -> list[str]:
    """Return what the question says becomes of existing rows; ``tenant`` is the default one, with its name."""
    if adopted:
        return [f"Every row stays its tenant's, by {column}, which is there already:"]
    return [f"WARNING: all existing data will be assigned to {column}={tenant}", f"({name}):"]


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
    """Return the findings after the revert of the policies: check, table, expected, actual, ok."""
    return revert.policies_findings(state, model.parse(source), rows_before)


def tenancy_schema_findings(
    state: Mapping[str, Any], source: Mapping[str, Any], snapshot: Mapping[str, Any], rows_before: Mapping[str, int]
) -> list[dict[str, Any]]:
    """Return the findings after the way back to the schema of ``snapshot``: check, table, expected, actual, ok.

    ``rows_before`` is empty if the rows were not counted.
    """
    return schema.findings(state, model.parse(source), snapshot, rows_before)


def tenancy_audit(
    facts: Mapping[str, list[str]], state: Mapping[str, Any], source: Mapping[str, Any], url_options: str
) -> list[dict[str, Any]]:
    """Return the ways to bypass row security: rule, severity, subject, why, remedy, cured."""
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
    """Return the SQL that raises, within the transaction of a way back, where another tenant has got rows by then."""
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
    """Return the query for when each kind of statement last needed the bridge; it takes schema and kinds."""
    return bridge_record.query()


def bridge_kinds(source: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return the kinds of statements that the bridge's record tells apart, for bridge_query."""
    return bridge_record.kinds(model.parse(source))


def bridge_tenant(state: Mapping[str, Any], source: Mapping[str, Any]) -> str | None:
    """Return the tenant that the bridge gives a login, as a session would name it; nothing while it is off."""
    return bridge.named(state, model.parse(source))


class FilterModule:
    """Filters of the collection aimemory.tenancy."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        exposed: dict[str, Callable[..., Any]] = {
            "tenancy_model": tenancy_model,
            "tenancy_plan": tenancy_plan,
            "tenancy_notes": tenancy_notes,
            "tenancy_backfills": tenancy_backfills,
            "backfill_role": backfill_login.role,
            "hazard_keys": hazard_keys,
            "hazard_links": hazard_links,
            "hazard_shared_keys": hazard_shared_keys,
            "readable_names": readable_names,
            "assignment_warning": assignment_warning,
            "with_tenants": with_tenants,
            "tenancy_transaction": tenancy_transaction,
            "tenancy_strategy": online.choose,
            "tenancy_expand": online.expand,
            "tenancy_steps": online.steps,
            "tenancy_cutover": online.cutover,
            "tenancy_findings": tenancy_findings,
            "failing": finding.failing,
            "tenancy_revert_findings": tenancy_revert_findings,
            "tenancy_schema_findings": tenancy_schema_findings,
            "tenancy_audit": tenancy_audit,
            "audit_finding": audit.as_finding,
            "audit_query": audit_query,
            "audit_statements_query": audit_statements_query,
            "isolation_proof": isolation_proof,
            "other_tenants_refused": other_tenants_refused,
            "login_becoming": login_becoming,
            "login_reaching": login_reaching,
            "login_unnamed": login_unnamed,
            "bridge_accepted": evidence.accepted,
            "bridge_evidence": evidence.judge,
            "bridge_kinds": bridge_kinds,
            "bridge_query": bridge_query,
            "bridge_unnoted": evidence.unnoted,
            "bridge_tenant": bridge_tenant,
            "session_options": sessions.options,
            "code_of_ordinary_roles": expressions.refusals,
            "own_backups": backups.own,
            "document_of_version": backups.document,
            "contents_differences": contents.differences,
            "changed_names": contents.changed_names,
            "time_ago": clock.ago,
            "run_page": page.render,
            "plan_differences": rehearsal.plan_differences,
            "rehearsal_cost": rehearsal.cost,
            "throwaway_name": throwaway.unit_name,
            "error_sentence": messages.sentence,
            "failure_sentence": messages.of_failure,
            "visible": messages.visible,
            "quote_identifier": quoting.identifier,
            "quote_literal": quoting.literal,
            "name_beside": quoting.name_beside,
        }
        return {name: _typed(function) for name, function in exposed.items()}
