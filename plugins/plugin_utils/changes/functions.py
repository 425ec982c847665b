"""Replacement of the bodies of functions that write to tenant tables. The functions keep their other properties.

CREATE OR REPLACE keeps the owner and the privileges. Because the plan uses the header from the catalogs, the SECURITY,
volatility and SET clauses also remain. CREATE OR REPLACE can change neither the argument names nor the result type
(PostgreSQL manual, "CREATE FUNCTION"). If the model's argument names differ from those in the database, the plan
declares the model's names as aliases. The plan rejects a body whose result type differs.
"""

from __future__ import annotations

import re

from ...module_utils.quoting import dollar_quoted, identifier, qualified
from ..catalog import definitions
from ..catalog import state as catalog
from ..model.model import Function, Model
from . import bridge_record
from .change import Change, Document, Ended, Rollback, missing
from .finding import Finding, finding
from .statement import State, Statement, statement

NAMES = {"plpgsql": "PL/pgSQL", "sql": "SQL"}
# A quoted string, a bracket, a comma, or the text between them.
_PART = re.compile(r"""'[^']*'|"(?:[^"]|"")*"|[()\[\],]|[^'"()\[\],]+""")
_DEFAULT = re.compile(r"\s+DEFAULT\s|\s*:?=", re.IGNORECASE)
_MODE, _OUTPUT = (re.compile(rf"(?:{words})\s+", re.IGNORECASE) for words in ("IN|INOUT|VARIADIC", "OUT|TABLE"))
# The kinds of routines (pg_proc.prokind), as words in a message.
KINDS = {"p": "a procedure", "a": "an aggregate", "w": "a window function", "f": "a function"}


def wanted_body(function: Function, now: Document | None) -> str:
    """Return the body that the function should have.

    A PL/pgSQL body declares aliases for argument names that differ from those in the database. ``now`` is the
    function's document in the state, or None if the function does not exist.
    """
    body = function.body.strip()
    pairs = [
        (wanted, place)
        for place, (wanted, name) in enumerate(
            zip(_names(function), (now or {}).get("names", []), strict=False), start=1
        )
        if wanted and wanted != name
    ]
    if now is None or not pairs or function.language == "sql":
        return body
    aliases = "\n".join(f"  {identifier(wanted)} ALIAS FOR ${place};" for wanted, place in pairs)
    # Without use_column, a reference to a column would be ambiguous if an argument in the header has the same name.
    return f"#variable_conflict use_column\nDECLARE\n{aliases}\nBEGIN\n{body.rstrip(';')};\nEND"


def is_tenant_aware(state: State, function: Function) -> bool:
    """Return whether the function exists and has the body of the model."""
    now = catalog.function(state, function.name, function.identity)
    return now is not None and now["body"].strip() == wanted_body(function, now)


def obstacles(state: State, model: Model) -> list[str]:
    """Return the reasons why the plan cannot replace the bodies of functions."""
    found = []
    for function in model.functions:
        title = f"{model.schema}.{function.name}({function.identity})"
        now = catalog.function(state, function.name, function.identity)
        if now is None:
            found += [
                _irreplaceable(title, KINDS[item["kind"]], item["language"], function)
                for item in state["hazards"]["routines"]
                if (item["name"], item["types"]) == (function.name, _types(function))
            ]
            continue
        if bool(now["returns"]) is not bool(function.returns):
            kind = KINDS["f" if now["returns"] else "p"]
            found.append(_irreplaceable(title, kind, now["language"], function))
            continue
        if now["language"] != function.language:
            wanted = NAMES[function.language]
            found.append(
                f"{title} is written in {now['language']}, but the body in tenancy_functions is in {wanted}: replace "
                f"it with one in {wanted} that has the same arguments and result first."
            )
        elif function.language == "sql" and _names(function) != now["names"]:
            found.append(
                f"{title} has other argument names than tenancy_functions, and an SQL body cannot declare aliases: "
                f"use the names {', '.join(now['names'])} in tenancy_functions."
            )
        if (now["returns"] or "") != function.returns:
            found.append(
                f"{title} returns {now['returns']}, but the body in tenancy_functions returns {function.returns}: "
                "correct the body in tenancy_functions, or replace the function first."
            )
    return found


def _irreplaceable(title: str, kind: str, language: str, function: Function) -> str:
    wanted = f"{NAMES[function.language]} {function.kind.lower()}"
    return f"{title} is {kind} in the language {language}, which a {wanted} cannot replace: drop or rename it first."


def header(document: Document) -> str:
    """Return the definition of a function without its body.

    The owner of the function chose the names and defaults in the header, so they may contain any text, even the body's
    delimiter. The body is therefore removed from the end of the definition (PostgreSQL: pg_get_functiondef).
    """
    if not document["body"]:
        return definitions.without_body(document["definition"])[0]
    # Snapshots of earlier releases contain no result type, so the definition shows whether this is a procedure.
    quote = "$procedure" if document["definition"].startswith("CREATE OR REPLACE PROCEDURE ") else "$function"
    while quote in document["body"]:
        quote += "x"
    definition: str = document["definition"].removesuffix("\n")
    return definition.removesuffix(f"\nAS {quote}${document['body']}{quote}$")


def plan(state: State, model: Model) -> list[Statement]:
    """Return the statements that give the functions the bodies of the model."""
    return [item for function in model.functions for item in _planned(state, model, function)]


