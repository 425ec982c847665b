"""The tenant column of every tenant table, with its type and NOT NULL."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...module_utils.quoting import derived_name, dollar_quoted, identifier, literal, qualified
from ..catalog import state as catalog
from ..model.model import ForeignKey, Model, Table
from . import bridge_record, foreign_keys, indexes, names, online, readers
from .change import Change, Document, Ended, RelationRollback, Rollback
from .finding import Finding, finding
from .statement import State, Statement, statement, step

# Since this version, NOT NULL is a named constraint, and each partition has its own.
NAMED_NOT_NULL_VERSION = 180000


def check_name(model: Model, table: Table) -> str:
    """Return the name of the CHECK constraint that replaces NOT NULL while PostgreSQL validates the rows."""
    return derived_name(table.name, model.column, "not_null_check")


def refused_nulls(item: Statement, model: Model) -> list[str]:
    """Return the SQL that raises an error before SET NOT NULL if rows without a tenant exist.

    Return an empty list if ``item`` does not set NOT NULL.
    """
    if item["phase"] != "not_null":
        return []
    problem = (
        f"Rows without {model.column} were stored in {item['table']} after the backfill: stop the program that "
        "stores NULL there, and run the playbook again."
    )
    rows = f"SELECT FROM {qualified(model.schema, item['table'])} WHERE {identifier(model.column)} IS NULL"
    block = f"BEGIN IF EXISTS ({rows}) THEN RAISE USING MESSAGE = {literal(problem)}; END IF; END"
    return [f"DO {dollar_quoted(block)}"]


def obstacles(state: State, model: Model) -> list[str]:
    """Return the reasons why an existing column with this name cannot be the tenant column."""
    found, others = [], catalog.other_tenants(state, model)
    for table in catalog.tables(state, model):
        name, column = f"{model.schema}.{table.name}.{model.column}", catalog.tenant_column(state, table.name)
        if column is not None and column["type"] != model.column_type:
            found.append(
                f"{name} exists with type {column['type']}, but the model has {model.column_type}: rename or convert "
                "that column by hand first."
            )
        if column is not None and column["generated"]:
            found.append(f"{name} is an identity or generated column: drop that property first.")
        if model.adopted:
            found += _without_tenant(state, model, table)
        elif column is None and others:
            found += _of_unknown_tenants(state, model, table, others)
    return found


def _of_unknown_tenants(state: State, model: Model, table: Table, others: Mapping[str, int]) -> list[str]:
    """Return an obstacle if the plan would assign rows to the default tenant although several tenants have rows."""
    rows, name = catalog.required(state, table.name)["rows"], f"{model.schema}.{table.name}"
    if not rows:
        return []
    counts = ", ".join(f"{other} {count:,}" for other, count in others.items())
    refusal = (
        f"{name} has {rows:,} rows and no column {model.column}, but other tables have rows of tenants other than "
        f"{model.default_tenant} ({counts}): ALTER TABLE {qualified(model.schema, table.name)} ADD COLUMN "
        f"{identifier(model.column)} {model.column_type} first, and give each row its tenant."
    )
    return [refusal]


def _without_tenant(state: State, model: Model, table: Table) -> list[str]:
    """Return an obstacle if rows have no tenant, and the plan cannot assign one because no default tenant exists."""
    name, column = f"{model.schema}.{table.name}", catalog.tenant_column(state, table.name)
    if column is not None and not column["nulls"]:
        return []
    if column is not None:
        nulls = (
            f"{name}.{model.column} is NULL in {column['nulls']:,} rows, and there is no default tenant "
            "(tenancy_column_adopted): first assign those rows to their tenants, or delete them."
        )
        return [nulls]
    if table.tenant_from is None:
        unnamed = (
            f"{name} has no column {model.column}, and there is no default tenant (tenancy_column_adopted): list "
            "under tenant_from the columns of the foreign key from which its rows take their tenant. If there is none, "
            "add and fill the column by hand, or move the table from tenancy_tables to tenancy_readable to share it."
        )
        return [unnamed]
    parents = {key.references for key in table.foreign_keys if set(key.columns) == set(table.tenant_from)}
    return [
        f"{name} takes its tenant from {parent}, which takes its tenant from {name}: first add the column to one of "
        "the two tables by hand."
        for parent in parents
        if table in _sources(model, parent)
    ]


def _sources(model: Model, name: str) -> list[Table]:
    """Return the table, followed by the chain of tables from which its rows take their tenant."""
    found = list[Table]()
    table = next(table for table in model.tables if table.name == name)
    while table not in found:
        found.append(table)
        key = source(table)
        if key is None:
            break
        table = next(other for other in model.tables if other.name == key.references)
    return found


def source(table: Table) -> ForeignKey | None:
    """Return the foreign key from which the rows of a table take their tenant."""
    given = set(table.tenant_from or ())
    return next((key for key in table.foreign_keys if given and set(key.columns) == given), None)


def plan(state: State, model: Model) -> list[Statement]:
    """Return the statements that add the column and set it to NOT NULL."""
    planned = []
    # A table comes after the table from which it takes its tenant.
    for table in sorted(catalog.tables(state, model), key=lambda table: len(_sources(model, table.name))):
        now = catalog.tenant_column(state, table.name)
        if now is None and model.adopted:
            planned += _taken(model, table)
        elif now is None:
            planned.append(_added(model, table))
        elif not now["not_null"]:
            planned.append(_not_null(state, model, table))
    return planned


def _taken(model: Model, table: Table) -> list[Statement]:
    """Return the statements that add the column. Each row gets the tenant of the row that its foreign key references.

    PostgreSQL rewrites the table without running the table's triggers.
    """
    key = source(table)
    if key is None:
        raise KeyError(table.name)
    target, parent = (qualified(model.schema, name) for name in (table.name, key.references))
    column, names_ = identifier(model.column), [identifier(name) for name in key.columns]
    pairs = " AND ".join(
        f"{identifier(pointed)} OPERATOR(pg_catalog.=) ${place}" for place, pointed in enumerate(key.key, 1)
    )
    types = ", ".join(f"{target}.{name}%TYPE" for name in names_)
    function = f"pg_temp.{identifier(derived_name('tenancy_tenant', table.name))}"
    body = f"SELECT {column} FROM {parent} WHERE {pairs}"
    called = f"{function}({', '.join(names_)})"
    reason = f"Add {model.column}; each row takes its tenant from {key.references} (the table is rewritten)"
    return [
        statement(f"{table.name}.column", table.name, "column", f"ALTER TABLE {target} ADD COLUMN {column} "
                  f"{model.column_type}", reason),
        statement(f"{table.name}.column.source", table.name, "tenant", f"CREATE FUNCTION {function}({types}) RETURNS "
                  f"{model.column_type} LANGUAGE sql STABLE AS {dollar_quoted(body)}", reason),
        statement(f"{table.name}.column.fill", table.name, "tenant", f"ALTER TABLE {target} ALTER COLUMN {column} TYPE "
                  f"{model.column_type} USING {called}, ALTER COLUMN {column} SET NOT NULL", reason,
                  scans=f"fills {model.column} and rewrites the table"),
    ]  # fmt: skip


def _added(model: Model, table: Table) -> Statement:
    target, column = qualified(model.schema, table.name), identifier(model.column)
    sql = f"ALTER TABLE {target} ADD COLUMN {column} {model.column_type} NOT NULL DEFAULT {model.default_constant}"
    reason = f"Add {model.column}; existing rows belong to tenant {model.default_tenant} (no table rewrite)"
    return statement(f"{table.name}.column", table.name, "column", sql, reason, [step(sql)])


def _not_null(state: State, model: Model, table: Table) -> Statement:
    target, column, check = qualified(model.schema, table.name), identifier(model.column), check_name(model, table)
    # An interrupted online run may have left this CHECK constraint.
    left = f", DROP CONSTRAINT {identifier(check)}" if catalog.depends(state, table.name, check) else ""
    return statement(
        f"{table.name}.not_null", table.name, "not_null",
        f"ALTER TABLE {target} ALTER COLUMN {column} SET NOT NULL{left}",
        f"Refuse rows without {model.column}",
        online.not_null(target, model.column, check),
        [] if left else [names.check(catalog.relation(state, model, table), check)],
        scans=f"checks that no {model.column} is NULL",
    )  # fmt: skip


def findings(state: State, model: Model) -> list[Finding]:
    """Return findings that show whether the column exists, has the model's type, and is NOT NULL."""
    found = []
    for table in catalog.tables(state, model):
        column = catalog.tenant_column(state, table.name)
        found.append(finding(model.column, table.name, True, column is not None))
        if column is not None:
            found += [
                finding("type", table.name, model.column_type, column["type"]),
                finding("NOT NULL", table.name, True, column["not_null"]),
            ]
    return found


