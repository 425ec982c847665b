"""Facts in the catalogs that are certain to make the migration fail, found before the run changes anything.

``catalog/hazards.sql`` returns these facts as the document ``hazards`` of the state. This module returns an obstacle
for each certain failure. ``report/notes.py`` returns a note for a possible failure, or for an effect on other roles.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ...module_utils.quoting import identifier, qualified
from ..catalog import state as catalog
from ..catalog import unique_keys
from ..model.model import Model, Table
from ..proof import order, proof, samples
from .statement import State

Document = Mapping[str, Any]

# PostgreSQL's limit for the columns of a table, including dropped columns (manual, appendix K "PostgreSQL Limits").
MAX_COLUMNS = 1600
READ_ONLY = "default_transaction_read_only"
# libpq's options parameter sets READ_ONLY as -c name=on, -cname=on or --name=on, with hyphens or underscores.
IN_URL = re.compile(rf"(?:-c\s*|--){READ_ONLY.replace('_', '[_-]')}\s*=\s*(\w+)", re.IGNORECASE)


def keys(model: Model) -> list[dict[str, Any]]:
    """Return the keys that the plan makes unique per tenant, each with table and columns, as hazards.sql expects."""
    return [{"table": table.name, "columns": list(key)} for table in model.tables for key in model.tenant_keys(table)]


def natural_keys(model: Model) -> list[dict[str, Any]]:
    """Return the natural keys, each with table and columns, as the audit's queries expect."""
    return [{"table": table.name, "columns": list(key)} for table in model.tables for key in table.natural_keys]


def shared_keys(model: Model) -> list[dict[str, Any]]:
    """Return the natural keys whose values several tenants may already share, as hazards.sql expects."""
    adopted = model.tables if model.adopted else ()
    return [{"table": table.name, "columns": list(key)} for table in adopted for key in table.natural_keys]


def links(model: Model) -> list[dict[str, Any]]:
    """Return the foreign keys whose two rows may belong to different tenants, as hazards.sql expects."""
    return [
        {
            "table": table.name, "columns": list(key.columns), "other": key.references, "key": list(key.key),
            "taken": table.tenant_from is not None and set(key.columns) == set(table.tenant_from),
        }
        for table in model.tables if model.adopted for key in table.foreign_keys
    ]  # fmt: skip


def obstacles(state: State, model: Model, url_options: str = "") -> list[str]:
    """Return the facts that are certain to make the migration fail, each as a sentence with its remedy.

    ``url_options`` is the options parameter of DATABASE_URL.
    """
    found = state["hazards"]
    return [
        *(text for table in model.tables for text in _of_table(state, model, table)),
        *order.refused(state, model),
        *(_link(state, model, item) for item in found["links"] if item["rows"] is not None or _is_filled(state, item)),
        *_tenants_rows(state, model),
        *_duplicates(state, model),
        *_read_only(found, model, url_options),
        *(text for item in found["publications"] for text in _publication(item, model)),
        *(_event_trigger(item) for item in found["event_triggers"] if _runs_as_administrator(item)),
        *_subscriptions(found["subscriptions"]),
        *(
            f"The prepared transaction {item['gid']} of {item['owner']} ({item['prepared']}) holds locks on "
            f"{', '.join(item['tables'])} until it ends: run COMMIT PREPARED or ROLLBACK PREPARED first."
            for item in found["prepared"]
        ),
        *(_relation(item) for item in found["relations"] if item["persistence"] == "t"),
        *(text for table in model.tables for text in _row_types(state, model, table)),
        *(
            f"The NOT NULL constraint {item['constraint']} of {item['schema']}.{item['name']}.{model.column} is NOT "
            "VALID, and a primary key needs a valid one: ALTER TABLE "
            f"{qualified(item['schema'], item['name'])} VALIDATE CONSTRAINT {identifier(item['constraint'])} first."
            for item in found["unvalidated"]
        ),
    ]


