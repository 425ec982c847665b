"""Code owned by ordinary roles that an administrator's session would run even if it only reads a table.

Any role that plans a query on a table evaluates, with its own privileges, the constants in the table's index
expressions (PostgreSQL: get_relation_info, eval_const_expressions). Restoring a definition evaluates its literals.
Neither a search path nor row security prevents this, so the run rejects such code before it reads any table.

The planner evaluates a function call if every argument is, or becomes, a constant. It adds the defaults of missing
arguments, and replaces the call of a simple SQL function with its body. For a cast to a domain, it evaluates the
domain's CHECKs in the same way. To estimate the rows that match a predicate, it may call the function of an operator.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

# Objects that are not built into PostgreSQL have OIDs from this number on (FirstNormalObjectId).
_FIRST_NUMBER = 16384
# A bracket of pg_node_tree, or a word. In a name, a backslash escapes a bracket.
_TOKEN = re.compile(r"[(){}]|(?:\\.|[^\s(){}\\])+", re.DOTALL)
# For each kind of node, the field that contains the OID of the called function.
_CALLED = {"FUNCEXPR": "funcid", "OPEXPR": "opfuncid"}
# PostgreSQL truncates longer names (to NAMEDATALEN, minus a partial multibyte character), so their end may be missing.
_LONGEST_NAME = 60
# Nodes that only wrap one argument. PostgreSQL 16 renamed COLLATE to COLLATEEXPR.
_WRAPPERS = {"RELABELTYPE", "COLLATE", "COLLATEEXPR", "COERCEVIAIO", "COERCETODOMAIN"}
_Numbered = Mapping[int, Mapping[str, Any]]
# The objects by OID, for each kind: functions, calls, operators, types and domains.
_Catalog = Mapping[str, _Numbered]


@dataclass(frozen=True)
class _Node:
    """A node of a pg_node_tree: its kind, and the values of each field (words, nodes and lists)."""

    kind: str
    fields: Mapping[str, list[Any]]

    def number(self, field: str) -> int:
        """Return the number in a field."""
        return int(self.fields[field][0])

    def nodes(self, field: str) -> list[_Node]:
        """Return the nodes in a field, which contains either one node or a list."""
        values = self.fields.get(field, [])
        items = [item for value in values for item in (value if isinstance(value, list) else [value])]
        return [item for item in items if isinstance(item, _Node)]


def refusals(found: Mapping[str, Any]) -> list[str]:
    """Return a sentence for each expression whose code would run. ``found`` is the result of expressions.sql."""
    catalog = {kind: _numbered(found[kind]) for kind in ("functions", "calls", "operators", "types", "domains")}
    sentences = [
        f"{what} calls {function['name']}, which belongs to {function['owner']}, {why}: any role that reads"
        f" the table runs it, even a superuser. Inspect the function{also} and make a superuser its owner (ALTER"
        f" FUNCTION {function['name']} OWNER TO CURRENT_USER), or drop the object that calls the function."
        for what, nodes in _expressions(found["computed"], catalog["domains"])
        for node in nodes
        for function, why, also in _computed(node, catalog)
    ]
    sentences += [
        f"{item['what']} contains a value of {item['type']}, a domain whose CHECK calls an ordinary role's code. The"
        " code would run when the definition is restored: make a superuser the owner of the code, or change the"
        " definition."
        for item in found["written"]
    ]
    return list(dict.fromkeys(sentences))


def _expressions(computed: Iterable[Mapping[str, Any]], domains: _Numbered) -> Iterator[tuple[str, list[_Node]]]:
    """Yield the title and the nodes of each expression. If the expression casts to a domain, also yield each CHECK of
    the domain."""
    for item in computed:
        nodes = list(_walk(_parse(item["source"])))
        yield item["what"], nodes
        waiting, done = _cast_to(nodes), set()
        while waiting:
            domain = domains.get(waiting.pop())
            if domain is None or domain["oid"] in done:
                continue
            done.add(domain["oid"])
            waiting.append(domain["base"])
            for check in domain["checks"]:
                nodes = list(_walk(_parse(check)))
                yield f"{item['what']} uses the domain {domain['name']}, whose CHECK", nodes
                waiting += _cast_to(nodes)


def _cast_to(nodes: Iterable[_Node]) -> list[int]:
    """Return the OIDs of the domains to which the nodes cast values."""
    return [node.number("resulttype") for node in nodes if node.kind == "COERCETODOMAIN"]


def _computed(node: _Node, catalog: _Catalog) -> Iterator[tuple[Mapping[str, Any], str, str]]:
    """Yield each function of an ordinary role that the planner runs for a node.

    Each comes with the reason, and with a phrase that names further objects to inspect.
    """
    if "opno" in node.fields:
        operator = catalog["operators"].get(node.number("opno"), {"functions": []})
        for number in operator["functions"]:
            yield catalog["functions"][number], "through an operator whose function the planner calls for estimates", ""
        return
    function = catalog["functions"].get(node.number("funcid")) if node.kind == "FUNCEXPR" else None
    if function is None:
        return
    arguments = node.nodes("args")
    if not any(_varies(argument, catalog["calls"]) for argument in arguments):
        yield function, "with constants, or with values that may become constants", ""
    elif len(arguments) != function["arguments"]:
        yield function, "with defaults of its arguments", " and its defaults"
    elif function["inlined"] and not _is_plain(function, catalog):
        yield function, "whose body uses objects of ordinary roles", " and those objects"


def _varies(node: _Node, calls: _Numbered) -> bool:
    """Return whether an argument can never be simplified to a constant.

    A column can never be simplified. The same applies to a call of a built-in function, or of a function in ``calls``.
    At least one argument of the call must contain a column, and the others must be constants other than NULL. If one of
    them is NULL, the planner simplifies the call of a strict function to NULL.
    """
    if node.kind in ("VAR", "COERCETODOMAINVALUE"):
        return True
    if node.kind in _WRAPPERS:
        return any(_varies(argument, calls) for argument in node.nodes("arg"))
    if node.kind not in _CALLED:
        return False
    number, arguments = node.number(_CALLED[node.kind]), node.nodes("args")
    if number >= _FIRST_NUMBER and calls.get(number, {}).get("arguments") != len(arguments):
        return False
    others = [argument for argument in arguments if not _varies(argument, calls)]
    return len(others) < len(arguments) and all(
        item.kind == "CONST" and item.fields["constisnull"] == ["false"] for item in others
    )


def _is_plain(function: Mapping[str, Any], catalog: _Catalog) -> bool:
    """Return whether the body of an SQL function uses no object of an ordinary role, either by name or through its
    types."""
    if not function["plain_types"]:
        return False
    if function["parsed"]:
        ordinary = {number for kind in ("functions", "operators", "types") for number in catalog[kind]}
        return not any(int(number) in ordinary for number in re.findall(r"\d+", function["parsed"]))
    # lower() is unsuitable: its result for a sigma depends on the next characters.
    body = function["body"].casefold()
    # A name can be written with Unicode escapes: U&"\0066".
    if "u&" in body or any(
        _is_named(item["symbol"], body) for kind in ("functions", "types") for item in catalog[kind].values()
    ):
        return False
    # The parser reads != as <>.
    signs = body + body.replace("!=", "<>")
    return "operator" not in body or not any(
        item["symbol"].casefold() in signs for item in catalog["operators"].values()
    )


def _is_named(name: str, body: str) -> bool:
    """Return whether a body uses the function or type ``name``. The body must qualify the name, because the search path
    contains no schema of an ordinary role."""
    before = r"(?<![\w$])" if "--" in body or "/*" in body else r'\.\s*"?'
    after = "" if len(name.encode()) >= _LONGEST_NAME else r"(?![\w$])"
    return re.search(before + re.escape(name.casefold().replace('"', '""')) + after, body) is not None


def _numbered(items: Iterable[Mapping[str, Any]]) -> _Numbered:
    """Return the items by OID."""
    return {item["oid"]: item for item in items}


def _parse(source: str) -> list[Any]:
    """Return the text of a pg_node_tree as nodes, lists and words."""
    open_lists: list[list[Any]] = [[]]
    for token in _TOKEN.findall(source):
        if token in ("(", "{"):
            open_lists.append([])
        elif token in (")", "}"):
            items = open_lists.pop()
            open_lists[-1].append(items if token == ")" else _node(items))
        else:
            open_lists[-1].append(token)
    return open_lists[0]


def _node(items: list[Any]) -> _Node:
    """Return the node whose kind, field names and values are ``items``."""
    fields: dict[str, list[Any]] = {}
    values: list[Any] = []
    for item in items[1:]:
        if isinstance(item, str) and item.startswith(":"):
            values = fields[item[1:]] = []
        else:
            values.append(item)
    return _Node(items[0], fields)


def _walk(values: Iterable[Any]) -> Iterator[_Node]:
    """Yield every node in ``values``, at any depth."""
    for value in values:
        if isinstance(value, _Node):
            yield value
            yield from _walk(value.fields.values())
        elif isinstance(value, list):
            yield from _walk(value)
