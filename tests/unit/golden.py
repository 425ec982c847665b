"""Golden cases: the state documents of real databases, and the SQL of their plans.

``PYTHONPATH=collections python tests/unit/golden.py`` accepts the current plans. Read the diff before you commit it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from ansible_collections.aimemory.tenancy.plugins.plugin_utils.changes import enforce, plan, revert, schema
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.changes.statement import State, Statement
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.describe import draft, text
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.model import model
from production import model_source, projects_source, rental_source

DIRECTORY = Path(__file__).parent / "golden"
# The catalogs of databases without a model, and the drafts of their models.
DESCRIBED = Path(__file__).parent / "described"


def catalog(case: str) -> State:
    """Return the case's state document."""
    document: State = json.loads((DIRECTORY / case / "catalog.json").read_text())
    return document


def anywhere(state: State) -> dict[str, Any]:
    """Return a state without the facts that differ between servers: version, types, function owners, service roles."""
    functions = [{**function, "owner": None} for function in state["functions"]]
    hazards = {**state["hazards"], "service_roles": []}
    return {
        **state, "server_version": "", "server_version_num": 0, "functions": functions, "hazards": hazards,
        "gist_types": [],
    }  # fmt: skip


def source(case: str, database: str) -> dict[str, Any]:
    """Return the model of the case's application in the planner's input form, for this database."""
    sources = {"rental": rental_source, "projects": projects_source}
    return sources.get(case.partition("-")[0], model_source)(database)


def back(state: State, wanted: model.Model) -> list[Statement]:
    """Return the statements that roll a database back to its unmigrated state."""
    before = "rental" if wanted.schema == "rental" else "projects" if wanted.adopted else "unmigrated"
    return schema.build(state, wanted, catalog(before))


GOALS: dict[str, Callable[[State, model.Model], list[Statement]]] = {
    "migrate": plan.build, "policies": revert.policies, "enforce": enforce.build, "schema": back,
}  # fmt: skip


def cases() -> list[tuple[str, str]]:
    """Return the case and the goal of every golden file.

    A case is a directory that contains catalog.json and one file for each goal.
    """
    names = sorted(path.name for path in DIRECTORY.iterdir())
    # Only a migrated database can be enforced. Only a partly or fully migrated one can return to its original schema.
    # The cases "rental" and "projects" are states of other applications.
    return [
        (name, goal)
        for name in names
        for goal in GOALS
        if name in ("migrated", "rental-migrated", "projects-migrated")
        or goal in ("migrate", "policies")
        or (goal, name) == ("schema", "rolled-back")
    ]


def statements(case: str, goal: str) -> list[Statement]:
    """Return the statements that reach ``goal`` from the case's state."""
    state = catalog(case)
    return GOALS[goal](state, model.parse(source(case, state["database"])))


def planned(case: str, goal: str) -> str:
    """Return the plan as SQL, with the reason before each statement."""
    return sql(statements(case, goal))


def sql(found: Iterable[Statement]) -> str:
    """Return statements as SQL, with the reason before each statement."""
    return "\n".join(f"-- {item['id']}: {item['reason']}\n{item['sql']};\n" for item in found)


def expected(case: str, goal: str) -> Path:
    """Return the file with the expected SQL for ``goal``."""
    return DIRECTORY / case / f"expected-{goal}.sql"


def described_cases() -> list[str]:
    """Return the names of the databases that have a draft."""
    return sorted(path.name for path in DESCRIBED.iterdir())


def described_catalog(case: str) -> dict[str, Any]:
    """Return the result of the catalog query for a database."""
    document: dict[str, Any] = json.loads((DESCRIBED / case / "catalog.json").read_text())
    return document


def described(case: str) -> dict[str, str]:
    """Return the draft's files by name."""
    made = draft.build(described_catalog(case))
    return {"tenancy.yml": text.tenancy(made), "before.sql": text.before(made)}


if __name__ == "__main__":
    for name, wanted in cases():
        expected(name, wanted).write_text(planned(name, wanted))
    for name in described_cases():
        for file, content in described(name).items():
            if content:
                (DESCRIBED / name / f"expected-{file}").write_text(content)