def _of_table(state: State, model: Model, table: Table) -> list[str]:
    document = catalog.table(state, table.name)
    if document is None:
        return []
    others = {one.name: catalog.table(state, one.name) or {} for one in model.tables}
    found = [] if document["kind"] != "p" or document["bounds"] else [_unparted(model, table)]
    found += samples.lacking(
        model, table, document, state["types"], lambda column: not proof.lacks(document, "INSERT", (column,)), others
    )
    if document["column"] is None:
        found += [
            f"{item['schema']}.{item['name']} has {item['attributes']:,} columns, including dropped ones, but "
            f"PostgreSQL allows no more than {MAX_COLUMNS:,}: first copy it into a new table, which then has no "
            "dropped columns."
            for item in state["hazards"]["relations"]
            if item["attributes"] >= MAX_COLUMNS
            and any((item["schema"], item["name"]) == (one.schema, one.name)
                    for one in catalog.relations(state, model, table))
        ]  # fmt: skip
    elif not (table.adopt or model.adopted) and not is_tied(document, model):
        found += _meanings(state, model, table, document["column"])
    return found


def _unparted(model: Model, table: Table) -> str:
    return (
        f"{model.schema}.{table.name} is partitioned, but none of its partitions can store rows, and the proof stores "
        "some: create a partition first."
    )


def _row_types(state: State, model: Model, table: Table) -> list[str]:
    """Return an obstacle for each column that stores rows of the table's type. Such a column prevents ADD COLUMN with a
    default (0A000)."""
    document = catalog.table(state, table.name)
    if document is None or document["column"] is not None:
        return []
    names = {(relation.schema, relation.name) for relation in catalog.relations(state, model, table)}
    return [
        f"{item['used_by']} stores rows of the type {item['schema']}.{item['name']}, and PostgreSQL cannot add a "
        "column with a default to a table if another column has its row type: first drop that other column, or change "
        "it to jsonb or another type."
        for item in state["hazards"]["row_types"]
        if (item["schema"], item["name"]) in names
    ]


def _meanings(state: State, model: Model, table: Table, column: Document) -> list[str]:
    """Return an obstacle if the column seems to have another meaning: other values, another default, or keys on only
    this column."""
    name = f"{model.schema}.{table.name}.{model.column}"
    others = {tenant: rows for tenant, rows in column["tenants"].items() if tenant != str(model.default_tenant)}
    why = []
    if others:
        few = ", ".join(sorted(others, key=lambda tenant: (len(tenant), tenant))[:3])
        why.append(
            f"contains values other than {model.default_tenant} ({few}{', …' if len(others) > 3 else ''}; "
            f"{sum(others.values()):,} rows)"
        )
    if column["default"] is not None and _literal(column["default"]) != str(model.default_tenant):
        why.append(f"has the default {column['default']}")
    for item in state["hazards"]["meanings"]:
        # A foreign key to the tenants table shows that the column is the tenant column.
        if item["table"] != table.name or (item["own"] and item["other"] == _tenants_title(model)):
            continue
        if item["type"] != "f":
            why.append(f"is unique by {item['constraint']}")
        elif item["own"]:
            why.append(f"references {item['other']} ({item['constraint']})")
        else:
            why.append(f"is referenced by {item['other']} ({item['constraint']})")
    if not why:
        return []
    refusal = (
        f"{name} already exists, {' and '.join(why)}, and no policy or default connects it with {model.setting}, so "
        "the column seems to have another meaning. Rename the column, or choose another tenancy_column. If its values "
        f"are tenants, set adopt: true for {table.name} in tenancy_tables."
    )
    return [refusal]


def _tenants_title(model: Model) -> str:
    return f"{model.schema}.{model.tenants.name}" if model.tenants is not None else ""


def _literal(default: str) -> str:
    """Return the value of a default that is a single literal, as PostgreSQL prints it. Return any other expression
    unchanged."""
    found = re.fullmatch(r"\(?'?([^'()]*)'?\)?(::[\w \".]+)?", default)
    return found[1] if found else default


def is_tied(document: Document, model: Model) -> bool:
    """Return whether the default, or a policy that uses the column and the setting, shows that the column is the tenant
    column."""
    setting = f"current_setting('{model.setting}'"
    tied = document["rls"]["enabled"] and any(
        policy["permissive"] and setting in text and any(name in text for name in catalog.printed(model.column))
        for policy in document["policies"]
        for text in (policy["using"] or "", policy["check"] or "")
    )
    return bool(tied) or catalog.is_session_default(document["column"]["default"], model)


