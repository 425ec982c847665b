"""The rows of the smoke test's callers: find them, check their tenant, and remove them."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import psycopg2
from psycopg2 import sql

from . import service_login
from .errors import TenancyError

# One table. ``table`` is its name, and ``stored`` is true if the store request must add a row to it. ``tenants``
# contains its rows, grouped by caller and tenant. Each group has ``caller``, ``tenant`` ("" for rows without a tenant,
# None for a table without a tenant column) and ``count``.
Found = dict[str, Any]

# The table is locked by its name first, so that the checked table is also the table that is read.
COLUMNS = """
SELECT c.relkind,
       (SELECT t.typtype = 'b' AND t.typnamespace = 'pg_catalog'::pg_catalog.regnamespace
        FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
        WHERE a.attrelid = c.oid AND a.attname = %(column)s AND NOT a.attisdropped),
       (SELECT t.typtype = 'b' AND t.typnamespace = 'pg_catalog'::pg_catalog.regnamespace
        FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid
        WHERE a.attrelid = c.oid AND a.attname = %(tenant_column)s AND NOT a.attisdropped)
FROM pg_catalog.pg_class c
WHERE c.oid = %(table)s::pg_catalog.regclass
"""
# The rows of this run's caller, and of the callers of lost runs.
ROWS = """
SELECT {column}::pg_catalog.text, {tenant}, pg_catalog.count(*)
FROM {table}
WHERE {column}::pg_catalog.text = %(caller)s
   OR %(prefix)s <> '' AND pg_catalog.starts_with({column}::pg_catalog.text, %(prefix)s)
