"""The service uses INSERT … ON CONFLICT with the columns of a key to which the migration adds the tenant column."""

from __future__ import annotations

from .. import upserts
from ..rule import ERROR, Inspected, Rule, ServiceStatement


def _fixed_by_plan(inspected: Inspected) -> list[str]:
    """Return every tenant table if the model has no bridge, and no table otherwise.

    Without the bridge, the current release sets the tenant. The statements that the rule finds are then assumed to come
    from an earlier release.
    """
    return [] if inspected.model.bridge else [table.name for table in inspected.model.tables]


RULE = Rule(
    severity=ERROR,
    why="After the migration, no unique key has exactly these columns, and the statement fails (42P10).",
    remedy=(
        "First deploy a release that names the key (ON CONFLICT ON CONSTRAINT), which works before and after the"
        " migration. Alternatively, deploy a release that uses the tenant column, and set tenancy_bridge: false."
    ),
    service_statement=rf"""
-- The rule on-conflict-function covers the bodies of functions.
query !~* '^\s*create\M' AND EXISTS (
  SELECT FROM jsonb_to_recordset(input -> 'natural_keys') AS n ("table" text, columns text[])
  CROSS JOIN LATERAL (SELECT to_regclass(format('%I.%I', input ->> 'schema', name))::oid AS relid, n.columns) AS k
  WHERE n."table" = name AND {upserts.condition("query", "title", "k", "input ->> 'column'").strip()})
""",
    fixed_by_plan=_fixed_by_plan,
    bad=ServiceStatement(
        "INSERT INTO caller_profiles (user_id, first_call_date, last_call_date) VALUES ('+1555', now(), now())"
        " ON CONFLICT (user_id) DO UPDATE SET total_calls = caller_profiles.total_calls + 1;"
    ),
    good=ServiceStatement(
        "INSERT INTO caller_profiles (user_id, first_call_date, last_call_date) VALUES ('+1555', now(), now())"
        " ON CONFLICT ON CONSTRAINT caller_profiles_user_id_key DO UPDATE"
        " SET total_calls = caller_profiles.total_calls + 1;"
    ),
    found="caller_profiles",
)
