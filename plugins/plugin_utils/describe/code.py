"""Draft the new bodies of functions, and the changes that the operator makes by hand before the migration."""

from __future__ import annotations

import re
from typing import Any

from ...module_utils.messages import visible
from ..catalog import definitions
from ..model.model import LANGUAGES
from ..model.tenants import TENANT_TYPES
from . import bodies, entries
from .catalog import Document
from .described import Described, body_of


def functions(described: Described) -> list[dict[str, Any]]:
    """Return title, entry and decision of each function to list in ``tenancy_functions``.

    If possible, the proposed body includes the tenant.
    """
    keys = {
        table.name: [tuple(key) for key in entries.keys(table)[1]] for table in described.tables.values()
    }  # fmt: skip
    column = described.tenant_column()
    session = TENANT_TYPES[column["type"]].session(column["setting"])
    found = []
    for item in _without_tenant(described):
        body = _replaceable_body(item, described)
        if body is None:
            continue
        tenant = _tenant_of_row(item, described) or session
        proposed = bodies.with_tenant(body, described.schema, keys, described.column, tenant)
        entry = {name: item[name] for name in ("name", "arguments", "identity", "returns")}
        entry |= {"language": item["language"]} if item["language"] != "plpgsql" else {}
        decision = "The current body does not use the tenant. Review the body below, which does."
        if proposed.left:
            left = visible(" / ".join(proposed.left))
            decision = f"The body writes rows without the tenant. Add the tenant to: {left}"
        if not item["body"]:
            decision += " The SQL-standard body becomes a string."
        found.append({"title": _title(item), "entry": {**entry, "body": proposed.body}, "decision": decision})
    return found


def by_hand(described: Described) -> list[dict[str, Any]]:
    """Return the changes to make by hand, each with why, decision, sql, ``commented`` and ``function``.

    ``commented`` is whether the SQL is commented out, and ``function`` is whether the change affects a function.
    """
    return [*_extensions(described), *_functions_by_hand(described), *_relations(described)]


def _without_tenant(described: Described) -> list[Document]:
    """Return the functions that write to tenant tables and do not contain the name of the tenant column."""
    return [
        item
        for item in described.functions
        if any(entry.table in described.by_name for entry in bodies.written(body_of(item), described.schema))
        and not bodies.names_column(body_of(item), described.column)
    ]


def _replaceable_body(function: Document, described: Described) -> str | None:
    """Return the body of a function if the migration can replace it, or None.

    An SQL-standard body is converted to a string. PostgreSQL parses such a body when the function is created, but the
    tenant column does not exist yet.
    """
    if function["schema"] != described.schema or function["language"] not in LANGUAGES:
        return None
    if function["body"]:
        return str(function["body"])
    _, body = definitions.without_body(function["definition"])
    found = re.fullmatch(r"BEGIN ATOMIC\n(.*)\nEND", body, re.DOTALL)
    return found[1] if found else None


def _tenant_of_row(function: Document, described: Described) -> str | None:
    """Return SQL for the tenant of the trigger's row, or None.

    The tenant is known only if all triggers that call the function are row triggers of tenant tables.
    """
    if not function["trigger"]:
        return None
    events: set[str] = set()
    for title, table in described.catalog.tables.items():
        for trigger in table.document["triggers"]:
            if trigger["function"] == function["id"]:
                events |= set(trigger["events"]) if trigger["row"] and title in described.tables else {"another"}
    column = bodies.quoted(described.column)
    if events == {"delete"}:
        return f"OLD.{column}"
    return f"NEW.{column}" if events and events <= {"insert", "update"} else None


def _hand(why: str, sql: str, decision: str | None, *, function: bool = False) -> dict[str, Any]:
    return {"why": why, "sql": sql, "decision": decision, "commented": decision is not None, "function": function}


def _extensions(described: Described) -> list[dict[str, Any]]:
    excluded = [name for table in described.tables.values() for name in table.gist_exclusions()]
    if not excluded or "btree_gist" in described.catalog.document["extensions"]:
        return []
    why = f"GiST needs this extension to compare the tenant column, which the migration adds to {', '.join(excluded)}."
    return [_hand(why, "CREATE EXTENSION btree_gist;", None)]


def _functions_by_hand(described: Described) -> list[dict[str, Any]]:
    found = []
    for item in _without_tenant(described):
        if _replaceable_body(item, described) is not None:
            continue
        body = body_of(item)
        lines = [
            bodies.line(body, entry.start)
            for entry in bodies.written(body, described.schema)
            if entry.table in described.by_name
        ]
        kind = "procedure" if item["kind"] == "p" else "function"
        why = (
            f"The {kind} {item['schema']}.{_title(item)} in the language {item['language']} writes to tenant tables"
            f" without the tenant: {' / '.join(lines)}"
        )
        sql = item["definition"].rstrip() + ";"
        found.append(_hand(why, sql, "Add the tenant to these statements.", function=True))
    return found


def _relations(described: Described) -> list[dict[str, Any]]:
    found = []
    for title, item in described.catalog.relations.items():
        name = _quoted(item)
        if item["kind"] in ("m", "v") and described.is_over_tenants(title):
            found += _of_view(described, title, item, name)
        if title in described.tables:
            found += _of_table(described, title, item, name)
    return found


def _of_view(described: Described, title: str, item: Document, name: str) -> list[dict[str, Any]]:
    if item["kind"] == "m":
        return [
            _hand(
                f"The materialized view {title} contains the rows of all tenants, and no policy filters them.",
                f"DROP MATERIALIZED VIEW {name};",
                "Drop the view, or give it to a role other than the service's and revoke the service's privileges.",
            )
        ]
    if item["schema"] != described.schema:
        return [
            _hand(
                f"The view {title} shows tenant tables with the privileges of its owner.",
                f"ALTER VIEW {name} SET SCHEMA {bodies.quoted(described.schema)};",
                f"Move the view to {described.schema} and list it in tenancy_views, or drop it.",
            )
        ]
    return []


def _of_table(described: Described, title: str, item: Document, name: str) -> list[dict[str, Any]]:
    parents = [
        _hand(
            f"The table {title} inherits from {parent}, whose policies do not apply to it.",
            f"ALTER TABLE {name} NO INHERIT {_quoted(described.catalog.relations[parent])};",
            "Remove the inheritance. A query of the parent then no longer shows the rows of this table.",
        )
        for parent in item["inherits"]
    ]
    rules = [
        _hand(
            f"The rewrite rule {rule} of {title} runs with the privileges of the table's owner.",
            f"DROP RULE {bodies.quoted(rule)} ON {name};",
            "Drop the rule, and use a trigger.",
        )
        for rule in item["rules"]
    ]
    return [*parents, *rules]


def _quoted(relation: Document) -> str:
    return f"{bodies.quoted(relation['schema'])}.{bodies.quoted(relation['name'])}"


def _title(function: Document) -> str:
    return f"{function['name']}({function['identity']})"
