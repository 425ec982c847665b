"""Functions that write tenant tables: their bodies become the model's, and all else of them stays.

CREATE OR REPLACE keeps owner and rights, and the header as the catalogs give it keeps SECURITY, volatility and SET
clauses. It can change neither the arguments' names nor the result (PostgreSQL manual, "CREATE FUNCTION"), so that a
body that calls its arguments otherwise gets their names as aliases, and one for another result is refused.
"""

from __future__ import annotations

from ...module_utils.quoting import dollar_quoted, identifier, qualified
from ..catalog import definitions
from ..catalog import state as catalog
from ..model.model import Function, Model
from . import bridge_record
from .change import Change, Document, Ended, Rollback, missing, nothing
from .finding import Finding, finding
from .statement import State, Statement, statement

LANGUAGE = "plpgsql"
# What else bears a name (pg_proc.prokind).
KINDS = {"p": "a procedure", "a": "an aggregate", "w": "a window function", "f": "a function"}


def wanted_body(function: Function, now: Document | None) -> str:
    """Return the body that the function is to have; ``now`` is what it is in the state, if it is there."""
    body = function.body.strip()
    pairs = [
        (wanted, place)
        for place, (wanted, name) in enumerate(
            zip(_names(function), (now or {}).get("names", []), strict=False), start=1
        )
        if wanted and wanted != name
    ]
    if now is None or not pairs:
        return body
    aliases = "\n".join(f"  {identifier(wanted)} ALIAS FOR ${place};" for wanted, place in pairs)
    # A name of the header's may be one of a column's, too.
    return f"#variable_conflict use_column\nDECLARE\n{aliases}\nBEGIN\n{body.rstrip(';')};\nEND"


def is_tenant_aware(state: State, function: Function) -> bool:
    """Say whether the function is there with the body that it is to have."""
    now = catalog.function(state, function.name, function.identity)
    return now is not None and now["body"].strip() == wanted_body(function, now)


def obstacles(state: State, model: Model) -> list[str]:
    """Return what keeps the functions from getting the model's bodies."""
    found = []
    for function in model.functions:
        title = f"{model.schema}.{function.name}({function.identity})"
        now = catalog.function(state, function.name, function.identity)
        if now is None:
            found += [
                f"{title} is {KINDS[item['kind']]} in the language {item['language']}, whose place no PL/pgSQL "
                "function can take: drop or rename it first."
                for item in state["hazards"]["routines"]
                if (item["name"], item["types"]) == (function.name, _types(function))
            ]
            continue
        if now["language"] != LANGUAGE:
            found.append(
                f"{title} is written in {now['language']}, and the body in tenancy_functions in PL/pgSQL: replace it "
                "by a function in PL/pgSQL with the same arguments and result first."
            )
        if now["returns"] != function.returns:
            found.append(
                f"{title} returns {now['returns']}, and the body in tenancy_functions is made for {function.returns}: "
                "give tenancy_functions a body with the right result, or replace the function first."
            )
    return found


def header(document: Document) -> str:
    """Return the definition of a function without its body.

    The names and defaults in it are its owner's and may hold anything: only from its end on is it known what follows
    (PostgreSQL: pg_get_functiondef).
    """
    quote = "$function"
    while quote in document["body"]:
        quote += "x"
    definition: str = document["definition"].removesuffix("\n")
    return definition.removesuffix(f"\nAS {quote}${document['body']}{quote}$")


def plan(state: State, model: Model) -> list[Statement]:
    """Return the statements that give the functions their bodies."""
    return [item for function in model.functions for item in _planned(state, model, function)]


