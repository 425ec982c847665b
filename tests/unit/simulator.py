"""A simulated database: it applies the parse trees of planned SQL to a state document, and ignores statement ids."""

from __future__ import annotations

import copy
from typing import Any

import pglast
from pglast import ast, enums

State = dict[str, Any]
SESSION = "(NULLIF(current_setting('app.current_tenant'::text, true), ''::text))::integer"
WATCH = "((customer_id IS NOT NULL) AND ( SELECT tenancy_bridge_note({}) AS tenancy_bridge_note))"
PREDICATE = f'(customer_id = ( SELECT {SESSION} AS "nullif"))'


def run(state: State, statements: list[dict[str, Any]]) -> State:
    """Return the state after ``statements``. Raises KeyError for an unknown kind of statement."""
    after = copy.deepcopy(state)
    for statement in statements:
        for raw in pglast.parse_sql(statement["sql"]):
            HANDLERS[type(raw.stmt)](after, raw.stmt)
    return after


def _table(state: State, name: str) -> State:
    document: State = state["tables"][name]
    assert document["exists"]
    return document


def _index_entry(name: str, names: list[str], unique: bool, descending: list[bool]) -> State:
    words = "CREATE UNIQUE INDEX" if unique else "CREATE INDEX"
    return {
        "name": name, "definition": f"{words} {name} ON t ({', '.join(names)})", "columns": names, "names": names,
        "descending": descending, "method": "btree", "plain": True, "unique": unique, "valid": True,
        "replica_identity": False, "clustered": False, "comment": None, "tablespace": None, "constraint": None,
        "constraint_type": None, "constraint_definition": None, "constraint_comment": None, "dependents": [],
        "key": key_entry(names) if unique else None,
    }  # fmt: skip


def key_entry(names: list[str]) -> State:
    """Return the fields of a plain unique key on text columns."""
    elements = [
        {"sql": name, "column": name, "collation": None, "class": None, "options": None, "descending": False,
         "nulls_first": False, "operator": None}
        for name in names
    ]  # fmt: skip
    return {
        "elements": elements, "columns": sorted(names), "include": [], "nulls_not_distinct": False, "period": False,
        "predicate": None, "storage": None, "deferrable": False, "deferred": False, "statistics": [], "extensions": [],
    }  # fmt: skip


def _deparsed_default(node: Any) -> str:
    constant: Any = node.val if isinstance(node, ast.A_Const) else None
    return str(constant.ival) if isinstance(node, ast.A_Const) else SESSION


def _alter_table(state: State, node: Any) -> None:
    document = _table(state, node.relation.relname)
    for command in node.cmds:
        kind = command.subtype
        if kind == enums.AlterTableType.AT_AddColumn:
            assert document["column"] is None
            default = next(
                item.raw_expr for item in command.def_.constraints if item.contype == enums.ConstrType.CONSTR_DEFAULT
            )
            document["column"] = {
                "type": "integer", "not_null": True, "default": _deparsed_default(default), "generated": False,
                "tenants": {_deparsed_default(default): document["rows"]} if document["rows"] else {},
                "dependents": [], "nulls": 0,
            }  # fmt: skip
            document["columns"].append(command.def_.colname)
        elif kind == enums.AlterTableType.AT_SetNotNull:
            assert document["column"]["nulls"] == 0, "SET NOT NULL on a column with NULLs"
            document["column"]["not_null"] = True
        elif kind == enums.AlterTableType.AT_ColumnDefault:
            document["column"]["default"] = _deparsed_default(command.def_)
        elif kind == enums.AlterTableType.AT_DropConstraint:
            keys = document.get("foreign_keys", [])
            before = len(document["indexes"]) + len(keys)
            document["indexes"] = [i for i in document["indexes"] if i["constraint"] != command.name]
            keys[:] = [key for key in keys if key["name"] != command.name]
            assert len(document["indexes"]) + len(keys) == before - 1
        elif kind == enums.AlterTableType.AT_AddConstraint and command.def_.contype == enums.ConstrType.CONSTR_FOREIGN:
            _foreign_key(state, node.relation.relname, command.def_)
        elif kind == enums.AlterTableType.AT_AddConstraint:
            index = next(i for i in document["indexes"] if i["name"] == command.def_.indexname)
            primary = command.def_.contype == enums.ConstrType.CONSTR_PRIMARY
            assert not any(i["constraint"] == command.def_.conname for i in document["indexes"])
            index.update(
                name=command.def_.conname, constraint=command.def_.conname, constraint_type="p" if primary else "u"
            )
        elif kind == enums.AlterTableType.AT_EnableRowSecurity:
            document["rls"]["enabled"] = True
        elif kind == enums.AlterTableType.AT_DisableRowSecurity:
            document["rls"]["enabled"] = False
        elif kind == enums.AlterTableType.AT_ForceRowSecurity:
            document["rls"]["forced"] = True
        elif kind == enums.AlterTableType.AT_NoForceRowSecurity:
            document["rls"]["forced"] = False
        else:
            raise AssertionError(f"ALTER TABLE subtype {kind}")


