"""The usage record of the bridge: policies, a function and sequences.

PostgreSQL shows the origin of a setting only to the session that has the setting, so the session itself must write the
record. Every tenant table has restrictive policies, which can only hide rows that other policies show. The restrictive
policies call a function that returns true for every row. The function records the time if the tenant has the form that
only the bridge uses.

A kind of statement is a combination of a table and a command. Each kind has a policy, and a sequence that stores the
time of the last use. The record uses sequences because sessions do not wait for each other to set one, and because
ROLLBACK does not reset one. The record covers the reads and writes of every session. Unlike a statement log, it
contains no callers' data. ``evidence`` evaluates the record.

Earlier releases of this runbook had one policy for all commands and one sequence for all tables. The plan replaces
these objects.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ...module_utils.quoting import derived_name, dollar_quoted, identifier, literal, qualified
from ..catalog import state as catalog
from ..catalog.state import Relation
from ..model.model import Model, Table
from . import names
from .change import RelationRollback, Rollback, relations
from .statement import State, Statement, statement

NOTE, USED, ARGUMENT = "tenancy_bridge_note", "tenancy_bridge_used", "text"
COMMANDS = ("SELECT", "INSERT", "UPDATE", "DELETE")
RECORD = "Record when a session still needs the bridge, and for which kind of statement"
REPLACED = "Replace the record of an earlier release"
# A session records each kind at most once in this number of seconds, because setting a sequence slows down the commit.
RESOLUTION = 10


def sequence_name(table: str, command: str) -> str:
    """Return the name of the sequence that contains the time when a statement of this kind last used the bridge."""
    return derived_name(USED, table, command.lower())


def kinds(model: Model) -> list[dict[str, str]]:
    """Return every kind of statement that the record distinguishes: {table, command, sequence}."""
    return [
        {"table": table.name, "command": command, "sequence": sequence_name(table.name, command)}
        for table in model.tables
        for command in COMMANDS
    ]


def query() -> str:
    """Return the query in bridge_used.sql, which selects the time when each kind in the argument ``kinds`` last used
    the bridge."""
    return Path(__file__).with_name("bridge_used.sql").read_text()


def plan_install(
    state: State, model: Model, on: Iterable[Relation] | None = None, others: Iterable[str] = ()
) -> list[Statement]:
    """Return the statements that create the missing parts of the record in its current form.

    ``on`` contains the relations that get policies (None means all). The tables in ``others`` get only sequences. The
    sequences and the function are ``early``, because nothing uses them before the policies exist.
    """
    wanted = relations(state, model) if on is None else list(on)
    watched = {*(relation.table.name for relation in wanted), *others}
    planned = [
        item for table in model.tables if table.name in watched for item in _install_sequences(state, model, table)
    ]
    planned += _install_function(state, model)
    for relation in wanted:
        planned += _install_policies(relation, model)
    return planned + _remove_earlier(state, model)


def _install_sequences(state: State, model: Model, table: Table) -> list[Statement]:
    role, there = identifier(model.application_role), state["bridge_watch"]["sequences"]
    wanted = {command: sequence_name(table.name, command) for command in COMMANDS}
    planned = []
    for command, name in wanted.items():
        if name not in there:
            target = qualified(model.schema, name)
            planned.append(
                statement(
                    f"{table.name}.bridge.used.{command.lower()}", table.name, "bridge", f"CREATE SEQUENCE {target}",
                    RECORD, makes=[names.sequence(model.schema, name)], early=True,
                )
            )  # fmt: skip
    without = [name for name in wanted.values() if not there.get(name, {}).get("granted")]
    if without:
        targets = ", ".join(qualified(model.schema, name) for name in without)
        planned.append(
            statement(
                f"{table.name}.bridge.used.grant", table.name, "bridge",
                f"GRANT UPDATE ON SEQUENCE {targets} TO {role}", RECORD, early=True,
            )
        )  # fmt: skip
    return planned


def _install_function(state: State, model: Model) -> list[Statement]:
    role, note = identifier(model.application_role), f"{qualified(model.schema, NOTE)}({ARGUMENT})"
    now, planned = catalog.function(state, NOTE, ARGUMENT), []
    # Policies may call an existing function, so the transaction that replaces the policies also replaces the function.
    is_new = now is None
    if now is None or now["body"].strip() != _body(model).strip():
        planned.append(
            statement(
                "bridge.note", "", "bridge",
                f"CREATE OR REPLACE FUNCTION {qualified(model.schema, NOTE)}(used {ARGUMENT}) RETURNS boolean "
                f"LANGUAGE plpgsql AS {dollar_quoted(_body(model))}",
                RECORD,
                makes=[names.function(model.schema, NOTE, [ARGUMENT])],
                early=is_new,
            )
        )  # fmt: skip
    if now is None or not now["granted"]:
        planned.append(
            statement(
                "bridge.note.grant", "", "bridge", f"GRANT EXECUTE ON FUNCTION {note} TO {role}", RECORD, early=is_new,
            )
        )  # fmt: skip
    return planned


def _install_policies(relation: Relation, model: Model) -> list[Statement]:
    table, present = relation.table, {policy["name"]: policy for policy in relation.document["policies"]}
    earlier = present.get(_earlier_policy(table))
    planned = [] if earlier is None else [_drop_policy_of(relation, earlier, REPLACED)]
    for command in COMMANDS:
        name = policy_name(table, command)
        now = present.get(name)
        if now is not None and _is_watch(now, table, command, model):
            continue
        planned += [] if now is None else [_drop_policy_of(relation, now, RECORD)]
        note = f"{qualified(model.schema, NOTE)}({literal(sequence_name(table.name, command))})"
        planned.append(
            statement(
                f"{table.name}.bridge.{command.lower()}{relation.suffix}", table.name, "bridge",
                f"CREATE POLICY {identifier(name)} ON {relation.target} AS RESTRICTIVE FOR {command} "
                f"TO {identifier(model.application_role)} {'WITH CHECK' if command == 'INSERT' else 'USING'} "
                f"({identifier(model.column)} IS NOT NULL AND (SELECT {note}))",
                RECORD,
                makes=[names.policy(relation, name)],
            )
        )  # fmt: skip
    return planned


def plan_remove(state: State, model: Model) -> list[Statement]:
    """Return the statements that remove the record in any of its forms."""
    reason = "Stop recording the use of the bridge"
    planned = [
        _drop_policy_of(relation, policy, reason)
        for relation in relations(state, model)
        for policy in relation.document["policies"]
        if policy["name"] in policy_names(relation.table)
    ]
    planned += _drop_strays(state, reason)
    for arguments in ("", ARGUMENT):
        planned += _drop_function(state, model, arguments, reason)
    tables = {table.name for table in model.tables} | {item["table"] for item in state["bridge_watch"]["strays"]}
    planned += plan_remove_sequences(state, model, tables, reason)
    if USED in state["bridge_watch"]["sequences"]:
        planned.append(_drop_sequence(model, USED, reason))
    return planned


def plan_remove_sequences(state: State, model: Model, tables: Iterable[str], reason: str) -> list[Statement]:
    """Return the statements that drop the sequences of ``tables``. Objects that use them must be dropped first."""
    ours = {sequence_name(table, command) for table in tables for command in COMMANDS}
    there = state["bridge_watch"]["sequences"]
    return [_drop_sequence(model, name, reason) for name in sorted(ours & {*there})]


def _remove_earlier(state: State, model: Model) -> list[Statement]:
    """Return the statements that remove the objects of an earlier release's record."""
    function = _drop_function(state, model, "", REPLACED)
    # The policies on detached partitions still depend on the function.
    planned = [*_drop_strays(state, REPLACED), *function] if function else []
    if USED in state["bridge_watch"]["sequences"]:
        planned.append(_drop_sequence(model, USED, REPLACED))
    return planned


