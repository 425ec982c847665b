"""Filters for the plan, the attempts of the service's login, the bridge, backups and texts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ansible_collections.aimemory.tenancy.plugins.module_utils import (
    backups,
    contents,
    messages,
    quoting,
    rehearsal,
    sessions,
    throwaway,
)
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.catalog import expressions
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.changes import (
    backfill,
    bridge_record,
    evidence,
    login,
    online,
)
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.changes.statement import State
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.model import model
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.report import clock
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.typed import typed


def qualified_names(names: Iterable[str], schema: str) -> list[str]:
    """Return the names of relations, qualified with ``schema`` and unquoted."""
    return [f"{schema}.{name}" for name in names]


def with_tenants(names: Iterable[str], tenants: Mapping[str, Any] | None) -> list[str]:
    """Return the names of the tenant tables and, if ``tenants`` (tenancy_tenants) is set, of the tenants table."""
    return [*names, *([tenants["table"]] if tenants else [])]


def assignment_warning(column: str, tenant: int | str | None, name: str, *, adopted: bool) -> list[str]:
    """Return the lines in the prompt about existing rows.

    ``tenant`` is the default tenant, with its ``name``. ``column`` is the tenant column, and ``adopted`` is whether
    that column existed before the migration.
    """
    if adopted:
        return [f"Every row keeps its tenant, which {column} already contains:"]
    return [f"WARNING: all existing data will be assigned to {column}={tenant}", f"({name}):"]


def stop_sentence(strategy: str, service: str, may_stop: bool) -> str:
    """Return the line in the prompt about the effect on ``service`` and its callers.

    ``strategy`` and ``may_stop`` come from ``planning.result``.
    """
    if strategy == "live" and may_stop:
        return f"The service {service} renews its sessions, or is stopped if the renewal fails."
    if strategy == "live":
        return f"The service {service} is not stopped; it renews its sessions."
    return f"The service {service} is stopped during the change."


def bridge_query(_: Any = None) -> str:
    """Return the query for each statement kind's last use of the bridge. Its arguments are schema and kinds."""
    return bridge_record.query()


def tenancy_backfills(state: State, source: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the tables that have rows without a tenant, for the postgresql_backfill module."""
    return backfill.items(state, model.parse(source))


def login_reaching(state: State, source: Mapping[str, Any], writes: bool) -> list[dict[str, Any]]:
    """Return the attempts to reach rows with the service's own login. ``writes`` adds attempts that write."""
    return login.reaching(state, model.parse(source), writes)


def login_unnamed(source: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the attempt that uses the bridge with every kind of statement, to test its usage record."""
    return login.unnamed(model.parse(source))


def bridge_kinds(source: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return every kind of statement that the bridge's usage record distinguishes: table, command and sequence."""
    return bridge_record.kinds(model.parse(source))


_PLAN: Mapping[str, Callable[..., Any]] = {
    "code_of_ordinary_roles": expressions.refusals,
    "tenancy_early": online.early,
    "tenancy_expand": online.expand,
    "tenancy_steps": online.steps,
    "tenancy_cutover": online.cutover,
    "tenancy_backfills": tenancy_backfills,
}
_ATTEMPTS: Mapping[str, Callable[..., Any]] = {
    "login_becoming": login.becoming,
    "login_reaching": login_reaching,
    "login_unnamed": login_unnamed,
}
_BRIDGE: Mapping[str, Callable[..., Any]] = {
    "bridge_accepted": evidence.accepted,
    "bridge_evidence": evidence.judge,
    "bridge_kinds": bridge_kinds,
    "bridge_query": bridge_query,
    "bridge_unnoted": evidence.unnoted,
}
_BACKUPS: Mapping[str, Callable[..., Any]] = {
    "own_backups": backups.own,
    "contents_differences": contents.differences,
    "changed_names": contents.changed_names,
    "plan_differences": rehearsal.plan_differences,
    "rehearsal_cost": rehearsal.cost,
    "throwaway_name": throwaway.unit_name,
}
_TEXTS: Mapping[str, Callable[..., Any]] = {
    "time_ago": clock.ago,
    "error_sentence": messages.sentence,
    "failure_sentence": messages.of_failure,
    "visible": messages.visible,
    "session_options": sessions.options,
    "quote_identifier": quoting.identifier,
    "name_beside": quoting.name_beside,
    "qualified_names": qualified_names,
    "with_tenants": with_tenants,
    "assignment_warning": assignment_warning,
    "stop_sentence": stop_sentence,
}


class FilterModule:
    """Filters of the collection aimemory.tenancy."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        """Return the filters by name."""
        subjects = (_PLAN, _ATTEMPTS, _BRIDGE, _BACKUPS, _TEXTS)
        return {name: typed(function) for subject in subjects for name, function in subject.items()}
