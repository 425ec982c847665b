"""Shared fixtures: the state of an unmigrated database, and the model."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from ansible_collections.aimemory.tenancy.plugins.plugin_utils.model import model
from production import model_source
from simulator import index_entry

# Disable Hypothesis's time limits, because correct tests may exceed them on a busy machine.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


RIGHTS = dict.fromkeys(("SELECT", "INSERT", "UPDATE", "DELETE"), True)


def no_hazards() -> dict[str, Any]:
    """Return the result of hazards.sql for a database without hazards."""
    names = (
        "settings", "event_triggers", "publications", "subscriptions", "prepared", "building", "duplicates",
        "relations", "links", "shared", "meanings", "routines", "names", "constraints", "row_types", "unvalidated",
        "service_roles", "other_roles",
    )  # fmt: skip
    return {name: [] for name in names} | {"backfill_login": False, "records_statements": True}


TYPE: dict[str, Any] = {
    "kind": "base",
    "name": "text",
    "of": None,
    "not_null": False,
    "labels": None,
    "attributes": None,
    "checks": [],
}


def attribute(name: str, type_name: str = "text", **more: Any) -> dict[str, Any]:
    """Return the result of state.sql for a column, which is nullable by default."""
    plain = {"not_null": False, "has_default": False, "default": None, "generated": False}
    return {"name": name, "type": type_name, "formatted": type_name, **plain, **more}


def blank_state(rows: int = 3) -> dict[str, Any]:
    """Return the state document of an unmigrated database."""
    columns = {
        "memories": ["id", "user_id", "type", "k", "created_at"],
        "call_summaries": ["id", "call_id", "user_id", "call_date", "summary", "created_at"],
        "caller_profiles": ["id", "user_id", "updated_at"],
        "personality_metrics": ["id", "user_id", "call_id", "openness", "created_at"],
        "personality_averages": ["user_id", "last_updated"],
    }
    keys = {"call_summaries": "call_id", "caller_profiles": "user_id"}

    def table(name: str) -> dict[str, Any]:
        key = ["user_id"] if name == "personality_averages" else ["id"]
        indexes = [index_entry(f"{name}_pkey", key, unique=True, constraint="p")]
        if name in keys:
            indexes.append(index_entry(f"{name}_{keys[name]}_key", [keys[name]], unique=True, constraint="u"))
        return {
            "exists": True, "kind": "r", "partition_key": None,
            "owner": "alice", "rows": rows, "columns": columns[name], "column": None,
            "rls": {"enabled": False, "forced": False}, "policies": [], "indexes": indexes, "triggers": [],
            "attributes": [attribute(column) for column in columns[name]], "checks": [], "lookups": [], "bounds": None,
            "rights": dict(RIGHTS),
            "views": [], "excess_privileges": ["REFERENCES", "TRUNCATE"], "granted_excess": ["REFERENCES", "TRUNCATE"],
        }  # fmt: skip

    return {
        "database": "ai_memory", "server_version": "17.0", "server_version_num": 170000,
        "qualified": True, "snapshot_xmin": 1000, "gist_types": [], "tenant_keys": [],
        "tables": {name: table(name) for name in columns},
        "types": {"text": TYPE}, "functions": [], "bridges": {}, "hazards": no_hazards(),
        "code": {"types": [], "functions": [], "operators": [], "casts": [], "converted": []},
        "bridge_watch": {"exists": False, "used_at": None, "sequences": {}, "strays": []},
        "application_role": {"name": "alice", "superuser": False, "bypassrls": False, "bypassing_memberships": []},
    }  # fmt: skip


@pytest.fixture
def wanted() -> model.Model:
    """Return the parsed model."""
    return model.parse(model_source())
