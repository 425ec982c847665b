"""The rollback to the original schema is refused if it loses data or objects."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

import golden
from ansible_collections.aimemory.tenancy.plugins.module_utils.errors import UnsafeStateError
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.changes import (
    bridge,
    bridge_record,
    enforce,
    online,
    schema,
)
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.model import model
from production import model_source, rental_source

State = dict[str, Any]
MIGRATED = json.loads((golden.DIRECTORY / "migrated/catalog.json").read_text())
UNMIGRATED = json.loads((golden.DIRECTORY / "unmigrated/catalog.json").read_text())
WANTED = model.parse(model_source(MIGRATED["database"]))


def depends(name: str | None, description: str) -> Callable[[State], None]:
    def change(state: State) -> None:
        state["tables"]["memories"]["column"]["dependents"].append({"name": name, "description": description})

    return change


def key_is_used(state: State) -> None:
    indexes = state["tables"]["caller_profiles"]["indexes"]
    next(index for index in indexes if index["names"] == ["customer_id", "user_id"])["dependents"] = ["constraint f"]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (
            depends(None, "view v"),
            r"\[1\] view v uses public\.memories\.customer_id, which the rollback drops: drop the",
        ),
        (depends("later", "index later"), r"index later uses public\.memories\.customer_id"),
        (key_is_used, r"constraint f uses public\.caller_profiles\.customer_id"),
        (lambda state: state["tables"]["memories"]["column"]["tenants"].update({"2": 4}), r"\(memories 4\)"),
        (lambda state: state["tables"]["memories"].update(exists=False), r"Table public\.memories does not exist"),
        (lambda state: state.update(database="other"), r"of database ai_memory_states, not of other"),
    ],
)
def test_what_would_be_lost_is_refused(change: Callable[[State], Any], sentence: str) -> None:
    state = copy.deepcopy(MIGRATED)
    change(state)
    with pytest.raises(UnsafeStateError, match=sentence):
        schema.build(state, WANTED, UNMIGRATED)


def test_the_migration_is_no_obstacle_to_its_rollback() -> None:
    used = [item["name"] for table in MIGRATED["tables"].values() for item in table["column"]["dependents"]]
    assert len(used) > 10
    assert schema.build(MIGRATED, WANTED, UNMIGRATED)


def test_the_original_schema_needs_no_statement() -> None:
    assert schema.build(UNMIGRATED, WANTED, UNMIGRATED) == []
    rows = {name: table["rows"] for name, table in UNMIGRATED["tables"].items()}
    assert all(item["ok"] for item in schema.findings(UNMIGRATED, WANTED, UNMIGRATED, rows))
    assert [item["check"] for item in schema.findings(MIGRATED, WANTED, UNMIGRATED, rows) if not item["ok"]]


def test_another_login_since_then_is_not_granted_what_was_the_old_ones() -> None:
    own = model.parse(model_source(MIGRATED["database"]) | {"application_role": "app"})
    state = copy.deepcopy(MIGRATED)
    state["application_role"]["name"] = "app"
    for table in state["tables"].values():
        table["granted_excess"] = ["REFERENCES", "TRUNCATE"]
    granted = [item["sql"] for item in schema.build(state, own, UNMIGRATED) if item["phase"] == "privilege"]
    assert len(granted) == 5
    assert all(sql.endswith(' TO "alice"') for sql in granted)


@pytest.mark.parametrize("case", ["migrated", "rental-migrated"])
def test_enforcing_is_rolled_back_beside_rows_of_another_tenant(case: str) -> None:
    source = rental_source if case.startswith("rental") else model_source
    before: State = json.loads((golden.DIRECTORY / case / "catalog.json").read_text())
    wanted = model.parse(source(before["database"]))
    next(iter(before["tables"].values()))["column"]["tenants"]["2"] = 1
    removed = enforce.build(before, wanted)
    after = enforced(before, wanted)
    with pytest.raises(UnsafeStateError, match=r"Rows of tenants other than"):
        schema.build(after, wanted, before)
    planned = schema.build(after, wanted, before, lone=False)
    assert {item["phase"] for item in planned} == {item["phase"] for item in removed} == {"bridge"}
    failed = schema.findings(after, wanted, before, {})
    assert {item["check"] for item in failed if not item["ok"]} == {
        "missing parts of the bridge's usage record", "original bridges"
    }  # fmt: skip
    # The rollback sets the bridge, and installs the usage record with the statements of a migration.
    brought = [item["id"] for item in bridge_record.plan_install(after, wanted)]
    assert [item["id"] for item in planned] == [f"bridge.{wanted.application_role}", *brought]
    # Unlike a migration, a rollback commits no statements before its transaction.
    assert online.early(planned, online.LIVE) == []
    assert online.cutover(planned, online.LIVE) == planned


def enforced(state: State, wanted: model.Model) -> State:
    """Return the migrated state after enforcing."""
    after = copy.deepcopy(state)
    for table in wanted.tables:
        document = after["tables"][table.name]
        for relation in [document, *document.get("partitions", [])]:
            names = bridge_record.policy_names(table)
            relation["policies"] = [item for item in relation["policies"] if item["name"] not in names]
    after["functions"] = [item for item in after["functions"] if item["name"] != bridge_record.NOTE]
    after["bridge_watch"] = {"exists": False, "used_at": None, "sequences": {}, "strays": []}
    after["bridges"] = {wanted.application_role: bridge.REMOVED}
    return after


def of_now(state: State) -> State:
    """Return the state in the current form, which includes partitions."""
    newer = copy.deepcopy(state)
    for table in newer["tables"].values():
        table |= {"partition_of": None, "partitions": []}
        table["indexes"] = [index | {"root": None} for index in table["indexes"]]
    return newer


def test_a_snapshot_without_partitions_can_be_restored() -> None:
    rows = {name: table["rows"] for name, table in UNMIGRATED["tables"].items()}
    assert all(item["ok"] for item in schema.findings(of_now(UNMIGRATED), WANTED, UNMIGRATED, rows))
    assert schema.build(of_now(UNMIGRATED), WANTED, UNMIGRATED) == []
    assert schema.build(of_now(MIGRATED), WANTED, UNMIGRATED) == schema.build(MIGRATED, WANTED, UNMIGRATED)
