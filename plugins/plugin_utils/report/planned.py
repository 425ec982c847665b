"""Show a plan to the operator before the confirmation prompt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..changes import online
from ..changes.statement import State, Statement
from ..model.model import Model
from . import audited, notes
from .wrapping import column, wrapped

TITLES = {"migrate": "MIGRATION", "enforce": "ENFORCEMENT", "policies": "ROLLBACK", "schema": "ROLLBACK"}
DONE = {
    "migrate": "the database is already migrated", "enforce": "the bridge is already off",
    "policies": "row security is already off", "schema": "the original schema is already restored",
}  # fmt: skip


def lines(plan: Mapping[str, Any], model: Model, service: str, *, verbose: bool = False) -> list[str]:
    """Return the lines that show ``plan``, the result of the plan role. ``verbose`` adds the SQL.

    ``service`` is the name of the systemd unit.
    """
    is_migration, statements = plan["goal"] == "migrate", plan["statements"]
    noted = notes.of_plan(plan["state"], model) if is_migration and statements else []
    blocks = [
        ["CURRENT STATE:", *_state(plan["state"], model)],
        [f"{TITLES[plan['goal']]} WILL:", *_will(plan, model, service)],
        ["NOTE:", *(line for text in noted for line in wrapped(text, 78))] if noted else [],
        audited.lines(plan["audit"], has_plan=bool(statements)) if is_migration else [],
        [line for item in statements for line in f"{item['sql']};".split("\n")] if verbose else [],
    ]
    return "\n\n".join("\n".join(block) for block in blocks if block).split("\n")


def _state(state: State, model: Model) -> list[str]:
    documents = {table.name: state["tables"][table.name] for table in model.tables}
    rows = {name: f"{document['rows']:,}" if document["exists"] else "-" for name, document in documents.items()}
    end = len(f" rows  X  Missing {model.column}")
    number = column(rows.values(), 12, max(map(len, documents)) + 1 + end)
    width = column(documents, 28, number + 1 + end)
    has = {name for name, document in documents.items() if document["exists"] and document["column"] is not None}
    return [
        f"{name:<{width}} {rows[name]:>{number}} rows  {'OK Has' if name in has else 'X  Missing'} {model.column}"
        for name in documents
    ]


def _will(plan: Mapping[str, Any], model: Model, service: str) -> list[str]:
    statements = plan["statements"]
    said = _online(online.expand(statements, plan["strategy"]), len(statements), service, plan["strategy"])
    steps = [
        f"{reason}{_tables(statements, reason)}" for reason in dict.fromkeys(item["reason"] for item in statements)
    ]
    if model.replaced_role is not None:
        login = f"{model.application_role} in place of {model.replaced_role}"
        steps.insert(0, f"Give the service its own login in DATABASE_URL: {login}")
    for number, text in enumerate(steps, 1):
        mark = f"{number}. "
        said += wrapped(f"{mark}{text}", 77, " " * len(mark))
    if not steps:
        said.append(f"Nothing: {DONE[plan['goal']]}.")
    said += wrapped(plan["strategy_reason"], 78) if plan["strategy_reason"] else []
    if plan["resumes"]:
        said.append("An earlier run was lost: verify the database, and start and test the service.")
    return said


def _online(early: Sequence[Statement], count: int, service: str, strategy: str) -> list[str]:
    if not early:
        return []
    reasons = "; ".join(dict.fromkeys(item["reason"] for item in early))
    text = f"While {service} is running ({len(early)} of {count} statements): {reasons}."
    rest = "The rest runs in one short transaction"
    rest += ", for which callers wait." if strategy == online.LIVE else " while the service is stopped."
    return wrapped(f"{text} {rest}", 78)


def _tables(statements: Sequence[Statement], reason: str) -> str:
    """Return a colon and the tables of the statements with this reason, or "" if these name no table."""
    names = dict.fromkeys(item["table"] for item in statements if item["reason"] == reason and item["table"])
    return f": {', '.join(names)}" if names else ""
