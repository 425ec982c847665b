"""Where the rows of the smoke test's caller are, and whether they are where they belong."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from .errors import TenancyError

try:
    from psycopg2 import sql
except ImportError:
    sql = None

# One entry a table: table, stored (whether the store must leave a row there), and rows by tenant, each with its tenant
# ("" where it has none, null where the table has no tenant column) and count.
Found = dict[str, Any]

# The phases of a plan that decide which rows a session may store.
ROW_SECURITY = ("bridge", "policy")
# The table is locked by its name first: what is judged here is then what is read.
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


def read(cursor: Any, schema: str, rows: Sequence[Mapping[str, Any]], value: str, tenant_column: str) -> list[Found]:
    """Return what the tables hold of the caller ``value``, in a transaction of the administrator's.

    ``rows`` has one entry a table of ``schema``: table, column (that names the caller), stored. Raises TenancyError
    for a view or a type that is not PostgreSQL's own, whose code would run with the administrator's rights, and
    psycopg2.Error.
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
            raise TenancyError(f"{name} is no table: correct its entry in service_smoke_rows.")
        if plain is None:
            raise TenancyError(f"{name} has no column {entry['column']}: correct its entry in service_smoke_rows.")
        for column, known in ((entry["column"], plain), (tenant_column, tenant_plain)):
            if known is False:
                raise TenancyError(
                    f"The type of {name}.{column} is none of PostgreSQL's own, and comparing it could run code of its"
                    " owner: name another column in service_smoke_rows."
                )
        tenant = sql.Identifier(tenant_column) if tenant_plain else None
        cursor.execute(
            sql.SQL("SELECT {tenant}, pg_catalog.count(*) FROM {table} WHERE {column} = %(value)s GROUP BY 1").format(
                tenant=sql.SQL("coalesce({}::text, '')").format(tenant) if tenant else sql.SQL("NULL::text"),
                table=table,
                column=sql.Identifier(entry["column"]),
            ),
            {"value": value},
        )
        tenants = [{"tenant": who, "count": count} for who, count in cursor.fetchall()]
        found.append({"table": name, "stored": entry["stored"], "tenants": tenants})
    return found


def tenants(found: Sequence[Found], default: str) -> list[str]:
    """Return under which tenants rows were found, and the default one."""
    seen = {item["tenant"] for table in found for item in table["tenants"]}
    return sorted({default} | {tenant for tenant in seen if tenant})


def misplaced(found: Sequence[Found], tenant: str, column: str, *, required: bool = True) -> str:
    """Return why what was stored is not where it belongs, in one sentence; "" where it is.

    ``required`` says whether each row must have a tenant; before a migration it need not.
    """
    storing = [table for table in found if table["stored"]]
    if not storing:
        return (
            "No entry of service_smoke_rows says stored: true, so nothing would be found: say where the store writes."
        )
    for table in storing:
        if not table["tenants"]:
            return (
                f"The service answered that it stored a memory, but {table['table']} has no row of it: it stores"
                " somewhere else, or later than it says. See which database its sessions lead to (DATABASE_URL), or"
                " correct service_smoke_rows; for a service that writes later, raise service_smoke_margin."
            )
    for table in found:
        for item in table["tenants"]:
            if item["tenant"] not in ((None, tenant) if required else (None, tenant, "")):
                return (
                    f"What the service stored is in {table['table']} under {column} = {item['tenant'] or 'NULL'}, not"
                    f" under {tenant}: it names another tenant than the one that it is told."
                )
    return ""


def excuse(answer: str, state: Mapping[str, Any], plan: Sequence[Mapping[str, Any]], column: str) -> str:
    """Return why the service cannot store before the migration and can behind it, as a clause; "" if nothing says so.

    ``answer`` is what the service says, ``state`` and ``plan`` the database's and the migration's, ``column`` the
    tenant's.
    """
    tables = state["tables"].values()
    if any(table["column"] is None for table in tables) and re.search(rf"\b{re.escape(column)}\b", answer):
        return f"it names {column}, which is not there yet"
    # What was made by hand may hold back a release that names no tenant.
    if any(table["rls"]["enabled"] for table in tables) and any(item["phase"] in ROW_SECURITY for item in plan):
        return "row security that is there already may keep it from that, and is replaced"
    return ""


def left(found: Sequence[Found]) -> str:
    """Return what of the test is left, in one sentence; "" where nothing is."""
    counts = {table["table"]: sum(item["count"] for item in table["tenants"]) for table in found}
    named = ", ".join(f"{count} in {table}" for table, count in counts.items() if count)
    return (
        f"Rows of the smoke test's caller are left ({named}) although service_smoke_cleanup ran over the service's"
        " login: correct it, or give that login the right to DELETE them."
        if named
        else ""
    )
