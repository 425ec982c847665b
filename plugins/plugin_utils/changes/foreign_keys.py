"""Addition of the tenant column to foreign keys between tenant tables. No row can then reference another tenant's row.

A foreign key with the tenant column needs a unique key with that column. One transaction replaces both. It drops the
old foreign key before the old unique key, and adds the new foreign key after the new unique key. The foreign key keeps
its name, actions and comment.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...module_utils.quoting import identifier, literal, qualified
from ..catalog import state as catalog
from ..catalog.state import Relation
from ..model.model import ForeignKey, Model, Table
from .change import Change, RelationRollback, Rollback, by_name, made, missing
from .finding import Finding, finding
from .statement import State, Statement, statement

Document = Mapping[str, Any]

# The values of pg_constraint.confupdtype and confdeltype. NO ACTION is the default, so it is omitted.
ACTIONS = {"a": "", "r": "RESTRICT", "c": "CASCADE", "n": "SET NULL", "d": "SET DEFAULT"}
SETTING_ACTIONS = ("n", "d")
# ON DELETE SET NULL with a column list exists since this version.
SET_COLUMNS_VERSION = 150000


def of_table(document: Document) -> list[Document]:
    """Return the foreign keys in the document of a table or partition."""
    return list(document.get("foreign_keys", []))


def of_relations(state: State, model: Model, table: Table) -> list[tuple[Relation, Document]]:
    """Return the foreign keys of a table, and those that exist only on its partitions, each with its relation."""
    return [(one, key) for one in catalog.relations(state, model, table) for key in of_table(one.document)]


def descriptions(state: State, model: Model) -> set[str]:
    """Return PostgreSQL's descriptions of the foreign keys in the model, with or without the tenant column."""
    return {
        found["description"]
        for table in catalog.tables(state, model)
        for _, found in of_relations(state, model, table)
        if any(_points(found, model, key) or names_tenant(found, model, key) for key in table.foreign_keys)
    }


def names_tenant(found: Document, model: Model, key: ForeignKey) -> bool:
    """Return whether a foreign key in the state is the model's key in its form with the tenant column."""
    return _is(found, model, key, [(model.column, model.column)])


def _points(found: Document, model: Model, key: ForeignKey) -> bool:
    return _is(found, model, key, [])


def _is(found: Document, model: Model, key: ForeignKey, more: Sequence[tuple[str, str]]) -> bool:
    # The order of the column pairs does not matter.
    pairs = sorted([*zip(key.columns, key.key, strict=True), *more])
    target = {"schema": model.schema, "table": key.references}
    return found["references"] == target and sorted(zip(found["columns"], found["key"], strict=True)) == pairs


def is_enforced(key: Document) -> bool:
    """Return whether PostgreSQL enforces the foreign key: since version 18, it may be NOT ENFORCED."""
    return bool(key.get("enforced", True))


def definition(key: Document) -> str:
    """Return the definition of the foreign key for ADD CONSTRAINT."""
    target = qualified(key["references"]["schema"], key["references"]["table"])
    set_columns = f" ({_list(key['set_columns'])})" if key["set_columns"] else ""
    period = bool(key.get("period"))
    validity = " NOT VALID" if not key["validated"] else ""
    return "".join(
        (
            f"FOREIGN KEY ({_list(key['columns'], period)}) REFERENCES {target} ({_list(key['key'], period)})",
            " MATCH FULL" if key["match"] == "f" else "",
            f" ON UPDATE {ACTIONS[key['update']]}" if ACTIONS[key["update"]] else "",
            f" ON DELETE {ACTIONS[key['delete']]}{set_columns}" if ACTIONS[key["delete"]] else "",
            " DEFERRABLE" if key["deferrable"] else "",
            " INITIALLY DEFERRED" if key["deferred"] else "",
            validity if is_enforced(key) else " NOT ENFORCED",
        )
    )


def add_sql(target: str, key: Document) -> str:
    """Return the statement that adds the foreign key to the table ``target``."""
    return f"ALTER TABLE {target} ADD CONSTRAINT {identifier(key['name'])} {definition(key)}"


def _scans(key: Document) -> str:
    """Return the ``scans`` text of the statement that adds the foreign key."""
    return f"validates the foreign key {key['name']}" if key["validated"] and is_enforced(key) else ""


def _comment(target: str, key: Document) -> list[str]:
    if key["comment"] is None:
        return []
    return [f"COMMENT ON CONSTRAINT {identifier(key['name'])} ON {target} IS {literal(key['comment'])}"]


def obstacles(state: State, model: Model) -> list[str]:
    """Return the reasons why the tenant column cannot be added to foreign keys."""
    return [text for table in catalog.tables(state, model) for text in _of_table(state, model, table)]