def _planned(state: State, model: Model, function: Function) -> list[Statement]:
    now = catalog.function(state, function.name, function.identity)
    name, wanted = qualified(model.schema, function.name), wanted_body(function, now)
    body = dollar_quoted("\n" + wanted + "\n")
    if now is None:
        sql = f"CREATE FUNCTION {name}({function.arguments}) RETURNS {function.returns} LANGUAGE {LANGUAGE} AS {body}"
    else:
        sql = f"{header(now)}\nAS {body}"
    if now is not None and now["body"].strip() == wanted:
        return []
    identity = f"function.{function.name}({function.identity})"
    return [statement(identity, "", "function", sql, f"Make {function.name} work within one tenant")]


def findings(state: State, model: Model) -> list[Finding]:
    """Return whether each function has its body."""
    return [
        finding(
            f"function {function.name}({function.identity}) is tenant-aware", "", True, is_tenant_aware(state, function)
        )
        for function in model.functions
    ]


def rollback(back: Rollback) -> list[Statement]:
    """Return the statements that drop the migration's functions and bring those of the snapshot back."""
    planned = []
    for function in back.model.functions:
        now, before = _now_and_before(back, function)
        identity = f"function.{function.name}({function.identity})"
        signature = f"{qualified(back.model.schema, function.name)}({function.identity})"
        reason = f"Bring {function.name} back to what it was"
        if now is not None and before is None:
            planned.append(statement(f"{identity}.drop", "", "function", f"DROP FUNCTION {signature}", reason))
        if before is not None and (now is None or now["definition"] != before["definition"]):
            planned.append(statement(identity, "", "function", before["definition"].strip(), reason))
            # What is made again belongs to whoever makes it, here a superuser, and may be SECURITY DEFINER.
            if now is None or now["owner"] != before["owner"]:
                sql = f"ALTER FUNCTION {signature} OWNER TO {identifier(before['owner'])}"
                planned.append(statement(f"{identity}.owner", "", "function", sql, reason))
    return planned


def rollback_obstacles(back: Rollback) -> list[str]:
    """Return what of an ordinary role would run if the functions came back."""
    found = []
    for function in back.model.functions:
        now, before = _now_and_before(back, function)
        if before is not None and (now is None or now["definition"] != before["definition"]):
            what = f"The function {function.name} of before"
            found += definitions.literals(back.state, what, [header(before)], back.path)
    return found


def rollback_findings(back: Rollback) -> list[Finding]:
    """Return whether every function of the snapshot is there, and none of the migration's."""
    has_record = bridge_record.was_kept(back)
    before = [item for item in back.snapshot["functions"] if item["name"] != bridge_record.NOTE or not has_record]
    left = [
        function.name
        for function in back.model.functions
        if (documents := _now_and_before(back, function))[0] is not None and documents[1] is None
    ]
    return [
        finding("functions of before that are missing", "", [], missing(before, back.state["functions"])),
        finding("functions of the migration that are left", "", [], left),
    ]


def _now_and_before(back: Rollback, function: Function) -> tuple[Document | None, Document | None]:
    now, before = (catalog.function(found, function.name, function.identity) for found in (back.state, back.snapshot))
    return now, before


def _types(function: Function) -> list[str]:
    return [part.strip() for part in function.identity.split(",") if part.strip()]


def _names(function: Function) -> list[str]:
    """Return the names of the arguments in the model, "" for one without: each is written as name and type."""
    parts = [part.strip() for part in function.arguments.split(",") if part.strip()]
    return [
        part[: -len(kind)].strip() if part.endswith(kind) else part.split()[0]
        for part, kind in zip(parts, _types(function), strict=False)
    ]


CHANGE = Change(
    phases=frozenset({"function"}),
    obstacles=obstacles,
    hazards=nothing,
    plan=plan,
    findings=findings,
    rollback=rollback,
    rollback_obstacles=rollback_obstacles,
    rollback_findings=rollback_findings,
    # They work within one tenant, whether row security is on or off.
    row_security_off=nothing,
    row_security_off_findings=nothing,
    ended_errors=(
        Ended("function", ("42P10",)),
        # A trigger that calls the function which the plan makes.
        Ended("function", ("42883",)),
    ),
    audit_rules=frozenset({"function-without-tenant"}),
)
