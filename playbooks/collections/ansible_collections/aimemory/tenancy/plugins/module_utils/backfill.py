"""Rows without a tenant get the default one before the service is stopped, over a login that has no other right.

An UPDATE runs the triggers and CHECKs of the table's owner. Over this login they run with the rights to read and change
the tenant column, and with none of the administrator's. The login and its policies live as long as the backfill.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import state as catalog
from .model import Model
from .quoting import derived_name, identifier, literal, qualified
from .statement import State

Item = dict[str, Any]

# Says of a role that a run made it, so that the next one may remove what was left behind.
MARK = "made by the tenancy runbook for a backfill"
POLICY = "tenancy_backfill"
ATTRIBUTES = "LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS NOINHERIT CONNECTION LIMIT 1"
# Pages of a table whose rows are changed in one transaction, which others who change the same rows wait for.
BATCH_PAGES = 100


def role(database: str) -> str:
    """Return the login's name: roles belong to the server, and each database's backfill has its own."""
    return derived_name(POLICY, database)


def items(state: State, model: Model) -> list[Item]:
    """Return the tables that have rows without a tenant: id, table, nulls, prepare, updates, count.

    ``prepare`` is the SQL that gives the login its rights, ``default`` the SQL that lets no more such rows come (or
    None), each of ``updates`` ``{relation, sql}``, where sql takes the first and the last page but one, or none where
    the whole is changed at once; ``count`` selects how many are left.
    """
    found = []
    for table in model.tables:
        column = catalog.tenant_column(state, table.name)
        if column is None or not column["nulls"]:
            continue
        relations = catalog.relations(state, model, table)
        whole, name = qualified(model.schema, table.name), identifier(model.column)
        # A row whose tenant decides where it lies moves, which only an update of the whole table does.
        moves = any(model.column in (relation.document["partition_key"] or ()) for relation in relations)
        updated = relations[:1] if moves else catalog.holders(state, model, table)
        login = identifier(role(model.database))
        prepare = [
            text
            for relation in updated
            for text in (
                f"GRANT SELECT ({name}, ctid), UPDATE ({name}) ON {relation.target} TO {login}",
                *([_policy(model, relation.target)] if relation.document["rls"]["enabled"] else []),
            )
        ]
        update = f"SET {name} = {model.default_constant} WHERE {name} IS NULL"
        found.append(
            {
                "id": f"{table.name}.backfill", "table": table.name, "nulls": column["nulls"], "prepare": prepare,
                # A default of somebody's is left alone: it may give each session its own tenant.
                "default": f"ALTER TABLE {whole} ALTER COLUMN {name} SET DEFAULT {model.default_constant}"
                if column["default"] is None
                else None,
                "updates": [
                    {
                        "relation": relation.target,
                        "sql": f"UPDATE {relation.target} {update}"
                        + ("" if moves else " AND ctid >= %(first)s::tid AND ctid < %(end)s::tid"),
                        "paged": not moves,
                    }
                    for relation in updated
                ],
                "count": f"SELECT count(*) FROM {whole} WHERE {name} IS NULL",
            }
        )  # fmt: skip
    return found


def _policy(model: Model, target: str) -> str:
    name, login = identifier(model.column), identifier(role(model.database))
    return (
        f"CREATE POLICY {identifier(POLICY)} ON {target} FOR ALL TO {login} "
        f"USING ({name} IS NULL OR {name} = {model.default_constant}) WITH CHECK ({name} = {model.default_constant})"
    )


def login(given: Mapping[str, str]) -> list[str]:
    """Return the SQL that makes the login; ``given`` has name, verifier, database and schema."""
    name = identifier(given["name"])
    return [
        f"CREATE ROLE {name} {ATTRIBUTES} PASSWORD {literal(given['verifier'])}",
        f"COMMENT ON ROLE {name} IS {literal(MARK)}",
        f"GRANT CONNECT ON DATABASE {identifier(given['database'])} TO {name}",
        f"GRANT USAGE ON SCHEMA {identifier(given['schema'])} TO {name}",
    ]


def removal(name: str) -> list[str]:
    """Return the SQL that removes the login with its rights and policies in this database."""
    return [f"DROP OWNED BY {identifier(name)}", f"DROP ROLE {identifier(name)}"]
