"""The bridge: a login that names no tenant works as the default one; and the record of who still needs that.

The bridge is a setting of the application role in the database. It spells the default tenant as no session would (01),
so that what a session was given at login can be told from what it named itself. PostgreSQL shows the origin of a
setting only to the session that has it, so the record is made there: a restrictive policy on every tenant table, which
can only narrow what others show, calls a function that shows every row and notes the time when it meets the bridge's
spelling. Reads and writes are seen alike, whoever makes them, and no caller's data is written anywhere, as it would be
in a log of statements.

Policies say what is shown, not whether the service names its tenant. That enforcing has found it does is told by what
enforcing leaves: the same setting, empty, which is no tenant. Without it the bridge is a part of the migration.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import names
from . import state as catalog
from .finding import Finding, finding
from .model import Model, Table
from .quoting import derived_name, dollar_quoted, identifier, literal, qualified
from .state import Relation
from .statement import State, Statement, statement

# What the setting holds once the bridge is removed for good.
REMOVED = ""
NOTE, USED = "tenancy_bridge_note", "tenancy_bridge_used"
RECORD = "Record when a session still needs the bridge"
# A session writes the time of use once in so many seconds: nobody waits for a sequence, but it is not for free.
RESOLUTION = 10
# The start of a process is known to the second, and so is the time of use.
TOLERANCE = 2


def value(state: State, model: Model) -> str | None:
    """Return the tenant that a login of the application role has without naming one, or None."""
    found: str | None = state["bridges"].get(model.application_role)
    return found or None


def is_enforced(state: State, model: Model) -> bool:
    """Say whether enforcing removed the bridge of the application role, or of the one whose place it takes."""
    return any(state["bridges"].get(role) == REMOVED for role in (model.application_role, model.replaced_role))


def named(state: State, model: Model) -> str | None:
    """Return that tenant as a session would name it, or None."""
    spelled = value(state, model)
    return None if spelled is None else model.kind.plain(spelled)


def bring_record(state: State, model: Model) -> list[Statement]:
    """Return the statements that are missing of what the record is kept in and by."""
    role, used, note = identifier(model.application_role), qualified(model.schema, USED), qualified(model.schema, NOTE)
    watch = state["bridge_watch"]
    planned = []
    if not watch["exists"]:
        planned.append(
            statement(
                "bridge.used", "", "bridge", f"CREATE SEQUENCE {used}", RECORD, f"DROP SEQUENCE {used}",
                makes=[names.sequence(model.schema, USED)],
            )
        )  # fmt: skip
    if not watch["granted"]:
        planned.append(
            statement(
                "bridge.used.grant", "", "bridge", f"GRANT UPDATE ON SEQUENCE {used} TO {role}", RECORD,
                f"REVOKE UPDATE ON SEQUENCE {used} FROM {role}",
            )
        )  # fmt: skip
    now = catalog.function(state, NOTE, "")
    if now is None or now["body"].strip() != _body(model).strip():
        planned.append(
            statement(
                "bridge.note", "", "bridge",
                f"CREATE OR REPLACE FUNCTION {note}() RETURNS boolean LANGUAGE plpgsql "
                f"AS {dollar_quoted(_body(model))}",
                RECORD, f"DROP FUNCTION {note}()" if now is None else now["definition"],
                makes=[names.function(model.schema, NOTE)],
            )
        )  # fmt: skip
    if now is None or not now["granted"]:
        planned.append(
            statement(
                "bridge.note.grant", "", "bridge", f"GRANT EXECUTE ON FUNCTION {note}() TO {role}", RECORD,
                f"REVOKE EXECUTE ON FUNCTION {note}() FROM {role}",
            )
        )  # fmt: skip
    return planned


def obstacles(state: State, model: Model) -> list[str]:
    """Return what keeps the bridge from being brought: with it, a login that names no tenant is the default one."""
    others = catalog.other_tenants(state, model)
    if not model.bridge or is_enforced(state, model) or value(state, model) == model.bridge_value or not others:
        return []
    counts = ", ".join(f"{name} {count}" for name, count in others.items())
    obstacle = (
        f"Rows of tenants other than {model.default_tenant} exist ({counts}), and tenancy_bridge lets a login that "
        f"names no tenant work as tenant {model.default_tenant}: if every session of the service names its tenant, say "
        "tenancy_bridge: false; if not, deploy the release that does first."
    )
    return [obstacle]


def bring(state: State, model: Model) -> list[Statement]:
    """Return the statements that are missing of the bridge and its record; the setting comes last."""
    role, note = identifier(model.application_role), qualified(model.schema, NOTE)
    planned = bring_record(state, model)
    for relation in _relations(state, model):
        name = policy_name(relation.table)
        present = [policy for policy in relation.document["policies"] if policy["name"] == name]
        if any(_is_watch(policy, model) for policy in present):
            continue
        planned += [_drop_policy_of(relation, policy, RECORD) for policy in present]
        planned.append(
            statement(
                f"{relation.table.name}.bridge{relation.suffix}", relation.table.name, "bridge",
                f"CREATE POLICY {identifier(name)} ON {relation.target} AS RESTRICTIVE FOR ALL TO {role} "
                f"USING ({identifier(model.column)} IS NOT NULL AND (SELECT {note}()))",
                RECORD, f"DROP POLICY {identifier(name)} ON {relation.target}",
                makes=[names.policy(relation, name)],
            )
        )  # fmt: skip
    if value(state, model) != model.bridge_value:
        planned.append(
            statement(
                "bridge", "", "bridge", assign(model, model.application_role, model.bridge_value),
                f"Let code that names no tenant yet work as tenant {model.default_tenant}",
                assign(model, model.application_role, value(state, model)),
            )
        )  # fmt: skip
    return planned


def forget(state: State, model: Model, role: str | None) -> list[Statement]:
    """Return the statement that removes the bridge of ``role``, if it has one."""
    tenant = state["bridges"].get(role)
    if role is None or tenant is None:
        return []
    reason = "Remove the bridge: a login that names no tenant has none"
    return [
        statement(f"bridge.remove.{role}", "", "bridge", assign(model, role, None), reason, assign(model, role, tenant))
    ]


def remove(state: State, model: Model) -> list[Statement]:
    """Return the statements that remove the bridge and its record, and what enforcing left of it."""
    return forget(state, model, model.application_role) + remove_record(state, model)


def remove_for_good(state: State, model: Model) -> list[Statement]:
    """Return the statements that remove the bridge and its record, and leave that it was enforced."""
    return (_empty(state, model) if value(state, model) is not None else []) + remove_record(state, model)


def keep_removed(state: State, model: Model) -> list[Statement]:
    """Return the statements that hand on to a login of its own that the bridge was removed for good."""
    kept = _empty(state, model) if state["bridges"].get(model.application_role) != REMOVED else []
    return kept + forget(state, model, model.replaced_role)


def _empty(state: State, model: Model) -> list[Statement]:
    role, before = model.application_role, state["bridges"].get(model.application_role)
    reason = "Remove the bridge: a login that names no tenant has none"
    return [statement(f"bridge.empty.{role}", "", "bridge", assign(model, role, REMOVED), reason,
                      assign(model, role, before))]  # fmt: skip


def remove_record(state: State, model: Model) -> list[Statement]:
    """Return the statements that remove the record of who needs the bridge."""
    used, note = qualified(model.schema, USED), qualified(model.schema, NOTE)
    reason = "Stop recording who needs the bridge"
    planned = [
        _drop_policy_of(relation, policy, reason)
        for relation in _relations(state, model)
        for policy in relation.document["policies"]
        if policy["name"] == policy_name(relation.table)
    ]
    # They would hold the function.
    for policy in state["bridge_watch"]["strays"]:
        target = qualified(policy["schema"], policy["table"])
        planned.append(_drop_policy(f"bridge.stray.{policy['schema']}.{policy['table']}", "", target, policy, reason))
    now = catalog.function(state, NOTE, "")
    if now is not None:
        # The definition holds no rights.
        grant = f";\nGRANT EXECUTE ON FUNCTION {note}() TO {identifier(model.application_role)}"
        undo = now["definition"].strip() + (grant if now["granted"] else "")
        planned.append(statement("bridge.note.drop", "", "bridge", f"DROP FUNCTION {note}()", reason, undo))
    if state["bridge_watch"]["exists"]:
        planned.append(
            statement(
                "bridge.used.drop", "", "bridge", f"DROP SEQUENCE {used}", reason,
                f"CREATE SEQUENCE {used}; GRANT UPDATE ON SEQUENCE {used} TO {identifier(model.application_role)}",
            )
        )  # fmt: skip
    return planned


def findings(state: State, model: Model) -> list[Finding]:
    """Return whether the bridge is off, or the default tenant's, recorded, and the only tenant's."""
    tenant = value(state, model)
    if tenant is not None and catalog.other_tenants(state, model):
        return [finding("bridge is off once a second tenant has rows", "", None, tenant)]
    if tenant is None:
        return [finding("bridge is off or names the default tenant", "", None, tenant)]
    missing = [item["id"] for item in bring(state, model) if item["id"] != "bridge"]
    return [
        finding("bridge is off or names the default tenant", "", model.bridge_value, tenant),
        finding("parts of the bridge's record that are missing", "", [], missing),
    ]


def evidence(used_at: int | None, started: int, now: int, quiet_seconds: int) -> dict[str, Any]:
    """Return whether nothing lives on the bridge any more: ``{holds, used, used_at, sentence}``.

    ``used_at`` is when a session last worked by the bridge (None: never), ``started`` when the service was started,
    ``now`` when it is asked, each in seconds since 1970 by the server's clock. It holds when the service was started
    ``quiet_seconds`` ago or longer and nothing has used the bridge since.
    """
    used = used_at is not None and used_at > started - TOLERANCE
    if used:
        sentence = f"a session worked by the bridge {_age(now - (used_at or 0))} ago"
    else:
        sentence = f"nothing worked by the bridge since the service was started {_age(now - started)} ago"
    holds = not used and now - started >= quiet_seconds
    return {"holds": holds, "used": used, "used_at": used_at, "sentence": sentence}


def _age(seconds: int) -> str:
    """Return a duration, cut off, in the largest unit of which it has two: 119 is "119 seconds", 120 "2 minutes"."""
    for name, size in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size} {name}"
    return f"{seconds} seconds"


def _body(model: Model) -> str:
    """Return the function's body: what meets the bridge's spelling of the tenant leaves the time in the sequence."""
    return f"""
