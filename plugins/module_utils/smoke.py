"""The smoke test: what its answers come to, and whether the rows of its caller are where they belong."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .errors import TenancyError

try:
    from psycopg2 import sql
except ImportError:
    sql = None

# One entry a table: table, stored (whether the store must leave a row there), and tenants: its rows by caller and
# tenant, each with its caller, tenant ("" where it has none, null where the table has no tenant column) and count.
Found = dict[str, Any]
# What the module service_request returns of one request.
Answer = Mapping[str, Any]

# Errors of the database that end with the migration: the SQLSTATEs, what must stand in the error as well, and phases
# of the plan of which one makes it end. (A sentence about a column also names the relation, as that about a relation.)
CURED = (
    (("42703", "42P01"), "{column}", ("column",)),
    (("23502",), "{column}", ("default", "bridge")),
    (("42P10",), "", ("key", "function")),
    # A trigger that calls the function which the plan makes.
    (("42883",), "", ("function",)),
)
# Of policies that were made by hand: a row that they refuse, a setting without a value.
HELD_BACK = ("42501", "42704", "22P02")
ROW_SECURITY = ("bridge", "policy")
DENIED = "permission denied"

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
# Its own rows, and those of runs that were lost.
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
    """Return what the tables hold of ``caller`` and of all that begin with ``prefix``, as the administrator.

    An empty ``prefix`` stands for no other caller. ``rows`` has one entry a table of ``schema``: table, column (that
    names the caller), stored. Raises TenancyError
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
    """Return what was found of one caller alone."""
    return [{**table, "tenants": [item for item in table["tenants"] if item["caller"] == caller]} for table in found]


def tenants(found: Sequence[Found], default: str) -> list[str]:
    """Return under which tenants rows were found, and the default one."""
    seen = {item["tenant"] for table in found for item in table["tenants"]}
    return sorted({default} | {tenant for tenant in seen if tenant})


def callers(found: Sequence[Found], caller: str) -> list[str]:
    """Return whose rows were found, and the caller of this run."""
    return sorted({caller} | {item["caller"] for table in found for item in table["tenants"]})


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


def judged(answer: Answer, about: Mapping[str, Any]) -> dict[str, str]:
    """Return what an answer comes to: ``verdict`` (ok, unproven or trouble) and a sentence for the last two.

    ``about`` has service, secret (the variable's name), token (which kind requests have), before (whether nothing was
    changed yet), phases (those that the plan has statements of), row_security (whether any table has it) and column.

    Before the change all is trouble but an error that the plan makes end. After it, what the database does not cause
    proves nothing, and is none.
    """
    if answer["verdict"] == "ok":
        return {"verdict": "ok", "sentence": ""}
    if about["before"]:
        if answer["verdict"] == "refused":
            return {"verdict": "trouble", "sentence": _refused(answer, about)}
        if cured(answer, about):
            return {
                "verdict": "unproven",
                "sentence": f"The release of {about['service']} that runs does not work before the change"
                f" ({answer['name']}: {answer['said']}); the plan makes that error end, and it is tried after the"
                " start",
            }
    elif answer["verdict"] in ("refused", "unavailable"):
        return {
            "verdict": "unproven",
            "sentence": f"{answer['name']} answers {answer['said']} after the change, which the change does not cause:"
            f" that {about['service']} works is not proven",
        }
    return {
        "verdict": "trouble",
        "sentence": f"The API does not do what it is told: {answer['name']} answers {answer['said']}. The journal of"
        f" {about['service']} says why; correct service_smoke_* if it is a request that this release does not take.",
    }


def troubles(answers: Iterable[Answer], about: Mapping[str, Any]) -> list[str]:
    """Return what is trouble in several answers, as ``judged`` tells it."""
    found = [judged(answer, about) for answer in answers]
    return [item["sentence"] for item in found if item["verdict"] == "trouble"]


def untold(token: str, secret: str) -> str:
    """Return why nobody is known to the service by a token, as a clause; ``token`` is which kind requests have."""
    return {
        "signed": f"it does not believe a token that is signed with {secret} of its environment (HS256)",
        "missing": f"its environment has no {secret} to sign a token with",
        "asymmetric": f"{secret} of its environment is a key with which no token can be signed here",
        "given": "the headers in service_smoke_headers are those of one caller",
        "none": "service_token names no secret to sign a token with",
    }[token]


def _refused(answer: Answer, about: Mapping[str, Any]) -> str:
    reason = untold(about["token"], about["secret"])
    return (
        f"{about['service']} refuses the smoke test's request {answer['name']} ({answer['said']}): {reason}. Give"
        " headers that it accepts in service_smoke_headers (encrypted with ansible-vault); or set service_smoke to read"
        " or none, and the report says what is not proven."
    )


def cured(answer: Answer, about: Mapping[str, Any]) -> bool:
    """Say whether an error of the database ends with the plan. In another language it has no code."""
    code, said, phases = answer["code"], answer["said"], set(about["phases"])
    if answer["verdict"] != "database":
        return False
    if about["row_security"] and phases.intersection(ROW_SECURITY) and DENIED not in said and code in (*HELD_BACK, ""):
        return True
    return any(
        phases.intersection(ends)
        and (code in codes or (needle and not code))
        and re.search(rf"(?<![\w.]){re.escape(needle.format(**about))}", said)
        for codes, needle, ends in CURED
    )


def emptied(answers: Sequence[Answer], earlier: Sequence[Answer]) -> list[str]:
    """Return which of the same requests shows nothing any more in a part that held something ``earlier``."""
    before = {answer["name"]: set(answer["filled"]) for answer in earlier}
    return [answer["name"] for answer in answers if before.get(answer["name"], set()) - set(answer["filled"])]