def _of_table(state: State, model: Model, table: Table) -> list[str]:
    name, found = f"{model.schema}.{table.name}", []
    for key in table.foreign_keys:
        words = f"({', '.join(key.columns)}) to {key.references} ({', '.join(key.key)})"
        there = [
            (relation, item)
            for relation, item in of_relations(state, model, table)
            if names_tenant(item, model, key) or _points(item, model, key)
        ]
        if not there:
            found.append(f"{name} has no foreign key {words}: correct its entry in tenancy_tables.")
        for relation, item in there:
            if not _has(relation, model, key):
                found += calling(state, relation.schema, relation.name, item)
                found += _actions(state, f"The foreign key {item['name']} of {relation.title}", item)
    own = of_relations(state, model, table)
    return found + [text for relation, item in own for text in _to_part(state, model, relation, item)]


def _has(relation: Relation, model: Model, key: ForeignKey) -> bool:
    """Return whether the relation already has the model's foreign key in its form with the tenant column."""
    return any(names_tenant(item, model, key) for item in of_table(relation.document))


def _actions(state: State, title: str, item: Document) -> list[str]:
    """Return an obstacle for each property of a foreign key whose meaning would change with the tenant column."""
    found = []
    # For one column, FULL and SIMPLE mean the same.
    if item["match"] == "f" and len(item["columns"]) > 1:
        found.append(
            f"{title} is MATCH FULL, which rows with a NULL violate once the key contains the tenant column: make "
            "it MATCH SIMPLE first."
        )
    if item["update"] in SETTING_ACTIONS:
        found.append(
            f"{title} is ON UPDATE {ACTIONS[item['update']]}, which would set the tenant column as well: make it ON "
            "UPDATE CASCADE or NO ACTION first."
        )
    if item["delete"] in SETTING_ACTIONS and state["server_version_num"] < SET_COLUMNS_VERSION:
        found.append(
            f"{title} is ON DELETE {ACTIONS[item['delete']]}, which would set the tenant column as well before "
            "PostgreSQL 15: make it ON DELETE CASCADE or NO ACTION first."
        )
    return found


def _to_part(state: State, model: Model, relation: Relation, item: Document) -> list[str]:
    """Return an obstacle if a foreign key references a partition of a tenant table, because the model cannot list such
    a key."""
    target = (item["references"]["schema"], item["references"]["table"])
    title = f"The foreign key {item['name']} of {relation.title}"
    return [
        f"{title} references {'.'.join(target)}, a partition of {model.schema}.{table.name}: let the key reference "
        f"{model.schema}.{table.name}, or drop the key first."
        for table in catalog.tables(state, model)
        if any((part.schema, part.name) == target for part in catalog.partitions(state, table))
    ]


def calling(state: State, schema: str, name: str, key: Document) -> list[str]:
    """Return an obstacle if PostgreSQL would call functions of ordinary roles to validate a new foreign key."""
    references = key["references"]
    functions: set[str] = set()
    for own, other in zip(key["columns"], key["key"], strict=True):
        left = _converted(state, schema, name, own)
        right = _converted(state, references["schema"], references["table"], other)
        # PostgreSQL compares values of the same type without a conversion.
        if left != right:
            functions |= {function for _, function in left | right}
    if not functions:
        return []
    refusal = (
        f"The foreign key {key['name']} of {schema}.{name} calls {', '.join(sorted(functions))} to compare its "
        "columns, and a new key would call this code for every row with the privileges of a superuser: give both "
        "columns the same type first."
    )
    return [refusal]


def _converted(state: State, schema: str, table: str, column: str) -> set[tuple[str, str]]:
    return {
        (item["type"], item["function"])
        for item in state["code"]["converted"]
        if (item["schema"], item["table"], item["column"]) == (schema, table, column)
    }


def plan(state: State, model: Model) -> list[Statement]:
    """Return the statements that replace the foreign keys with keys that contain the tenant column."""
    return [item for table in catalog.tables(state, model) for item in _planned(state, model, table)]


def _planned(state: State, model: Model, table: Table) -> list[Statement]:
    return [
        item
        for key in table.foreign_keys
        for relation in catalog.relations(state, model, table)
        for item in _exchanged(model, relation, key)
    ]