def _foreign_key(state: State, table: str, node: Any) -> None:
    columns, key = ([name.sval for name in names] for names in (node.fk_attrs, node.pk_attrs))
    keys = [index["names"] for index in _table(state, node.pktable.relname)["indexes"] if index["unique"]]
    assert key in keys, f"no unique key {key}"
    set_columns = [name.sval for name in node.fk_del_set_cols or ()] or None
    _table(state, table)["foreign_keys"].append(
        foreign_key_entry(node.conname, table, columns, node.pktable.relname, key)
        | {
            "match": node.fk_matchtype, "update": node.fk_upd_action, "delete": node.fk_del_action,
            "set_columns": set_columns, "deferrable": node.deferrable, "deferred": node.initdeferred,
            "validated": node.initially_valid,
        }
    )  # fmt: skip


def _comment(state: State, node: Any) -> None:
    table, name = node.object[-2].sval, node.object[-1].sval
    (key,) = (key for key in _table(state, table)["foreign_keys"] if key["name"] == name)
    key["comment"] = node.comment


def _alter(state: State, node: Any) -> None:
    if node.objtype != enums.ObjectType.OBJECT_VIEW:
        _alter_table(state, node)
        return
    (command,) = node.cmds
    (option,) = command.def_
    reset = command.subtype == enums.AlterTableType.AT_ResetRelOptions
    value = None if reset else getattr(option.arg, "sval", None) or option.arg.names[-1].sval
    state["views"][node.relation.relname]["security_invoker"] = value


def _update(state: State, node: Any) -> None:
    column = _table(state, node.relation.relname)["column"]
    tenant = str(node.targetList[0].val.val.ival)
    column["tenants"][tenant] = column["tenants"].get(tenant, 0) + column["nulls"]
    column["nulls"] = 0


def _index(state: State, node: Any) -> None:
    document = _table(state, node.relation.relname)
    assert not any(i["name"] == node.idxname for t in state["tables"].values() for i in t["indexes"])
    descending = [item.ordering == enums.SortByDir.SORTBY_DESC for item in node.indexParams]
    names = [item.name for item in node.indexParams]
    document["indexes"].append(_index_entry(node.idxname, names, node.unique, descending))


def _drop(state: State, node: Any) -> None:
    for item in node.objects:
        if node.removeType == enums.ObjectType.OBJECT_FUNCTION:
            name, types = item.objname[-1].sval, [_catalog_type(argument) for argument in item.objargs or ()]
            state["functions"] = [f for f in state["functions"] if (f["name"], f["types"]) != (name, types)]
            continue
        parts = [part.sval for part in item]
        if node.removeType == enums.ObjectType.OBJECT_POLICY:
            document = _table(state, parts[-2])
            document["policies"] = [p for p in document["policies"] if p["name"] != parts[-1]]
        elif node.removeType == enums.ObjectType.OBJECT_SEQUENCE:
            watch = state["bridge_watch"]
            del watch["sequences"][parts[-1]]
            watch["exists"] = bool(watch["sequences"])
        else:
            assert node.removeType == enums.ObjectType.OBJECT_INDEX
            for document in state["tables"].values():
                document["indexes"] = [i for i in document["indexes"] if i["name"] != parts[-1]]


def _policy(state: State, node: Any) -> None:
    _table(state, node.table.relname)["policies"].append(
        {
            "name": node.policy_name, "command": node.cmd_name.upper(), "permissive": node.permissive,
            "roles": [role.rolename for role in node.roles], "public": False,
            "using": _predicate(node, node.qual), "check": _predicate(node, node.with_check),
        }
    )  # fmt: skip