def rollback(back: Rollback) -> list[Statement]:
    """Return the statements that drop the column, or restore its original nullability. All rows remain."""
    # The table comes first, because DROP COLUMN and DROP NOT NULL on the table also apply to its partitions.
    return [
        statement
        for item in back.from_the_top
        if item.now["column"] is not None
        for statement in _back_of_relation(back, item)
    ]


def _back_of_relation(back: Rollback, item: RelationRollback) -> list[Statement]:
    column, now, before = identifier(back.model.column), item.now["column"], item.before["column"]
    if before is None:
        reason = f"Drop {back.model.column}; all rows remain"
        drop = item.alter("column.drop", "column", f"DROP COLUMN {column}", reason)
        return [] if item.relation.is_partition else [drop]
    planned = []
    reason = f"Restore the original {back.model.column}"
    check = check_name(back.model, item.table)
    if not item.relation.is_partition and now != before and catalog.depends(back.state, item.table.name, check):
        planned.append(item.alter("check.drop", "not_null", f"DROP CONSTRAINT {identifier(check)}", reason))
    # Since PostgreSQL 18, a partition keeps its own NOT NULL constraint after its primary key is dropped.
    if now["not_null"] and not before["not_null"]:
        planned.append(item.alter("not_null", "not_null", f"ALTER COLUMN {column} DROP NOT NULL", reason))
    if before["not_null"] and _is_dropped_with_the_table(back, item):
        planned.append(item.alter("not_null", "not_null", f"ALTER COLUMN {column} SET NOT NULL", reason))
    return planned


