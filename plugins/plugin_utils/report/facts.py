"""Take the facts for the record of a run from the variables of its host."""

from __future__ import annotations

import configparser
import os
from collections.abc import Callable, Mapping
from typing import Any

from ...lookup import operator
from .. import installed
from . import versions

# The options of a run that the record may contain, because they are not secret.
ASKED = (
    "tenancy_strategy", "tenancy_provision_app_role", "tenancy_bridge", "migrate_rehearse", "migrate_on_failure",
    "migrate_break_lock", "migrate_watch_minutes", "run_batches", "rollback_mode", "restore_backup",
    "tenancy_live_otherwise_stop", "tenancy_snapshot_file",
    "backup_format", "backup_test_restore", "service_terminate_clients", "service_smoke",
)  # fmt: skip
# The inventory variables that are facts, by name of the fact.
SETTINGS = {
    "database": "database_name", "service": "service_name", "tenant": "tenancy_default_tenant_name",
    "tenant_column": "tenancy_column",
}  # fmt: skip
# The paths of facts in the results of roles, each with the default for a run that did not reach the role.
RESULTS: dict[str, tuple[str, Any]] = {
    "preflight": ("preflight_result", {}),
    "stopped_at": ("service_result.stopped_at", None),
    "healthy_at": ("service_result.healthy_at", None),
    "renewed_at": ("service_result.renewed_at", None),
    "renewed": ("service_result.renewed", None),
    "failsafe_timer": ("service_result.failsafe_timer", None),
    "replaced_database": ("restore_result.replaced", None),
    "copy": ("backup_result.copy", None),
    "rehearsal": ("rehearse_result.measured", None),
    "expanded": ("apply_expanded", {}),
    "job": ("report_job_result", {}),
    "journal": ("service_result.journal", None),
    "api": ("service_result.api", None),
    "watched": ("service_result.watched", None),
    "callers": ("service_result.callers", None),
}


def pick(variables: Mapping[str, Any], template: Callable[[Any], Any]) -> dict[str, Any]:
    """Return the facts for ``record.build`` from the variables of a host.

    ``template`` renders the value of an inventory variable. The results of roles contain no templates, and
    rendering one takes a tenth of a second, so they are not rendered.
    """

    def setting(name: str, default: Any = "") -> Any:
        return template(variables[name]) if name in variables else default

    return {
        "result": variables["report_result"],
        "kind": setting("report_run_kind"),
        "host": variables["inventory_hostname"],
        "check_mode": variables["ansible_check_mode"],
        "versions": versions.of("aimemory.tenancy"),
        "operator": operator.name(os.environ),
        "asked": {name: setting(name) for name in ASKED},
        **{fact: setting(name) for fact, name in SETTINGS.items()},
        **{fact: _result(variables, path, default) for fact, (path, default) in RESULTS.items()},
        **_of_roles(variables),
        **called(variables),
        "log": variables["report_result"]["log"],
        # Whether an earlier run migrated the database but was lost before it ended.
        "unfinished_before": "migrate_resumed" in variables,
        "failsafe_seconds": setting("service_failsafe_seconds", None),
        "service_login": {
            "switched": _result(variables, "login_result.switched", False),
            "put_back": _result(variables, "login_result.restored", None),
            "role": _result(variables, "service_result.state.database_url.user", None),
            "kept": f"{setting('service_environment_file')}.before-{setting('tenancy_app_role')}",
        },
        **_changed(*(variables.get(f"{role}_result", {}) for role in ("plan", "apply", "verify"))),
    }


def _changed(planned: Mapping[str, Any], applied: Mapping[str, Any], verified: Mapping[str, Any]) -> dict[str, Any]:
    """Return the facts from the results of the plan, apply and verify roles. A result may be empty."""
    last = verified if "state" in verified else applied if "state" in applied else planned
    return {
        "plan": planned.get("statements"),
        "strategy": planned.get("strategy"),
        "committed": applied.get("committed"),
        "undone": applied.get("undone", False),
        "proof": applied.get("proof", []),
        "durations": applied.get("durations", {}),
        "locked_seconds": applied.get("locked_seconds"),
        "written": applied.get("written"),
        "evidence": verified.get("evidence", {}).get("sentence"),
        "bridges": last.get("state", {}).get("bridges", {}),
        "findings": verified.get("findings", []),
        "audit": verified.get("audit", planned.get("audit", [])),
        "tables": {
            "before": planned.get("state_before", {}).get("tables", {}),
            "after": last.get("state", {}).get("tables", {}),
        },
    }


def _result(variables: Mapping[str, Any], path: str, default: Any) -> Any:
    """Return a part of a role's result, or ``default`` if the run did not get that far."""
    found: Any = variables
    for name in path.split("."):
        if name not in found:
            return default
        found = found[name]
    return found


def _of_roles(variables: Mapping[str, Any]) -> dict[str, Any]:
    """Return the facts that are derived from the results of roles."""
    backup, attempts = variables.get("backup_result", {}), _result(variables, "service_result.attempts.findings", [])
    return {
        "backup": backup["manifest"] if backup.get("taken") else None,
        "login": _result(variables, "login_result.findings", attempts),
        "swapped": _result(variables, "restore_result.replaced", None) is not None,
    }


def called(variables: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of ansible-playbook, for the operator's next commands.

    Only a checkout has a default inventory, which its ansible.cfg names.
    """
    settings = configparser.ConfigParser()
    if installed.is_checkout():
        settings.read(installed.ROOT / "ansible.cfg")
    return {
        "root": str(installed.working_directory()),
        "hosts": variables["ansible_play_hosts_all"],
        "limit": variables.get("ansible_limit"),
        "inventories": variables["ansible_inventory_sources"],
        "default_inventory": settings.get("defaults", "inventory", fallback=""),
    }
