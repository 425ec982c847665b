"""The facts that the record of a run is made of, picked from the variables of its host."""

from __future__ import annotations

import configparser
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from . import versions

# The root of the checkout or of the installed collection.
ROOT = Path(__file__).resolve().parents[3]
# Options of a run that hold no secret.
ASKED = (
    "tenancy_strategy", "tenancy_provision_app_role", "tenancy_bridge", "migrate_rehearse", "migrate_on_failure",
    "migrate_break_lock", "migrate_watch_minutes", "run_batches", "rollback_mode", "restore_backup",
    "tenancy_snapshot_file", "backup_format", "backup_test_restore", "service_terminate_clients", "service_smoke",
)  # fmt: skip
# Inventory variables by the name of their fact.
SETTINGS = {
    "database": "database_name", "service": "service_name", "tenant": "tenancy_default_tenant_name",
    "tenant_column": "tenancy_column",
}  # fmt: skip
# What roles return, by the name of its fact, with the value of a run that did not come to it.
RESULTS: dict[str, tuple[str, Any]] = {
    "preflight": ("preflight_result", {}),
    "stopped_at": ("service_stopped_at", None),
    "healthy_at": ("service_healthy_at", None),
    "failsafe_timer": ("service_failsafe_timer", None),
    "committed": ("tenancy_committed", None),
    "swapped": ("restore_swapped", False),
    "replaced_database": ("restore_replaced", None),
    "backup": ("backup_manifest", None),
    "copy": ("backup_copy", None),
    "rehearsal": ("tenancy_rehearsal", None),
    "strategy": ("tenancy_strategy_used", None),
    "expanded": ("tenancy_expanded", {}),
    "job": ("report_job_result", {}),
    "plan": ("tenancy_plan", None),
    "durations": ("tenancy_durations", {}),
    "proof": ("tenancy_proof", []),
    "login": ("login_findings", []),
    "audit": ("tenancy_audit", []),
    "findings": ("tenancy_findings", []),
    "journal": ("service_journal_result", None),
    "api": ("service_tried", None),
    "watched": ("service_watched", None),
    "written": ("tenancy_written", None),
}


def pick(variables: Mapping[str, Any], template: Callable[[Any], Any]) -> dict[str, Any]:
    """Return the facts that ``record.build`` takes, from the variables of a host.

    ``template`` renders the value of an inventory variable. The results of roles hold no templates: they are taken as
    they are, since to render them costs a tenth of a second each.
    """

    def setting(name: str, default: Any = "") -> Any:
        return template(variables[name]) if name in variables else default

    return {
        "result": variables["report_result"],
        "kind": setting("report_run_kind"),
        "host": variables["inventory_hostname"],
        "check_mode": variables["ansible_check_mode"],
        "versions": versions.of("aimemory.tenancy"),
        "asked": {name: setting(name) for name in ASKED},
        **{fact: setting(name) for fact, name in SETTINGS.items()},
        **{fact: variables.get(name, default) for fact, (name, default) in RESULTS.items()},
        **_called(variables),
        # Whether an earlier run was lost after it had migrated the database.
        "unfinished_before": "migrate_resumed" in variables,
        "failsafe_seconds": setting("service_failsafe_seconds", None),
        "undone": "tenancy_undone" in variables,
        "service_login": {
            "switched": "login_switched" in variables,
            "put_back": variables.get("login_put_back"),
            "role": variables.get("service_state", {}).get("database_url", {}).get("user"),
            "kept": f"{setting('service_environment_file')}.before-{setting('tenancy_app_role')}",
        },
        "evidence": variables.get("tenancy_evidence", {}).get("sentence"),
        "tables": {
            "before": variables.get("tenancy_state_before", {}).get("tables", {}),
            "after": variables.get("tenancy_state", {}).get("tables", {}),
        },
    }


def _called(variables: Mapping[str, Any]) -> dict[str, Any]:
    """Return how ansible-playbook was called, for the commands that the operator may type next."""
    settings = configparser.ConfigParser()
    settings.read(ROOT / "ansible.cfg")
    return {
        "root": str(ROOT),
        "hosts": variables["ansible_play_hosts_all"],
        "limit": variables.get("ansible_limit"),
        "inventories": variables["ansible_inventory_sources"],
        "default_inventory": settings.get("defaults", "inventory", fallback=""),
        "log": variables["report_result"]["log"],
    }