DECLARE
  now_is CONSTANT bigint := extract(epoch FROM clock_timestamp());
BEGIN
  IF current_setting({literal(model.setting)}, true) = {literal(model.bridge_value)}
    AND NOT current_setting('transaction_read_only')::boolean
    AND now_is - coalesce(nullif(current_setting('tenancy_runbook.noted', true), ''), '0')::bigint >= {RESOLUTION}
  THEN
    BEGIN
      PERFORM setval({literal(qualified(model.schema, USED))}, now_is),
              set_config('tenancy_runbook.noted', now_is::text, false);
    EXCEPTION WHEN OTHERS THEN
      -- A record that is broken must not break the service; enforcing tries it before it is believed.
      NULL;
    END;
  END IF;
  RETURN true;
END
"""


def _relations(state: State, model: Model) -> list[Relation]:
    return [
        relation
        for table in model.tables
        if catalog.table(state, table.name) is not None
        for relation in catalog.relations(state, model, table)
    ]


def policy_name(table: Table) -> str:
    """Return the name of the policy that keeps the record of one table."""
    return derived_name("tenancy_bridge", table.name)


def _is_watch(policy: Mapping[str, Any], model: Model) -> bool:
    # PostgreSQL leaves the schema out where the search path finds the function without it.
    schemas = ("", *(f"{schema}." for schema in catalog.printed(model.schema)))
    wanted = [
        f"(({column} IS NOT NULL) AND ( SELECT {schema}{NOTE}() AS {NOTE}))"
        for column in catalog.printed(model.column)
        for schema in schemas
    ]
    return (
        policy["command"] == "ALL"
        and not policy["permissive"]
        and policy["roles"] == [model.application_role]
        and not policy["public"]
        and policy["using"] in wanted
        and policy["check"] is None
    )


def _drop_policy_of(relation: Relation, policy: Mapping[str, Any], reason: str) -> Statement:
    table = relation.table.name
    return _drop_policy(f"{table}.bridge.drop{relation.suffix}", table, relation.target, policy, reason)


def _drop_policy(identity: str, table: str, target: str, policy: Mapping[str, Any], reason: str) -> Statement:
    sql = f"DROP POLICY {identifier(policy['name'])} ON {target}"
    return statement(identity, table, "bridge", sql, reason, catalog.policy_sql(policy, target))


def assign(model: Model, role: str, tenant: str | None) -> str:
    """Return the statement that gives the role's sessions in this database ``tenant`` (None: none)."""
    prefix = f"ALTER ROLE {identifier(role)} IN DATABASE {identifier(model.database)}"
    name = ".".join(identifier(part) for part in model.setting.split("."))
    return f"{prefix} RESET {name}" if tenant is None else f"{prefix} SET {name} = {literal(tenant)}"