def _drop_strays(state: State, reason: str) -> list[Statement]:
    return [
        _drop_policy(
            f"bridge.stray.{policy['schema']}.{policy['table']}.{policy['name']}", "",
            qualified(policy["schema"], policy["table"]), policy, reason,
        )
        for policy in state["bridge_watch"]["strays"]
    ]  # fmt: skip


def _drop_function(state: State, model: Model, arguments: str, reason: str) -> list[Statement]:
    now = catalog.function(state, NOTE, arguments)
    # A function with another result type is not a part of the record.
    if now is None or now["returns"] != names.RESULT:
        return []
    note = f"{qualified(model.schema, NOTE)}({arguments})"
    identity = "bridge.note.drop" if arguments else "bridge.note.drop.earlier"
    return [statement(identity, "", "bridge", f"DROP FUNCTION {note}", reason)]


def _drop_sequence(model: Model, name: str, reason: str) -> Statement:
    target = qualified(model.schema, name)
    return statement(f"bridge.used.drop.{name}", "", "bridge", f"DROP SEQUENCE {target}", reason)


def policy_name(table: Table, command: str) -> str:
    """Return the name of the policy that records one command on one table."""
    return derived_name("tenancy_bridge", table.name, command.lower())


def _earlier_policy(table: Table) -> str:
    return derived_name("tenancy_bridge", table.name)


