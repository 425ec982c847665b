"""Functions that read the state document, which is the result of ``state.sql``."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...module_utils.quoting import identifier, qualified
from ..model.model import Model, Table

Document = Mapping[str, Any]


# The schema in a qualified name.
QUALIFIED = re.compile(r'^(?:[a-z_][a-z0-9_$]*|"(?:[^"]|"")+")\.')


@dataclass(frozen=True)
class Relation:
    """A tenant table or one of its partitions. Each has its own policies, row security, indexes and privileges.

    PostgreSQL applies the policies of the relation that a statement names. Therefore a statement on a partition is
    restricted only by the policies of that partition (PostgreSQL manual, "CREATE POLICY" and 5.12 "Table
    Partitioning").
    """

    table: Table
    schema: str
    name: str
    document: Document
    is_partition: bool

    @property
    def target(self) -> str:
        """Return the qualified name, quoted for SQL."""
        return qualified(self.schema, self.name)

    @property
    def title(self) -> str:
        """Return the name for use in a sentence."""
        return f"{self.schema}.{self.name}"

    @property
    def where(self) -> str:
        """Return the suffix that identifies the partition in a finding. It is empty for the table itself."""
        return f" of {self.name}" if self.is_partition else ""

    @property
    def suffix(self) -> str:
        """Return the suffix for the id of a statement. It is empty for the table itself."""
        return f".{self.title}" if self.is_partition else ""

    @property
    def alone(self) -> str:
        """Return the SQL name for a change that does not apply to the relation's partitions."""
        return f"ONLY {self.target}" if self.is_partitioned else self.target

    @property
    def is_partitioned(self) -> bool:
        """Return whether the relation stores its rows in partitions."""
        return bool(self.document["kind"] == "p")


def table(state: Document, name: str) -> Document | None:
    """Return the document of a table in the state, or None if the table does not exist."""
    document: Document | None = state["tables"].get(name)
    return document if document and document["exists"] else None


def required(state: Document, name: str) -> Document:
    """Return the document of an existing table in the state. Raises KeyError if the table does not exist."""
    document = table(state, name)
    if document is None:
        raise KeyError(name)
    return document


def tables(state: Document, model: Model) -> list[Table]:
    """Return the tables of the model that exist."""
    return [wanted for wanted in model.tables if table(state, wanted.name) is not None]


def relation(state: Document, model: Model, wanted: Table) -> Relation:
    """Return an existing table as a relation. Raises KeyError if the table does not exist."""
    return Relation(wanted, model.schema, wanted.name, required(state, wanted.name), is_partition=False)


def partitions(state: Document, wanted: Table) -> list[Relation]:
    """Return the table's partitions, deepest first."""
    return [
        Relation(wanted, document["schema"], document["name"], document, is_partition=True)
        # A snapshot that an earlier version of this runbook wrote has no entry for partitions.
        for document in required(state, wanted.name).get("partitions", [])
    ]


def relations(state: Document, model: Model, wanted: Table) -> list[Relation]:
    """Return the table and its partitions."""
    return [relation(state, model, wanted), *partitions(state, wanted)]


def holders(state: Document, model: Model, wanted: Table) -> list[Relation]:
    """Return the relations that store the table's rows: the table itself, or its leaf partitions."""
    return [found for found in relations(state, model, wanted) if not found.is_partitioned]


def tenant_column(state: Document, name: str) -> Document | None:
    """Return the document of the tenant column, or None if the table lacks the column.

    The document contains the type, nullability and default, the number of NULLs, and the row count of each tenant.
    Raises KeyError if the table does not exist.
    """
    column: Document | None = required(state, name)["column"]
    return column


def application_role(state: Document) -> Document | None:
    """Return the application role's attributes, or None if the role does not exist."""
    role: Document | None = state["application_role"]
    return role


def excess(document: Document, model: Model, part: str) -> list[str]:
    """Return the privileges in a field of a relation's document, except those that the plan keeps.

    ``part`` is the field: excess_privileges or granted_excess. An application role that owns the relation keeps
    REFERENCES. An owner can grant itself this privilege anyway, and frameworks need it to change the schema.
    """
    kept = "REFERENCES" if document["owner"] == model.application_role else None
    return [privilege for privilege in document[part] if privilege.split()[0] != kept]


def depends(state: Document, name: str, dependent: str) -> bool:
    """Return whether an object with this name depends on the tenant column."""
    column = tenant_column(state, name)
    return column is not None and any(item["name"] == dependent for item in column["dependents"])


def index_named(document: Document, name: str) -> Document | None:
    """Return the relation's index with this name, or None."""
    return next((index for index in document["indexes"] if index["name"] == name), None)


def has_index(document: Document, columns: Sequence[tuple[str, bool]]) -> bool:
    """Return whether a valid btree index covers exactly ``columns`` (name, descending) in that order."""
    return any(
        index["valid"]
        and index["plain"]
        and index["method"] == "btree"
        and list(zip(index["names"], index["descending"], strict=True)) == list(columns)
        for index in document["indexes"]
    )


def unique_key(document: Document, columns: Sequence[str]) -> Document | None:
    """Return the valid unique index on exactly ``columns``, preferably one that backs a constraint."""
    found = [
        index
        for index in document["indexes"]
        if index["unique"] and index["valid"] and index["plain"] and index["names"] == list(columns)
    ]
    return min(found, key=lambda index: index["constraint"] is None, default=None)


def function(state: Document, name: str, identity: str) -> Document | None:
    """Return the function with this name and the argument types ``identity`` (separated by commas), or None."""
    types = [part.strip() for part in identity.split(",") if part.strip()]
    # PostgreSQL qualifies the name of a type that is not built in.
    return next(
        (
            item
            for item in state["functions"]
            if item["name"] == name
            and (item["types"] == types or [QUALIFIED.sub("", each) for each in item["types"]] == types)
        ),
        None,
    )


def other_tenants(state: Document, model: Model) -> dict[str, int]:
    """Return the number of rows that belong to tenants other than the default tenant, by table. Tables without such
    rows are omitted."""
    counted = {}
    for item in model.tables:
        document = table(state, item.name)
        if document is None or document["column"] is None:
            continue
        rows = sum(
            count for tenant, count in document["column"]["tenants"].items() if tenant != str(model.default_tenant)
        )
        if rows:
            counted[item.name] = rows
    return counted


def known_tenant(model: Model, document: Document) -> str | None:
    """Return the tenant whose rows the proof uses in a table: the default tenant, or else the tenant with the most
    rows. Return None if no tenant has rows."""
    if model.default_tenant is not None:
        return str(model.default_tenant)
    tenants = (document.get("column") or {}).get("tenants", {})
    return max(sorted(tenants), key=lambda tenant: int(tenants[tenant]), default=None)


def is_session_default(expression: str | None, model: Model) -> bool:
    """Return whether a column default is the tenant of the session."""
    return expression == model.tenant_type.printed_session(model.setting)


def is_model_predicate(expression: str | None, model: Model, name: str | None = None) -> bool:
    """Return whether a policy's expression is the model's predicate. ``name`` is the compared column, by default the
    tenant column.

    The function compares the complete expression, as PostgreSQL prints it.
    """
    tenant = f'( SELECT {model.tenant_type.printed_session(model.setting)} AS "nullif")'
    return expression in [f"({column} = {tenant})" for column in printed(name or model.column)]


def is_true(text: str) -> bool:
    """Return whether PostgreSQL reads a boolean option as true: any prefix of true or yes, or on, or 1."""
    return re.fullmatch(r"t|tr|tru|true|y|ye|yes|on|1", text, re.IGNORECASE) is not None


def printed(name: str) -> tuple[str, ...]:
    """Return the forms in which PostgreSQL may print an identifier.

    PostgreSQL adds quotes only if the name needs them, or if its version reserves the word.
    """
    plain = name.isascii() and name.replace("_", "a").isalnum() and name == name.lower() and not name[0].isdigit()
    return (name, identifier(name)) if plain else (identifier(name),)


def titles(schema: str, name: str) -> tuple[str, ...]:
    """Return the forms in which PostgreSQL may print the qualified name of a relation."""
    return tuple(f"{first}.{second}" for first in printed(schema) for second in printed(name))


def without_schema(text: str, schema: str) -> str:
    """Return a definition in which names are not qualified with the given schema."""
    for name in sorted(printed(schema), reverse=True):
        text = re.sub(rf'(?<![\w"$.]){re.escape(name)}\.', "", text)
    return text


def is_wanted_policy(policy: Document, model: Model, wanted: Table) -> bool:
    """Return whether a policy is exactly the model's: name, command, role and both predicates."""
    return (
        policy["name"] == wanted.policy
        and policy["command"] == "ALL"
        and policy["permissive"] is True
        and policy["roles"] == [model.application_role]
        and not policy["public"]
        and is_model_predicate(policy["using"], model)
        and is_model_predicate(policy["check"], model)
    )


def policy_sql(policy: Document, target: str) -> str:
    """Return the CREATE POLICY statement that restores ``policy``."""
    roles = ["PUBLIC"] if policy["public"] else [identifier(role) for role in policy["roles"]]
    return " ".join(
        part
        for part in (
            f"CREATE POLICY {identifier(policy['name'])} ON {target}",
            "AS PERMISSIVE" if policy["permissive"] else "AS RESTRICTIVE",
            f"FOR {policy['command']} TO {', '.join(roles)}",
            f"USING ({policy['using']})" if policy["using"] is not None else "",
            f"WITH CHECK ({policy['check']})" if policy["check"] is not None else "",
        )
        if part
    )