def _is_dropped_with_the_table(back: Rollback, item: RelationRollback) -> bool:
    """Return whether a partition loses its original NOT NULL when its table loses NOT NULL. Since PostgreSQL 18, the
    partition keeps it."""
    if back.state["server_version_num"] >= NAMED_NOT_NULL_VERSION or not item.relation.is_partition:
        return False
    (table,) = [one for one in back.relations if one.table == item.table and not one.relation.is_partition]
    now, before = table.now["column"], table.before["column"]
    return bool(now["not_null"] and not before["not_null"])


def rollback_obstacles(back: Rollback) -> list[str]:
    """Return one obstacle for each object that uses the column to be dropped and was not created by the migration."""
    return [
        text
        for item in back.relations
        if catalog.tenant_column(back.state, item.table.name) is not None
        and catalog.tenant_column(back.snapshot, item.table.name) is None
        for text in _dependents(back, item)
    ]


def _dependents(back: Rollback, item: RelationRollback) -> list[str]:
    model, ours = back.model, indexes.of_migration(back.model, item.relation)
    own = {item.table.policy, *bridge_record.policy_names(item.table), check_name(model, item.table)}
    own |= {name for index in ours for name in (index["name"], index["constraint"])}
    own |= {policy["name"] for policy in item.now["policies"] if readers.is_of_readers(policy)}
    # In this list, only indexes, keys and policies have a name. The migration creates no other dependent objects.
    used = [
        found["description"]
        for found in item.now["column"]["dependents"]
        if found["name"] is None or found["name"] not in own
    ]
    used += [text for index in ours for text in index["dependents"]]
    links = foreign_keys.descriptions(back.state, model)
    return [
        f"{text} uses {item.title}.{model.column}, which the rollback drops: drop the dependent object first."
        for text in sorted({*used} - links)
    ]


def rollback_findings(back: Rollback) -> list[Finding]:
    """Return findings that show whether the column has its original definition, including its default."""
    return [
        finding(
            f"original tenant column{item.where}", item.table.name,
            _definition(item.before["column"]), _definition(item.now["column"]),
        )
        for item in back.known
    ]  # fmt: skip


def _definition(column: Document | None) -> dict[str, Any] | None:
    """Return the properties of the tenant column that belong to the schema."""
    return None if column is None else {name: column[name] for name in ("type", "not_null", "default", "generated")}


# rollback_mode=policies keeps columns and rows.
CHANGE = Change(
    phases=frozenset({"column", "tenant", "not_null"}),
    obstacles=obstacles,
    plan=plan,
    findings=findings,
    rollback=rollback,
    rollback_obstacles=rollback_obstacles,
    rollback_findings=rollback_findings,
    ended_errors=(Ended("column", ("42703", "42P01"), "{column}"),),
)