def policy_names(table: Table) -> set[str]:
    """Return the names of the policies that record the bridge's use on one table, in the current and earlier form."""
    return {_earlier_policy(table), *(policy_name(table, command) for command in COMMANDS)}


def _is_watch(policy: Mapping[str, Any], table: Table, command: str, model: Model) -> bool:
    # PostgreSQL omits the schema if the search path contains it.
    schemas = ("", *(f"{schema}." for schema in catalog.printed(model.schema)))
    used = "'" + sequence_name(table.name, command).replace("'", "''") + "'::text"
    wanted = [
        f"(({column} IS NOT NULL) AND ( SELECT {schema}{NOTE}({used}) AS {NOTE}))"
        for column in catalog.printed(model.column)
        for schema in schemas
    ]
    own, other = ("check", "using") if command == "INSERT" else ("using", "check")
    return (
        policy["command"] == command
        and not policy["permissive"]
        and policy["roles"] == [model.application_role]
        and not policy["public"]
        and policy[own] in wanted
        and policy[other] is None
    )


def _drop_policy_of(relation: Relation, policy: Mapping[str, Any], reason: str) -> Statement:
    table = relation.table.name
    identity = f"{table}.bridge.drop.{policy['name']}{relation.suffix}"
    return _drop_policy(identity, table, relation.target, policy, reason)


def _drop_policy(identity: str, table: str, target: str, policy: Mapping[str, Any], reason: str) -> Statement:
    sql = f"DROP POLICY {identifier(policy['name'])} ON {target}"
    return statement(identity, table, "bridge", sql, reason)


def _body(model: Model) -> str:
    """Return the body of the function, which writes the time to the sequence if the tenant has the bridge's form.

    The plan compares the whole body, including its comment. Any change therefore replaces the function in every
    migrated database.
    """
    return f"""
DECLARE
  now_is bigint;
  noted text;
BEGIN
  IF current_setting({literal(model.setting)}, true) = {literal(model.bridge_value)}
    AND NOT current_setting('transaction_read_only')::boolean
  THEN
    BEGIN
      now_is := extract(epoch FROM clock_timestamp());
      noted := 'tenancy_runbook.noted_' || to_hex(hashtext(used));
      IF now_is - coalesce(nullif(current_setting(noted, true), ''), '0')::bigint >= {RESOLUTION} THEN
        PERFORM setval({literal(identifier(model.schema) + ".")} || quote_ident(used), now_is),
                set_config(noted, now_is::text, false);
      END IF;
    EXCEPTION WHEN OTHERS THEN
      -- A record that is broken must not break the service; enforcing tries it before it is believed.
      NULL;
    END;
  END IF;
  RETURN true;
END
"""


def was_kept(back: Rollback) -> bool:
    """Return whether the snapshot has the record, in any form."""
    return bool(back.snapshot["bridge_watch"]["exists"])


def is_on(item: RelationRollback) -> bool:
    """Return whether the snapshot has the record on this relation."""
    names_there = policy_names(item.table)
    return any(policy["name"] in names_there for policy in item.before["policies"])


def _recorded(back: Rollback) -> set[str]:
    """Return the tables that have sequences of the record in the snapshot."""
    # Snapshots of earlier versions do not list the sequences. For them, the policies show which tables had sequences.
    there = back.snapshot["bridge_watch"].get("sequences", {})
    listed = {kind["table"] for kind in kinds(back.model) if kind["sequence"] in there}
    return listed | {item.table.name for item in back.known if is_on(item)}


def plan_restore(back: Rollback) -> list[Statement]:
    """Return the statements that restore the record on its original relations, in its current form.

    The snapshot has sequences without policies if an earlier run committed only its early statements.
    """
    model = dataclasses.replace(back.model, application_role=back.role or back.model.application_role)
    watched = [item.relation for item in back.known if is_on(item)]
    planned = plan_install(back.state, model, watched, sorted(_recorded(back)))
    # A rollback is a single transaction, so it has no early statements.
    return [{**item, "early": False} for item in planned]


def rollback(back: Rollback) -> list[Statement]:
    """Return the statements that restore the record on its original relations, and drop the sequences of other tables.

    If the snapshot has no record, return the statements that remove the record. Otherwise, policies.py drops the
    record's policies on other relations.
    """
    if not was_kept(back):
        return plan_remove(back.state, back.model)
    # Tables that were added after the snapshot have sequences, unless enforce.yml has removed the record.
    later = {table.name for table in back.model.tables} - _recorded(back)
    reason = "Stop recording the use of the bridge on newer tables"
    return plan_restore(back) + plan_remove_sequences(back.state, back.model, later, reason)
