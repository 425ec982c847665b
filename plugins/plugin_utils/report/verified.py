"""Show a verification to the operator: the tables, the facts about the database, and the findings that do not hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from ..changes import bridge, readers
from ..changes.finding import Finding
from ..changes.statement import State
from ..model.model import Model
from . import screen
from .answers import words
from .grouped import due
from .wrapping import column, wrapped


def lines(
    state: State,
    model: Model,
    findings: Sequence[Finding],
    attempts: Mapping[str, Sequence[Finding]],
) -> list[str]:
    """Return the verification as lines.

    ``findings`` contains all findings. ``attempts`` contains the findings of the attempts, by kind.
    """
    width = column((table.name for table in model.tables), 24, len(f"OK    {model.column}: yes NULLs: 0 RLS: on"))
    said = ["VERIFICATION:", *(_table(state, model, findings, f"{table.name:<{width}}") for table in model.tables)]
    # The finding of an attempt has a sentence. Any other finding has only the name of the checked fact.
    said += [
        f"{_mark(item['ok'])} {item['check']}: {words(item['actual'])}"
        for item in findings
        if item["table"] == "" and "sentence" not in item
    ]
    said += [
        f"{_mark(True)} {name}: {len(made)} attempts, none leaked"
        for name, made in attempts.items()
        if made and all(item["ok"] for item in made)
    ]
    failed = [item for item in findings if not item["ok"]]
    for item in failed:
        if "sentence" in item:
            text = f"FAIL {item['check']}: {item['sentence']}: {words(item['actual'])} instead of {due(item)}"
            said += wrapped(text, 78, "     ")
    said += [
        f"FAIL {item['table']}: {item['check']} is {words(item['actual'])}, expected {words(item['expected'])}"
        for item in failed
        if item["table"] != "" and "sentence" not in item
    ]
    # Without row security, every role sees all rows, so a note about readers is pointless.
    told = readers.notes(state, model) if _is_secured(state) else []
    said += [line for text in told for line in wrapped(f"NOTE {text}", 78, "     ")]
    return [*said, *_bridge(state, model), f"{len(findings) - len(failed)} of {len(findings)} findings hold."]


def _is_secured(state: State) -> bool:
    return any(document["exists"] and document["rls"]["enabled"] for document in state["tables"].values())


def _mark(ok: bool) -> str:
    return "OK  " if ok else "FAIL"


def _table(state: State, model: Model, findings: Sequence[Finding], padded: str) -> str:
    name = padded.rstrip()
    document = state["tables"][name]
    found = document.get("column")
    holds = all(item["ok"] for item in findings if item["table"] == name)
    nulls = found["nulls"] if found else "-"
    secured = ("on" if document["rls"]["enabled"] else "off") if document["exists"] else "-"
    has = "no" if found is None else "yes"
    gap = " " * (2 if screen.columns() >= screen.WIDTH else 1)
    return f"{_mark(holds)} {padded}{gap[:1]}{model.column}: {has:<3}{gap}NULLs: {nulls}{gap}RLS: {secured}"


def _bridge(state: State, model: Model) -> list[str]:
    tenant = bridge.named(state, model)
    if tenant is None:
        return []
    used_at = state["bridge_watch"]["used_at"]
    if used_at is None:
        used = "It has not been used so far"
    else:
        used = f"Last used: {datetime.fromtimestamp(used_at, UTC):%Y-%m-%d %H:%M:%S} UTC"
    on = f"NOTE The bridge is on: a session of {model.application_role} that sets no tenant works as tenant {tenant}."
    return [*wrapped(on, 78, "     "), f"     {used}."]
