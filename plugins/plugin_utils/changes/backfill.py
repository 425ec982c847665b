"""The backfill, which assigns the default tenant to rows without a tenant before the service stops.

A separate login runs the backfill, because an UPDATE also runs triggers and CHECKs that the table's owner wrote. In a
session of this login, that code has none of the administrator's privileges. The login can only read and change the
tenant column. The login and its policies exist only during the backfill.
"""

from __future__ import annotations

from typing import Any

from ...module_utils import backfill_login
from ...module_utils.quoting import identifier, qualified
from ..catalog import state as catalog
from ..model.model import Model
from . import online
from .change import Change
from .finding import Finding, finding
from .statement import State, Statement, statement

Item = dict[str, Any]


def items(state: State, model: Model) -> list[Item]:
    """Return an item for each table that has rows without a tenant.

    An item has id, table, nulls (the number of these rows), prepare, default, updates and count:

    * ``prepare`` is the SQL that gives the login its privileges.
    * ``default`` is the SQL that prevents new rows without a tenant, or None.
    * ``updates`` is a list of ``{relation, sql, paged}``. If ``paged`` is true, ``sql`` updates the range of pages
      between the ctids ``first`` and ``end``. Otherwise ``sql`` updates the whole relation at once.
    * ``count`` is the query for the number of rows that still have no tenant.
    """
    found = []
    for table in model.tables:
        column = catalog.tenant_column(state, table.name)
        # If the column existed before the migration, there is no default tenant.
        if column is None or not column["nulls"] or model.adopted:
            continue
        relations = catalog.relations(state, model, table)
        whole, name = qualified(model.schema, table.name), identifier(model.column)
        # If the tenant column is part of a partition key, the UPDATE moves rows to other partitions. Only an UPDATE of
        # the partitioned table can move rows.
        moves = any(model.column in (relation.document["partition_key"] or ()) for relation in relations)
        updated = relations[:1] if moves else catalog.holders(state, model, table)
        login = identifier(backfill_login.role(model.database))
        prepare = [
            text
            for relation in updated
            for text in (
                f"GRANT SELECT ({name}, ctid), UPDATE ({name}) ON {relation.target} TO {login}",
                *([_policy(model, relation.target)] if relation.document["rls"]["enabled"] else []),
            )
        ]
        condition = "" if moves else " AND ctid >= %(first)s::tid AND ctid < %(end)s::tid"
        update = f"SET {name} = {model.default_constant} WHERE {name} IS NULL".replace("%", "%%") + condition
        found.append(
            {
                "id": f"{table.name}.backfill", "table": table.name, "nulls": column["nulls"], "prepare": prepare,
                # An existing default is kept, because it may already be the session's tenant.
                "default": f"ALTER TABLE {whole} ALTER COLUMN {name} SET DEFAULT {model.default_constant}"
                if column["default"] is None
                else None,
                "updates": [
                    {
                        "relation": relation.target,
                        "sql": f"UPDATE {relation.target.replace('%', '%%')} {update}",
                        "paged": not moves,
                    }
                    for relation in updated
                ],
                "count": f"SELECT count(*) FROM {whole} WHERE {name} IS NULL",
            }
        )  # fmt: skip
    return found


def _policy(model: Model, target: str) -> str:
    name, login = identifier(model.column), identifier(backfill_login.role(model.database))
    return (
        f"CREATE POLICY {identifier(backfill_login.POLICY)} ON {target} FOR ALL TO {login} "
        f"USING ({name} IS NULL OR {name} = {model.default_constant}) WITH CHECK ({name} = {model.default_constant})"
    )


def plan(state: State, model: Model) -> list[Statement]:
    """Return the statements that stand for the backfill in the plan. The run executes the SQL of ``items`` instead."""
    planned = []
    for table in catalog.tables(state, model):
        target, column = qualified(model.schema, table.name), identifier(model.column)
        now = catalog.tenant_column(state, table.name)
        if now is not None and now["nulls"] and not model.adopted:
            sql = f"UPDATE {target} SET {column} = {model.default_constant} WHERE {column} IS NULL"
            reason = f"Assign {now['nulls']} rows without a tenant to tenant {model.default_tenant} before the stop"
            planned.append(statement(f"{table.name}.backfill", table.name, online.BACKFILL, sql, reason))
    return planned


def findings(state: State, model: Model) -> list[Finding]:
    """Return findings that show whether every row has a tenant."""
    return [
        finding("NULLs", table.name, 0, column["nulls"])
        for table in catalog.tables(state, model)
        if (column := catalog.tenant_column(state, table.name)) is not None
    ]


# A rollback does not change rows.
CHANGE = Change(
    phases=frozenset({online.BACKFILL}),
    plan=plan,
    findings=findings,
)
