"""The plan backwards: what switches row security off again and keeps the columns and the rows."""

from __future__ import annotations

from collections.abc import Mapping

from ...module_utils.errors import UnsafeStateError
from ...module_utils.quoting import dollar_quoted, identifier, literal, qualified
from ..catalog import state as catalog
from ..catalog.state import Relation
from ..model.model import Model
from . import bridge
from .finding import Finding, finding
from .statement import State, Statement, statement

# The constant default comes first, so that no moment exists in which an insert that names no tenant fails; row security
# goes before the policies, or the owner would see no row between.
PHASES = ("default", "force", "enable", "policy", "bridge")


def policies(state: State, model: Model, *, lone: bool = True) -> list[Statement]:
    """Return the statements of the guide's "Manual Rollback": row security off, columns and data kept.

    Raises UnsafeStateError while rows of another tenant exist, where the default one must be the ``lone`` one: without
    row security every session would see them.
    """
    missing = [table.name for table in model.tables if catalog.table(state, table.name) is None]
    if missing:
        raise UnsafeStateError([f"Table {model.schema}.{name} does not exist." for name in missing])
    foreign = catalog.other_tenants(state, model)
    if foreign and lone:
        counts = ", ".join(f"{name} {count}" for name, count in foreign.items())
        obstacle = (
            f"Rows of tenants other than {model.default_tenant} exist ({counts}): without row security "
            "every session would see them. Move or delete those rows first, or use rollback_mode=restore."
        )
        raise UnsafeStateError([obstacle])
    statements = [
        item
        for table in model.tables
        for relation in catalog.relations(state, model, table)
        for item in _relation(relation, model)
    ]
    statements += bridge.remove(state, model)
    return sorted(statements, key=lambda item: PHASES.index(item["phase"]))


def refuse_other_tenants(state: State, model: Model) -> list[str]:
    """Return the SQL that raises where another tenant has rows: some may have come since the plan was made.

    It belongs behind the locks, before the first statement of ``policies`` or of ``schema.build``.
    """
    column, default = identifier(model.column), model.default_constant
    queries = []
    for table in model.tables:
        if catalog.tenant_column(state, table.name) is None:
            continue
        problem = (
            f"Rows of tenants other than {model.default_tenant} were stored in {table.name} since this run looked: "
            "run it again, and it says which."
        )
        # Not <>, for which no index is of use.
        rows = f"SELECT FROM {qualified(model.schema, table.name)} WHERE {column} < {default} OR {column} > {default}"
        block = f"BEGIN IF EXISTS ({rows}) THEN RAISE USING MESSAGE = {literal(problem)}; END IF; END"
        queries.append(f"DO {dollar_quoted(block)}")
    return queries


def policies_findings(state: State, model: Model, rows_before: Mapping[str, int]) -> list[Finding]:
    """Return the findings after ``policies``: row security off, columns and rows kept."""
    found = [finding("bridge", "", None, bridge.value(state, model))]
    for table in model.tables:
        for relation in catalog.relations(state, model, table):
            where = f" of {relation.name}" if relation.is_partition else ""
            column, rls = relation.document["column"], relation.document["rls"]
            own = [policy["name"] for policy in relation.document["policies"] if policy["name"] == table.policy]
            found += [
                finding(f"RLS{where}", table.name, False, rls["enabled"]),
                finding(f"FORCE{where}", table.name, False, rls["forced"]),
                finding(f"tenant policies{where}", table.name, [], own),
            ]
            if column is not None:
                found.append(finding(f"default{where}", table.name, model.printed_default, column["default"]))
        rows = catalog.required(state, table.name)["rows"]
        found.append(finding("rows unchanged", table.name, rows_before[table.name], rows))
    return found


def _relation(relation: Relation, model: Model) -> list[Statement]:
    table, target, column = relation.table, relation.target, identifier(model.column)
    planned = []
    now, rls = relation.document["column"], relation.document["rls"]
    if now is not None and now["default"] != model.printed_default:
        planned.append(
            statement(
                f"{table.name}.default.constant{relation.suffix}", table.name, "default",
                f"ALTER TABLE {relation.alone} ALTER COLUMN {column} SET DEFAULT {model.default_constant}",
                f"Give a row that names no tenant to tenant {model.default_tenant} again",
            )
        )  # fmt: skip
    if rls["forced"]:
        planned.append(
            statement(
                f"{table.name}.no_force{relation.suffix}", table.name, "force",
                f"ALTER TABLE {target} NO FORCE ROW LEVEL SECURITY",
                "Exempt the owner of the table again",
            )
        )  # fmt: skip
    if rls["enabled"]:
        planned.append(
            statement(
                f"{table.name}.disable{relation.suffix}", table.name, "enable",
                f"ALTER TABLE {target} DISABLE ROW LEVEL SECURITY",
                "Switch row-level security off",
            )
        )  # fmt: skip
    planned += [
        statement(
            f"{table.name}.policy.drop.{policy['name']}{relation.suffix}", table.name, "policy",
            f"DROP POLICY {identifier(policy['name'])} ON {target}",
            "Remove the tenant policy",
        )
        for policy in relation.document["policies"]
        if policy["name"] == table.policy
    ]  # fmt: skip
    return planned
