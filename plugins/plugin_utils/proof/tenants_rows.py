"""The rows that the proof's tenants need in the tenants table, and the attempts to reach other rows of that table.

The service's login stores these rows if it has the privilege. Otherwise, a function that runs with the privileges of
the table's owner stores them. After the proof, a rollback removes the rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ...module_utils.quoting import identifier, literal, qualified
from ..model.model import TENANT, Table, Tenants
from . import samples
from .attempt import EQUAL, NOTHING, ONE, REFUSED, Attempt, Row, made

if TYPE_CHECKING:
    from .proof import Means

Document = Mapping[str, Any]


def sample(means: Means, tenants: Tenants) -> samples.Sample:
    """Return the sample row of the tenants table, without its key.

    Columns of other unique keys have random values, because these keys must be unique across all tenants.
    """
    document = means.documents.get(tenants.name, {})
    keys = [tuple(index["names"]) for index in document.get("indexes", []) if index["unique"] and index["plain"]]
    unique = tuple(key for key in keys if tenants.key not in key)
    given = {**tenants.sample, tenants.key: 0}
    table = Table(tenants.name, unique, (), (), (), given, (), None, adopt=False, append_only={})
    found = samples.of(means.model, table, document, means.types, means.documents)
    return samples.Sample({name: sql for name, sql in found.values.items() if name != tenants.key}, found.missing)


def insert(means: Means, tenants: Tenants, tenant: str) -> str:
    """Return the statement that stores the row of ``tenant`` in the tenants table."""
    model, attributes = means.model, means.documents.get(tenants.name, {}).get("attributes", [])
    given = {name: literal(str(value).replace(TENANT, tenant)) for name, value in tenants.sample.items()}
    values = {**sample(means, tenants).values, **given, tenants.key: f"{literal(tenant)}::{model.column_type}"}
    is_given = any(item["generated"] and item["name"] in values for item in attributes)
    overriding = " OVERRIDING SYSTEM VALUE" if is_given else ""
    target, names = qualified(model.schema, tenants.name), ", ".join(map(identifier, values))
    return f"INSERT INTO {target} ({names}){overriding} VALUES ({', '.join(values.values())})"


def may_insert(means: Means, tenants: Tenants) -> bool:
    """Return whether the service's login can store rows in the tenants table."""
    columns = sorted({*sample(means, tenants).values, *tenants.sample, tenants.key})
    return not means.lacks(tenants.table, "INSERT", columns)


def by_owner(means: Means, one: str, other: str) -> dict[str, Any] | None:
    """Return role, table and statements for storing the tenants' rows as the owner of the table.

    Return None if the service's login can store the rows itself.
    """
    tenants = means.model.tenants
    if tenants is None or tenants.name not in means.documents or may_insert(means, tenants):
        return None
    return {
        "role": means.documents[tenants.name]["owner"],
        "table": qualified(means.model.schema, tenants.name),
        "statements": [insert(means, tenants, tenant) for tenant in (one, other)],
    }


def stored(means: Means, one: str, other: str) -> list[Attempt]:
    """Return the attempts of both tenants to store their rows. Later attempts see these rows."""
    tenants = means.model.tenants
    if tenants is None or not may_insert(means, tenants):
        return []
    sentence = "A tenant stores its row in the tenants table"
    return [
        *made(tenants.table, one, [("own.insert", sentence, insert(means, tenants, one), ONE)], keep=True),
        *made(tenants.table, other, [("own.insert.same", sentence, insert(means, tenants, other), ONE)], keep=True),
    ]


def _updated(means: Means, tenants: Tenants) -> str:
    """Return the column for attempts to update: if possible, one that the service's login can update."""
    document = means.documents.get(tenants.name, {})

    def may(name: str) -> bool:
        return not any(means.lacks(tenants.table, privilege, (name,)) for privilege in ("UPDATE", "SELECT"))

    own = samples.Sample({**sample(means, tenants).values})
    return samples.updated(means.model, tenants.table, own, document, may)


def attempts(means: Means, one: str, other: str) -> list[Attempt]:
    """Return the attempts of a tenant, and of a session without a tenant, on the tenants table."""
    tenants = means.model.tenants
    if tenants is None:
        return []
    model, table = means.model, tenants.table
    third = next(tenant for tenant in model.tenant_type.unused_tenants() if tenant not in (one, other))
    target, key = qualified(model.schema, tenants.name), identifier(tenants.key)
    reads = (table, "SELECT", (tenants.key,))
    name = _updated(means, tenants)
    column = identifier(name)

    def where(tenant: str) -> str:
        return f" WHERE {key} {EQUAL} {literal(tenant)}"

    theirs = NOTHING if tenants.policy == "own" else ONE
    found: Sequence[Row] = [
        ("own.read", "A tenant reads its row in the tenants table", f"SELECT FROM {target}{where(one)}",
         means.allows(ONE, reads)),
        ("read.another", "A tenant reads the row of another tenant in the tenants table",
         f"SELECT FROM {target}{where(other)}", means.allows(theirs, reads)),
        ("update.another", "A tenant changes the row of another tenant in the tenants table",
         f"UPDATE {target} SET {column} = {column}{where(other)}",
         means.allows(NOTHING, reads, (table, "SELECT", (name,)), (table, "UPDATE", (name,)))),
        ("delete.another", "A tenant deletes the row of another tenant in the tenants table",
         f"DELETE FROM {target}{where(other)}", means.allows(NOTHING, reads, (table, "DELETE", ()))),
        ("insert", "A tenant stores the row of another tenant in the tenants table", insert(means, tenants, third),
         REFUSED),
        ("truncate", "A tenant empties the tenants table", f"TRUNCATE {target}", REFUSED),
    ]  # fmt: skip
    unset = [("read.unset", "A session that has reset its tenant reads a row of the tenants table",
              f"SELECT FROM {target}{where(other)}", means.allows(theirs, reads))]  # fmt: skip
    return [*made(table, one, found), *made(table, None, unset)]