def _predicate(node: Any, written: Any) -> str | None:
    """Return a policy's predicate as PostgreSQL prints it. A restrictive policy records the bridge's use."""
    if written is None:
        return None
    if node.permissive:
        return PREDICATE
    (noted,) = (part for part in written.args if isinstance(part, ast.SubLink))
    given = noted.subselect.targetList[0].val.args or ()
    return WATCH.format(", ".join("'" + value.val.sval.replace("'", "''") + "'::text" for value in given))


def _grant(state: State, node: Any) -> None:
    if node.objtype == enums.ObjectType.OBJECT_SEQUENCE:
        for target in node.objects:
            state["bridge_watch"]["sequences"][target.relname]["granted"] = node.is_grant
        return
    if node.objtype == enums.ObjectType.OBJECT_FUNCTION:
        (target,) = node.objects
        name, types = target.objname[-1].sval, [_catalog_type(argument) for argument in target.objargs or ()]
        (function,) = (f for f in state["functions"] if (f["name"], f["types"]) == (name, types))
        function["granted"] = node.is_grant
        return
    assert not node.is_grant
    document = _table(state, node.objects[0].relname)
    gone = {privilege.priv_name.upper() for privilege in node.privileges}
    document["granted_excess"] = [p for p in document["granted_excess"] if p not in gone]
    document["excess_privileges"] = [p for p in document["excess_privileges"] if p not in gone]


def _sequence(state: State, node: Any) -> None:
    watch = state["bridge_watch"]
    watch["exists"] = True
    watch["sequences"][node.sequence.relname] = {"granted": False}


def _role_setting(state: State, node: Any) -> None:
    if node.setstmt.kind == enums.VariableSetKind.VAR_RESET:
        del state["bridges"][node.role.rolename]
    else:
        state["bridges"][node.role.rolename] = node.setstmt.args[0].val.sval


def _catalog_type(node: Any) -> str:
    name: str = node.names[-1].sval
    return {"int4": "integer", "varchar": "character varying"}.get(name, name)


def _function(state: State, node: Any) -> None:
    name = node.funcname[-1].sval
    types = [_catalog_type(parameter.argType) for parameter in node.parameters or ()]
    body = next(option.arg[0].sval for option in node.options if option.defname == "as")
    # Replacing a function keeps its privileges.
    granted = any(f["granted"] for f in state["functions"] if (f["name"], f["types"]) == (name, types))
    state["functions"] = [f for f in state["functions"] if (f["name"], f["types"]) != (name, types)]
    document = {
        "name": name, "types": types, "body": body, "definition": "\nAS $x$", "granted": granted, "language": "plpgsql",
        "returns": _catalog_type(node.returnType), "names": [parameter.name for parameter in node.parameters or ()],
    }  # fmt: skip
    state["functions"].append(document)


HANDLERS = {
    ast.AlterTableStmt: _alter,
    ast.CommentStmt: _comment,
    ast.UpdateStmt: _update,
    ast.IndexStmt: _index,
    ast.DropStmt: _drop,
    ast.CreatePolicyStmt: _policy,
    ast.GrantStmt: _grant,
    ast.AlterRoleSetStmt: _role_setting,
    ast.CreateFunctionStmt: _function,
    ast.CreateSeqStmt: _sequence,
}


def foreign_key_entry(name: str, table: str, columns: list[str], references: str, key: list[str]) -> State:
    """Return a foreign key without actions, in the form of the state document."""
    return {
        "name": name, "description": f"constraint {name} on table {table}", "columns": columns,
        "references": {"schema": "public", "table": references}, "key": key, "match": "s", "update": "a", "delete": "a",
        "set_columns": None, "deferrable": False, "deferred": False, "validated": True, "comment": None,
    }  # fmt: skip


def index_entry(name: str, names: list[str], *, unique: bool = False, constraint: str | None = None) -> State:
    """Return an index in the form of the state document; ``constraint`` is its type (p or u)."""
    entry = _index_entry(name, names, unique, [False] * len(names))
    if constraint:
        kind = "PRIMARY KEY" if constraint == "p" else "UNIQUE"
        entry.update(constraint=name, constraint_type=constraint, constraint_definition=f"{kind} ({', '.join(names)})")
    return entry