def _exchanged(model: Model, relation: Relation, key: ForeignKey) -> list[Statement]:
    """Return the statements that replace one foreign key on a table or an individual partition."""
    statements, table, target = [], relation.table.name, relation.target
    present = _has(relation, model, key)
    identity = f"{table}.foreign_key.{'_'.join(key.columns)}"
    reason = "Add the tenant column to foreign keys, so that no row references another tenant's row"
    for item in of_table(relation.document):
        if not _points(item, model, key):
            continue
        drop = f"ALTER TABLE {target} DROP CONSTRAINT {identifier(item['name'])}"
        statements.append(statement(f"{identity}.drop{relation.suffix}", table, "unlink", drop, reason))
        if not present:
            add, where = add_sql(target, _with_tenant(item, model)), relation.suffix
            statements.append(statement(f"{identity}{where}", table, "link", add, reason, scans=_scans(item)))
            statements += [
                statement(f"{identity}.comment{where}", table, "link", sql, reason) for sql in _comment(target, item)
            ]
            present = True
    return statements


def _with_tenant(key: Document, model: Model) -> Document:
    # SET NULL and SET DEFAULT apply to the other columns only, never to the tenant column.
    set_columns = key["set_columns"] or (key["columns"] if key["delete"] in SETTING_ACTIONS else None)
    return {
        **key, "columns": [model.column, *key["columns"]], "key": [model.column, *key["key"]],
        "set_columns": set_columns, "match": "s",
    }  # fmt: skip


def findings(state: State, model: Model) -> list[Finding]:
    """Return findings that show whether every foreign key of the model contains the tenant column, and whether keys
    without that column are left."""
    found = []
    for table in catalog.tables(state, model):
        keys = [item for _, item in of_relations(state, model, table)]
        for key in table.foreign_keys:
            words = f"foreign key ({', '.join(key.columns)})"
            there = any(names_tenant(item, model, key) for item in keys)
            left = [item["name"] for item in keys if _points(item, model, key)]
            found += [
                finding(f"{words} contains the tenant column", table.name, True, there),
                finding(f"{words} without the tenant column left", table.name, [], left),
            ]
    return found


def rollback(back: Rollback) -> list[Statement]:
    """Return the statements that drop the foreign keys with the tenant column, and restore those of the snapshot."""
    # The table comes first. Otherwise, PostgreSQL would attach an equal foreign key of a partition to the table's
    # foreign key.
    return [statement for item in back.from_the_top for statement in _back_of_relation(back, item)]


def _back_of_relation(back: Rollback, item: RelationRollback) -> list[Statement]:
    reason = "Drop the foreign keys with the tenant column"
    planned = [
        item.alter(f"foreign_key.drop.{name}", "unlink", f"DROP CONSTRAINT {identifier(name)}", reason)
        for name in _changed(back, item)
    ]
    for key in _of_before(back, item):
        name, sql = key["name"], add_sql(item.target, key)
        reason = "Restore the original foreign keys"
        planned.append(item.statement(f"foreign_key.{name}", "link", sql, reason, scans=_scans(key)))
        planned += item.comment(f"CONSTRAINT {identifier(name)} ON {item.target}", key["comment"])
    return planned


def _changed(back: Rollback, item: RelationRollback) -> list[str]:
    now, before = (by_name(of_table(document)) for document in (item.now, item.before))
    return [
        name
        for name, key in now.items()
        if any(names_tenant(key, back.model, wanted) for wanted in item.table.foreign_keys)
        and (name not in before or made(key) != made(before[name]))
    ]


def _of_before(back: Rollback, item: RelationRollback) -> list[Document]:
    now, changed = by_name(of_table(item.now)), _changed(back, item)
    return [key for key in of_table(item.before) if key["name"] not in now or key["name"] in changed]


def rollback_obstacles(back: Rollback) -> list[str]:
    """Return an obstacle for each function of an ordinary role that a restored foreign key would call."""
    return [
        text
        for item in back.relations
        for key in _of_before(back, item)
        for text in calling(back.state, item.relation.schema, item.relation.name, key)
    ]


def rollback_findings(back: Rollback) -> list[Finding]:
    """Return findings that show whether every foreign key of the snapshot exists."""
    return [
        finding(
            f"original foreign keys{item.where} that are missing", item.table.name, [],
            missing(of_table(item.before), of_table(item.now)),
        )
        for item in back.known
    ]  # fmt: skip


def _list(names: Sequence[str], period: bool = False) -> str:
    """Return the quoted columns as text. With ``period``, the last column is the period of the key (PostgreSQL 18)."""
    listed = [*map(identifier, names)]
    return ", ".join([*listed[:-1], f"PERIOD {listed[-1]}"] if period else listed)


# rollback_mode=policies keeps the keys.
CHANGE = Change(
    phases=frozenset({"unlink", "link", "comment"}),
    obstacles=obstacles,
    plan=plan,
    findings=findings,
    rollback=rollback,
    rollback_obstacles=rollback_obstacles,
    rollback_findings=rollback_findings,
    audit_rules=frozenset({"foreign-key"}),
)
