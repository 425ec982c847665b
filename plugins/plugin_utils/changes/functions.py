"""Functions that write tenant tables: their bodies become the model's, and all else of them stays.

CREATE OR REPLACE keeps owner and rights, and the header as the catalogs give it keeps SECURITY, volatility and SET
clauses. It can change neither the arguments' names nor the result (PostgreSQL manual, "CREATE FUNCTION"), so that a
body that calls its arguments otherwise gets their names as aliases, and one for another result is refused.
"""

from __future__ import annotations

from ...module_utils.quoting import dollar_quoted, identifier, qualified
from ..catalog import state as catalog
from ..catalog.state import Document
from ..model.model import Function, Model
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


def planned(state: State, model: Model, function: Function) -> list[Statement]:
    """Return the statements that give the function its body, and the service the right to execute it."""
    now = catalog.function(state, function.name, function.identity)
    name, wanted = qualified(model.schema, function.name), wanted_body(function, now)
    body = dollar_quoted("\n" + wanted + "\n")
    if now is None:
        sql = f"CREATE FUNCTION {name}({function.arguments}) RETURNS {function.returns} LANGUAGE {LANGUAGE} AS {body}"
    else:
        sql = f"{header(now)}\nAS {body}"
    identity = f"function.{function.name}({function.identity})"
    found = []
    if now is None or now["body"].strip() != wanted:
        found.append(
            statement(identity, "", "function", sql, f"Make {function.name} work within one tenant"),
        )
    if now is None or not now["granted"]:
        signature, role = f"{name}({function.identity})", identifier(model.application_role)
        found.append(
            statement(
                f"{identity}.grant", "", "privilege", f"GRANT EXECUTE ON FUNCTION {signature} TO {role}",
                "Let the service execute the functions by a right of its own",
            )
        )  # fmt: skip
    return found


def _types(function: Function) -> list[str]:
    return [part.strip() for part in function.identity.split(",") if part.strip()]


def _names(function: Function) -> list[str]:
    """Return the names of the arguments in the model, "" for one without: each is written as name and type."""
    parts = [part.strip() for part in function.arguments.split(",") if part.strip()]
    return [
        part[: -len(kind)].strip() if part.endswith(kind) else part.split()[0]
        for part, kind in zip(parts, _types(function), strict=False)
    ]