def _planned(state: State, model: Model, function: Function) -> list[Statement]:
    now = catalog.function(state, function.name, function.identity)
    name, wanted = qualified(model.schema, function.name), wanted_body(function, now)
    body = dollar_quoted("\n" + wanted + "\n")
    if now is None:
        returns = f" RETURNS {function.returns}" if function.returns else ""
        sql = f"CREATE {function.kind} {name}({function.arguments}){returns} LANGUAGE {function.language} AS {body}"
    else:
        sql = f"{header(now)}\nAS {body}"
    if now is not None and now["body"].strip() == wanted:
        return []
    identity = f"function.{function.name}({function.identity})"
    return [statement(identity, "", "function", sql, f"Make {function.name} work within one tenant")]


def findings(state: State, model: Model) -> list[Finding]:
    """Return findings that show whether each function has the body of the model."""
    return [
        finding(
            f"function {function.name}({function.identity}) is tenant-aware", "", True, is_tenant_aware(state, function)
        )
        for function in model.functions
    ]


def rollback(back: Rollback) -> list[Statement]:
    """Return the statements that drop the functions of the migration and restore those of the snapshot."""
    planned = []
    for function in back.model.functions:
        now, before = _now_and_before(back, function)
        identity = f"function.{function.name}({function.identity})"
        signature = f"{qualified(back.model.schema, function.name)}({function.identity})"
        reason = f"Restore the original {function.name}"
        if now is not None and before is None:
            planned.append(statement(f"{identity}.drop", "", "function", f"DROP {function.kind} {signature}", reason))
        if before is not None and (now is None or now["definition"] != before["definition"]):
            # An SQL-standard body with ON CONFLICT depends on every column of the table, through "excluded". It must
            # therefore be restored after the tenant column is dropped.
            phase = "function" if before["body"] else "restore"
            planned.append(statement(identity, "", phase, before["definition"].strip(), reason))
            # The rollback re-creates a dropped function as a superuser, who then owns it. Unless the function gets its
            # original owner again, a SECURITY DEFINER function runs with the privileges of a superuser.
            if now is None or now["owner"] != before["owner"]:
                sql = f"ALTER {function.kind} {signature} OWNER TO {identifier(before['owner'])}"
                planned.append(statement(f"{identity}.owner", "", phase, sql, reason))
    return planned


def rollback_obstacles(back: Rollback) -> list[str]:
    """Return an obstacle for each type that would run an ordinary role's code when the functions are restored."""
    found = []
    for function in back.model.functions:
        now, before = _now_and_before(back, function)
        if before is not None and (now is None or now["definition"] != before["definition"]):
            what = f"The original function {function.name}"
            # PostgreSQL parses an SQL-standard body when the function is created, so this body is searched as well.
            text = header(before) if before["body"] else before["definition"]
            found += definitions.literals(back.state, what, [text], back.path)
    return found


def rollback_findings(back: Rollback) -> list[Finding]:
    """Return findings that show whether every function of the snapshot exists, and whether functions of the migration
    remain."""
    has_record = bridge_record.was_kept(back)
    # "granted" depends on the login of the service, which the run may have changed.
    now, before = (
        [item if back.is_same_role else {**item, "granted": None} for item in found["functions"]]
        for found in (back.state, back.snapshot)
    )
    before = [item for item in before if item["name"] != bridge_record.NOTE or not has_record]
    left = [
        function.name
        for function in back.model.functions
        if (documents := _now_and_before(back, function))[0] is not None and documents[1] is None
    ]
    return [
        finding("original functions that are missing", "", [], missing(before, now)),
        finding("functions of the migration that are left", "", [], left),
    ]


def _now_and_before(back: Rollback, function: Function) -> tuple[Document | None, Document | None]:
    now, before = (catalog.function(found, function.name, function.identity) for found in (back.state, back.snapshot))
    return now, before


def _types(function: Function) -> list[str]:
    return [part.strip() for part in function.identity.split(",") if part.strip()]


def _names(function: Function) -> list[str]:
    """Return the names of the input arguments in the model, with "" for an argument without a name. The model lists
    each argument as name and type."""
    parts = [_MODE.sub("", part) for part in _arguments(function.arguments) if not _OUTPUT.match(part)]
    found = []
    for part, kind in zip(parts, _types(function), strict=False):
        first = _PART.findall(part)[0] if part.startswith('"') else part.split()[0]
        name = part[: -len(kind)].strip() if part.endswith(kind) else first
        found.append(name[1:-1].replace('""', '"') if name.startswith('"') else name)
    return found


def _arguments(written: str) -> list[str]:
    """Return the arguments without their defaults. A default may contain commas in quotes, brackets and parentheses."""
    found, depth, is_default = [""], 0, False
    for part in _PART.findall(written):
        depth += (part in "([") - (part in ")]")
        if part == "," and not depth:
            found, is_default = [*found, ""], False
            continue
        default = None if is_default or depth else _DEFAULT.search(part)
        found[-1] += "" if is_default else part[: default.start()] if default else part
        is_default = is_default or default is not None
    return [part.strip() for part in found if part.strip()]


# rollback_mode=policies keeps the functions: with or without row security, they use only the rows of one tenant.
CHANGE = Change(
    phases=frozenset({"function", "restore"}),
    obstacles=obstacles,
    plan=plan,
    findings=findings,
    rollback=rollback,
    rollback_obstacles=rollback_obstacles,
    rollback_findings=rollback_findings,
    ended_errors=(
        Ended("function", ("42P10",)),
        # A trigger calls a function that the plan has not created yet.
        Ended("function", ("42883",)),
    ),
    audit_rules=frozenset({"function-without-tenant", "on-conflict-function"}),
)