GROUP BY 1, 2
ORDER BY 1, 2
"""


def read(
    cursor: Any, schema: str, rows: Sequence[Mapping[str, Any]], caller: str, prefix: str, tenant_column: str
) -> list[Found]:
    """Return the rows of ``caller`` and of all callers whose names begin with ``prefix``, read by the administrator.

    With an empty ``prefix``, there are no other callers. ``rows`` has one entry for each table of ``schema``: table,
    column (which identifies the caller), stored. Raises TenancyError for a view, and for a type that is not built in,
    because the code of either would run with the administrator's privileges. Raises psycopg2.Error.
    """
    found = []
    for entry in rows:
        name = f"{schema}.{entry['table']}"
        table = sql.Identifier(schema, entry["table"])
        cursor.execute(sql.SQL("LOCK TABLE {} IN ACCESS SHARE MODE").format(table))
        names = {"column": entry["column"], "tenant_column": tenant_column, "table": table.as_string(cursor)}
        cursor.execute(COLUMNS, names)
        kind, plain, tenant_plain = cursor.fetchone()
        if kind not in ("r", "p"):
            raise TenancyError(f"{name} is not a table: correct its entry in service_smoke_rows.")
        if plain is None:
            raise TenancyError(f"{name} has no column {entry['column']}: correct its entry in service_smoke_rows.")
        for column, known in ((entry["column"], plain), (tenant_column, tenant_plain)):
            if known is False:
                raise TenancyError(
                    f"The type of {name}.{column} is not a built-in type, and a comparison could run the code of the "
                    "type's owner: specify another column in service_smoke_rows."
                )
        tenant = sql.Identifier(tenant_column) if tenant_plain else None
        cursor.execute(
            sql.SQL(ROWS).format(
                tenant=sql.SQL("coalesce({}::text, '')").format(tenant) if tenant else sql.SQL("NULL::text"),
                table=table,
                column=sql.Identifier(entry["column"]),
            ),
            {"caller": caller, "prefix": prefix},
        )
        tenants = [{"caller": who, "tenant": whose, "count": count} for who, whose, count in cursor.fetchall()]
        found.append({"table": name, "stored": entry["stored"], "tenants": tenants})
    return found


def of_caller(found: Sequence[Found], caller: str) -> list[Found]:
    """Return the tables with only the rows of one caller."""
    return [{**table, "tenants": [item for item in table["tenants"] if item["caller"] == caller]} for table in found]


def tenants(found: Sequence[Found], default: str) -> list[str]:
    """Return the tenants of the rows that were found, and the default tenant."""
    seen = {item["tenant"] for table in found for item in table["tenants"]}
    return sorted({default} | {tenant for tenant in seen if tenant})


def callers(found: Sequence[Found], caller: str) -> list[str]:
    """Return the callers of the rows that were found, and the caller of this run."""
    return sorted({caller} | {item["caller"] for table in found for item in table["tenants"]})


def misplaced(found: Sequence[Found], tenant: str, column: str, *, required: bool = True) -> str:
    """Return a sentence if a stored row is missing or has the wrong tenant, else "".

    ``required`` is true if each row must have a tenant; before a migration it is false.
    """
    storing = [table for table in found if table["stored"]]
    if not storing:
        return (
            "No entry of service_smoke_rows has stored: true, so no row can be found. Set stored: true for a table to "
            "which the store request writes."
        )
    for table in storing:
        if not table["tenants"]:
            return (
                f"The service responded that it stored a memory, but {table['table']} contains no row for it: the "
                "service stores the row elsewhere, or after its response. Check which database its sessions use "
                "(DATABASE_URL), or correct service_smoke_rows; for a service that writes later, increase "
                "service_health_timeout (before the change) or service_smoke_margin (after it)."
            )
    for table in found:
        for item in table["tenants"]:
            if item["tenant"] not in ((None, tenant) if required else (None, tenant, "")):
                return (
                    f"The service stored a row in {table['table']} with {column} = {item['tenant'] or 'NULL'} instead"
                    f" of {tenant}, so it does not use the tenant of the request."
                )
    return ""


def left(found: Sequence[Found]) -> str:
    """Return a sentence about the remaining rows of the test, or "" if there are none."""
    counts = {table["table"]: sum(item["count"] for item in table["tenants"]) for table in found}
    named = ", ".join(f"{count} in {table}" for table, count in counts.items() if count)
    return (
        f"Rows of the smoke test's caller remain ({named}) although service_smoke_cleanup ran with the service's "
        "login: correct service_smoke_cleanup, or grant that login DELETE on the tables."
        if named
        else ""
    )


def tables(found: Sequence[Found]) -> set[str]:
    """Return the names, with the schema, of the tables that contain rows."""
    return {table["table"] for table in found if table["tenants"]}


class StatementError(TenancyError):
    """A statement of the cleanup has an invalid placeholder; the message names the statement."""


def remove(login: Mapping[str, Any], tenants: Sequence[str], callers: Sequence[str], statements: Sequence[str]) -> int:
    """Run ``statements`` for each tenant and caller with the service's login; return how many rows they changed.

    ``login`` contains parameters, password, environment, setting (the tenant setting) and seconds (the time limit). A
    trigger runs with the login's privileges, not the administrator's. Raises StatementError, psycopg2.Error and
    sessions.TimeLimitError.
    """
    rows, what = 0, "The cleanup with the service's login"
    parameters, password, environment = login["parameters"], login["password"], login["environment"]
    bounded = service_login.bounded(parameters, password, environment, login["seconds"], what)
    with bounded as connection, connection.cursor() as cursor:
        for tenant in tenants:
            cursor.execute("SELECT pg_catalog.set_config(%s, %s, true)", (login["setting"], tenant))
            for caller, statement in itertools.product(callers, statements):
                cursor.execute(_completed(cursor, statement, caller))
                rows += max(cursor.rowcount, 0)
        connection.commit()
    return rows


def _completed(cursor: Any, statement: str, caller: str) -> bytes:
    """Return a statement of the cleanup with the caller in place of its placeholder. Raises StatementError."""
    try:
        # This call sends nothing to the server, so every error is about the placeholders.
        return bytes(cursor.mogrify(statement, {"user_id": caller}))
    except (psycopg2.ProgrammingError, ValueError, LookupError, TypeError) as error:
        said = " ".join(statement.split())
        raise StatementError(
            f"The statement {said} of service_smoke_cleanup or service_write_cleanup is invalid "
            f"({type(error).__name__}: {error}): write %(user_id)s for the caller, and %% for a percent sign."
        ) from error
