"""Every kind of change has all of its parts: a plan, findings, a rollback, and the errors that the change fixes."""

from __future__ import annotations

import dataclasses
import importlib
from typing import Any

import pytest

import golden
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.audit import audit
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.changes import plan, registry, revert, schema
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.changes.change import Change, Rollback
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.changes.statement import State
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.model import model
from production import ROOT

PACKAGE = "ansible_collections.aimemory.tenancy.plugins.plugin_utils.changes"
FILES = sorted((ROOT / "plugins/plugin_utils/changes").glob("*.py"))
KINDS: dict[str, Change] = {
    name: found
    for name in (path.stem for path in FILES if path.stem != "__init__")
    if (found := getattr(importlib.import_module(f"{PACKAGE}.{name}"), "CHANGE", None)) is not None
}
# Changes whose findings hold even if the change is missing: a database without the bridge is also correct.
HOLDS_WITHOUT = {"bridge"}
# Dropping a column also drops its default, so the finding about the missing column covers the default.
FOUND_BY = {"default": "column"}
# The models of the golden cases have no readers.
READERS = {"readers": [{"role": "dashboard", "tenants": "all"}]}


def read(case: str, **more: Any) -> tuple[State, model.Model]:
    """Return a golden case's state, and its model with the additional entries ``more``."""
    state = golden.catalog(case)
    return state, model.parse(golden.source(case, state["database"]) | more)


def test_every_kind_is_registered_once() -> None:
    assert len(KINDS) > 10
    assert sorted(map(id, registry.CHANGES)) == sorted(map(id, KINDS.values()))


@pytest.mark.parametrize("name", KINDS)
def test_no_part_that_a_kind_defines_is_forgotten(name: str) -> None:
    defined = vars(importlib.import_module(f"{PACKAGE}.{name}"))
    parts = {field.name: defined[field.name] for field in dataclasses.fields(Change) if field.name in defined}
    assert {"plan", "findings"} <= parts.keys()
    assert {part: getattr(KINDS[name], part) for part in parts} == parts


def test_every_phase_has_a_place_and_every_place_a_kind() -> None:
    places = {*plan.PHASES, *schema.PHASES, *revert.PHASES}
    assert {phase for kind in KINDS.values() for phase in kind.phases} == places
    for order in (plan.PHASES, schema.PHASES, revert.PHASES):
        assert len({*order}) == len(order)


@pytest.mark.parametrize("name", KINDS)
def test_what_a_kind_plans_is_what_it_finds_missing(name: str) -> None:
    kind, planned = KINDS[name], 0
    for path in sorted(golden.DIRECTORY.iterdir()):
        state, wanted = read(path.name, **READERS)
        statements = kind.plan(state, wanted)
        planned += len(statements)
        assert {item["phase"] for item in statements} <= kind.phases & {*plan.PHASES}
        if statements and name not in HOLDS_WITHOUT:
            found = kind.findings(state, wanted) + KINDS[FOUND_BY.get(name, name)].findings(state, wanted)
            assert [item for item in found if not item["ok"]] != [], path.name
    assert planned > 0


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize(
    ("case", "before"),
    [
        ("migrated", "unmigrated"),
        ("migrated", "guide"),
        ("rental-migrated", "rental"),
        ("projects-migrated", "projects"),
    ],
)
def test_what_a_kind_rolls_back_is_what_it_finds_changed(name: str, case: str, before: str) -> None:
    state, wanted = read(case)
    snapshot = {**golden.catalog(before), "database": state["database"]}
    kind, back = KINDS[name], Rollback(state, wanted, snapshot)
    statements = kind.rollback(back)
    assert {item["phase"] for item in statements} <= kind.phases & {*schema.PHASES}
    taken_along = KINDS[FOUND_BY.get(name, name)].rollback(back)
    assert bool(kind.plan(snapshot, wanted)) <= bool(statements or taken_along)
    found = KINDS[FOUND_BY.get(name, name)].rollback_findings(back)
    assert bool(statements) <= any(not item["ok"] for item in found)
    same = Rollback(snapshot, wanted, snapshot)
    assert kind.rollback(same) == []
    assert kind.rollback_obstacles(same) == []
    assert [item for item in kind.rollback_findings(same) if not item["ok"]] == []


@pytest.mark.parametrize("name", KINDS)
def test_what_goes_with_row_security_is_found_on(name: str) -> None:
    kind = KINDS[name]
    state, wanted = read("rental-migrated")
    statements = kind.row_security_off(state, wanted)
    assert {item["phase"] for item in statements} <= kind.phases & {*revert.PHASES}
    found = kind.row_security_off_findings(state, wanted)
    assert bool(statements) == any(not item["ok"] for item in found)


def test_errors_end_with_a_phase_of_their_kind() -> None:
    for kind in KINDS.values():
        assert {item.phase for item in kind.ended_errors} <= kind.phases
    assert any(kind.ended_errors for kind in KINDS.values())


def test_the_findings_that_end_are_the_audits() -> None:
    rules = [rule for kind in KINDS.values() for rule in kind.audit_rules]
    assert len({*rules}) == len(rules)
    assert {*rules} == {name for name, rule in audit.RULES.items() if rule.fixed_by_plan}
