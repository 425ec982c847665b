"""The lines of a verification for the operator: one for each table, and one for each finding that does not hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from ..changes import bridge, readers
from ..changes.finding import Finding
from ..changes.statement import State
from ..model.model import Model
from .wrapping import wrapped


def lines(
    state: State,
    model: Model,
    findings: Sequence[Finding],
    attempts: Mapping[str, Sequence[Finding]],
) -> list[str]:
    """Return the verification as lines.

    ``findings`` are all findings; ``attempts`` are the findings of attempts by their kind.
    """
    said = ["VERIFICATION:", *(_table(state, model, findings, table.name) for table in model.tables)]
    # The finding of an attempt has a sentence; other findings have only the name of the compared fact.
    said += [
        f"{_mark(item['ok'])} {item['check']}: {_value(item['actual'])}"
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
            text = f"FAIL {item['check']}: {item['sentence']}: {item['actual']} instead of {item['expected']}"
            said += wrapped(text, 78, "     ")
    said += [
        f"FAIL {item['table']}: {item['check']} is {item['actual']}, expected {item['expected']}"
        for item in failed
        if item["table"] != "" and "sentence" not in item
    ]
    # Without row security, other roles see all rows.
    told = readers.notes(state, model) if _is_secured(state) else []
    said += [line for text in told for line in wrapped(f"NOTE {text}", 78, "     ")]
    return [*said, *_bridge(state, model), f"{len(findings) - len(failed)} of {len(findings)} findings hold."]


def _value(value: object) -> object:
    return "none" if value in (None, [], {}) else value


def _is_secured(state: State) -> bool:
    return any(document["exists"] and document["rls"]["enabled"] for document in state["tables"].values())


def _mark(ok: bool) -> str:
    return "OK  " if ok else "FAIL"


def _table(state: State, model: Model, findings: Sequence[Finding], name: str) -> str:
    document = state["tables"][name]
    column = document.get("column")
    holds = all(item["ok"] for item in findings if item["table"] == name)
    nulls = column["nulls"] if column else "-"
    secured = document["rls"]["enabled"] if document["exists"] else "-"
    return f"{_mark(holds)} {name:<24} {model.column}: {column is not None!s:<5}  NULLs: {nulls}  RLS: {secured}"


def _bridge(state: State, model: Model) -> list[str]:
    tenant = bridge.named(state, model)
    if tenant is None:
        return []
    used_at = state["bridge_watch"]["used_at"]
    if used_at is None:
        used = "It has not been used so far"
    else:
        used = f"Last used: {datetime.fromtimestamp(used_at, UTC):%Y-%m-%d %H:%M:%S} UTC"
    return [
        f"NOTE The bridge is on: a session of {model.application_role} that sets no tenant",
        f"     works as tenant {tenant}.",
        f"     {used}.",
    ]