def _duplicates(state: State, model: Model) -> list[str]:
    return [_duplicate(item, model) for item in state["hazards"]["duplicates"] if not _is_exchanged(state, model, item)]


def _is_exchanged(state: State, model: Model, item: Document) -> bool:
    """Return whether an existing key has the columns of ``item``. If it does, duplicates are not an obstacle.

    The plan keeps such a key, or replaces it with a key that allows the existing rows. A partial key, or a key of an
    individual partition, also counts.
    """
    (table,) = (table for table in model.tables if table.name == item["table"])
    return any(
        index["valid"] and unique_keys.serves(index, model, item["columns"], pointed=False)
        for relation in catalog.relations(state, model, table)
        for index in relation.document["indexes"]
    )


def _duplicate(item: Document, model: Model) -> str:
    columns, target = ", ".join(map(identifier, item["columns"])), qualified(model.schema, item["table"])
    query = f"SELECT {columns}, count(*) FROM {target} GROUP BY {columns} HAVING count(*) > 1"
    return (
        f"({', '.join(item['columns'])}) of {model.schema}.{item['table']} is a natural key in tenancy_tables, but "
        f"within a tenant, {item['rows']:,} rows share {item['keys']:,} of its values, and no unique index prevents "
        f"that. Keep one row for each value, or remove the key from natural_keys. {query} returns the values."
    )


def uncompared(state: State, model: Model) -> list[str]:
    """Return a note for each foreign key whose columns the inspection cannot compare."""
    return [
        f"The columns ({', '.join(item['columns'])}) of {model.schema}.{item['table']} or those of {item['other']} "
        "have a type that is not built into PostgreSQL, so the plan cannot look for rows that reference another "
        "tenant's row. Only a full rehearsal finds such rows."
        for item in state["hazards"]["links"]
        if item["rows"] is None and not _is_filled(state, item)
    ]


def _is_filled(state: State, item: Document) -> bool:
    """Return whether the foreign key ``item`` provides the tenant of its table, which lacks the tenant column."""
    document = catalog.table(state, item["table"])
    return bool(item["taken"]) and document is not None and document["column"] is None


def _link(state: State, model: Model, item: Document) -> str:
    """Return an obstacle if rows reference another tenant's row, or if no row provides their tenant."""
    name, columns = f"{model.schema}.{item['table']}", ", ".join(item["columns"])
    if item["rows"] is None:
        return (
            f"{name} takes its tenant from {item['other']} through ({columns}), but one of the compared columns has a "
            "type that is not built into PostgreSQL. Casts of this type may run code of the type's owner: add "
            f"{model.column} to {name} and fill it by hand first."
        )
    if _is_filled(state, item):
        return (
            f"{name} has {item['rows']:,} rows whose tenant is unknown, because their ({columns}) references no row of "
            f"{item['other']}, from which tenant_from takes the tenant: correct or delete these rows first."
        )
    return (
        f"{name} has {item['rows']:,} rows whose ({columns}) references a row of another tenant in {item['other']}: "
        "correct them first, because no row may reference another tenant's row."
    )


def _tenants_rows(state: State, model: Model) -> list[str]:
    """Return an obstacle for each value that the proof needs for its rows in the tenants table but cannot derive."""
    document = catalog.table(state, model.tenants.name) if model.tenants is not None else None
    if model.tenants is None or document is None:
        return []
    return [
        f"{model.schema}.{model.tenants.name}.{name} is NOT NULL without a default, and no value for it can be derived "
        f"({why}): add {name}: … to sample of tenancy_tenants. In this value, %tenant% stands for the tenant."
        for name, why in proof.tenants_sample(state, model, model.tenants).missing.items()
    ]


def _read_only(found: Document, model: Model, url_options: str) -> list[str]:
    in_url = IN_URL.search(url_options)
    strongest = next(iter(found["settings"]), None)
    if in_url is not None:
        value, where = in_url[1], "options= in DATABASE_URL"
    elif strongest is not None:
        value, where = strongest["value"], strongest["place"]
    else:
        return []
    if not catalog.is_true(value):
        return []
    return [
        f"{READ_ONLY} is on for {model.application_role} ({where}): the service cannot store rows. Set it to off first."
    ]


def _publication(item: Document, model: Model) -> list[str]:
    """Return an obstacle if PostgreSQL would refuse UPDATE and DELETE on a published table."""
    if not (item["update"] or item["delete"]) or (item["identity"] == "f" and item["columns"] is None):
        return []
    table = next((table for table in model.tables if table.name == item["table"]), None)
    identity = list(item["identity_columns"])
    if table is not None and model.column not in identity and {*identity} in [{*key} for key in table.natural_keys]:
        identity = [model.column, *identity]
    name = f"{item['schema']}.{item['table']}"
    if not identity:
        return [_without_identity(item, name)]
    found = []
    lacking = [column for column in identity if column not in (item["columns"] or identity)]
    if lacking:
        found.append(
            f"The publication {item['name']} publishes only the columns ({', '.join(item['columns'])}) of {name}, "
            f"without {', '.join(lacking)} of the table's new primary key: PostgreSQL would refuse every UPDATE "
            f"and DELETE (42P10). ALTER PUBLICATION {identifier(item['name'])} DROP TABLE "
            f"{qualified(item['schema'], item['table'])} first. After the migration, add the table to the publication "
            f"again, with {', '.join(lacking)}."
        )
    outside = [column for column in item["filter"] if column not in identity]
    if outside:
        found.append(
            f"The row filter of the publication {item['name']} on {name} uses {', '.join(outside)}, which is not "
            "part of the table's replica identity: PostgreSQL refuses every UPDATE and DELETE (42P10), including those "
            "of the proof. Change the filter or the replica identity first."
        )
    return found


def _without_identity(item: Document, name: str) -> str:
    target = qualified(item["schema"], item["table"])
    why, code, remedy = "which has no replica identity", "55000", f"ALTER TABLE {target} REPLICA IDENTITY FULL"
    if item["columns"] is not None:
        why, code = "whose replica identity is not among the published columns", "42P10"
        remedy = f"ALTER PUBLICATION {identifier(item['name'])} DROP TABLE {target}"
    return (
        f"The publication {item['name']} publishes UPDATE and DELETE of {name}, {why}: PostgreSQL refuses every UPDATE "
        f"and DELETE ({code}), including those of the proof. {remedy} first."
    )


def _runs_as_administrator(item: Document) -> bool:
    return bool(item["enabled"] and not item["owner_superuser"] and not item["definer"])


def _event_trigger(item: Document) -> str:
    off = f"ALTER EVENT TRIGGER {identifier(item['name'])} DISABLE"
    return (
        f"The event trigger {item['name']} ({item['event']}{tags(item)}) runs {item['function']}(), which "
        f"{item['owner']} owns, with the privileges of the role that makes the change, a superuser: run {off} first, "
        "or make a superuser the owner of the function."
    )


def tags(item: Document) -> str:
    """Return the commands of an event trigger as the end of a list, or an empty string if it fires for all commands."""
    return f", {', '.join(item['tags'])}" if item["tags"] else ""


def _subscriptions(items: Iterable[Document]) -> list[str]:
    tables: dict[str, list[str]] = {}
    for item in items:
        if item["enabled"]:
            tables.setdefault(item["name"], []).append(f"{item['schema']}.{item['table']}")
    return [_subscription(name, where) for name, where in tables.items()]


def _subscription(name: str, tables: Sequence[str]) -> str:
    off = f"ALTER SUBSCRIPTION {identifier(name)} DISABLE"
    return (
        f"The enabled subscription {name} stores rows without a tenant in {', '.join(tables)}, and bypasses row "
        f"security: run {off} first, or drop the subscription."
    )


def _relation(item: Document) -> str:
    return (
        f"{item['schema']}.{item['name']} is a temporary table, which other sessions cannot see: correct "
        "tenancy_schema or tenancy_tables."
    )
