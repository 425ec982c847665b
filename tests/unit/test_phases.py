"""The results of the plan and verify roles, and their text on an 80-column terminal."""

from __future__ import annotations

import base64
import copy
import json
import re
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError

import golden
from ansible_collections.aimemory.tenancy.plugins.filter.phases import FilterModule
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.changes import planning
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.changes.change import by_name
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.model import model
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.report import audited
from conftest import blank_state
from production import model_source, projects_source

FILTERS = FilterModule().filters()
MIGRATED = json.loads((golden.DIRECTORY / "migrated/catalog.json").read_text())
SOURCE = model_source(MIGRATED["database"])
WANTED = {
    "goal": "migrate", "strategy": "auto", "online_rows": 500, "url_options": "", "lost_run": False,
    "service": "ai-memory", "verbose": False, "live_rows": 10_000, "restores_login": False, "otherwise_stop": False,
    "renewal": {"way": "restart", "workers": 0, "obstacle": ""},
}  # fmt: skip
KEY = {
    "rule": "unique-key", "severity": "error", "subject": "memories_k_key", "fixed_by_plan": False,
    "why": "A key without the tenant column reveals the values of one tenant to another.",
    "remedy": "Name the key in the model.",
}  # fmt: skip


def planned(state: dict[str, Any] | None = None, audit: list[Any] | None = None, **wanted: Any) -> dict[str, Any]:
    """Return the plan role's result for a state, which is unmigrated by default."""
    inspected = {"state": state or blank_state(), "audit": audit or []}
    result: dict[str, Any] = FILTERS["plan_result"](inspected, model_source(), WANTED | wanted)
    return result


def migrated() -> dict[str, Any]:
    """Return the migrated state, for which the plan is empty."""
    return copy.deepcopy(MIGRATED)


def test_a_plan_shows_the_present_state_and_the_steps_of_the_run() -> None:
    lines = planned()["lines"]
    assert lines[0] == "CURRENT STATE:"
    assert "memories                                3 rows  X  Missing customer_id" in lines
    assert lines[lines.index("MIGRATION WILL:") + 1].startswith("1. ")
    assert lines[lines.index("AUDIT:") + 1] == "Nothing was found."
    assert max(map(len, lines)) <= 80
    assert not any(line.endswith(";") for line in lines)


def test_a_step_goes_on_behind_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    lines = planned()["lines"]
    at = next(number for number, line in enumerate(lines) if line.startswith("10. "))
    assert re.match(r"    \S", lines[at + 1]), lines[at : at + 2]


def test_the_sql_is_shown_if_it_is_asked_for() -> None:
    found = planned(verbose=True)
    assert all(f"{item['sql']};".split("\n")[0] in found["lines"] for item in found["statements"])


@pytest.mark.parametrize(("rows", "strategy"), [(1, "atomic"), (1000, "online")])
def test_the_rows_choose_the_strategy(rows: int, strategy: str) -> None:
    found = planned(blank_state(rows))
    assert found["strategy"] == strategy
    assert any(line.startswith("While ai-memory is running (") for line in found["lines"]) == (strategy == "online")


@pytest.mark.parametrize(("lost_run", "resumes"), [(False, False), (True, True)])
def test_a_run_resumes_a_lost_one_only_if_nothing_is_left_to_do(lost_run: bool, resumes: bool) -> None:
    inspected = {"state": migrated(), "audit": []}
    found = FILTERS["plan_result"](inspected, SOURCE, WANTED | {"lost_run": lost_run})
    assert (found["statements"], found["needed"], found["resumes"]) == ([], False, resumes)
    assert "Nothing: the database is already migrated." in found["lines"]
    assert any("An earlier run was lost" in line for line in found["lines"]) == resumes
    assert not planned(lost_run=True)["resumes"]


def test_a_new_login_is_a_change() -> None:
    found = FILTERS["plan_result"](
        {"state": migrated(), "audit": []}, SOURCE | {"replaced_role": "postgres"}, WANTED | {"lost_run": True}
    )
    assert (found["needed"], found["resumes"]) == (True, False)
    assert any(line.startswith("1. Give the service its own login") for line in found["lines"])


def test_a_migration_that_leaves_a_bypass_is_refused() -> None:
    assert planned(audit=[KEY | {"fixed_by_plan": True}])["refusals"] == []
    [sentence] = planned(audit=[KEY])["refusals"]
    assert "unique-key: memories_k_key" in sentence
    assert planned(audit=[KEY | {"severity": "warning"}])["refusals"] == []


def test_an_audit_names_the_subjects_of_a_rule_once_and_errors_first() -> None:
    entries = [KEY | {"rule": "role-owner", "severity": "warning"}, KEY, KEY | {"subject": "calls_key"}]
    assert audited.lines(entries, has_plan=True) == [
        "AUDIT:",
        "ERROR   unique-key: memories_k_key, calls_key",
        "        A key without the tenant column reveals the values of one tenant to",
        "        another.",
        "        Remedy: Name the key in the model.",
        "WARNING role-owner: memories_k_key",
        "        A key without the tenant column reveals the values of one tenant to",
        "        another.",
        "        Remedy: Name the key in the model.",
    ]
    fixed = [KEY | {"fixed_by_plan": True}]
    assert "        The plan fixes it." in audited.lines(fixed, has_plan=True)
    assert "        The plan fixes it." not in audited.lines(fixed, has_plan=False)


def test_a_rollback_is_one_transaction_and_names_its_goal() -> None:
    found = FILTERS["plan_result"]({"state": migrated(), "audit": [KEY]}, SOURCE, WANTED | {"goal": "policies"})
    assert (found["strategy"], found["refusals"], found["backfilling"]) == ("atomic", [], False)
    assert "ROLLBACK WILL:" in found["lines"]
    assert "AUDIT:" not in found["lines"]


def test_an_unknown_goal_is_an_error() -> None:
    with pytest.raises(AnsibleFilterError, match="Unknown goal 'schema'"):
        planned(goal="schema")


def verified(state: dict[str, Any], attempts: dict[str, Any] | None = None, rows: Any = None) -> dict[str, Any]:
    """Return the verify role's result for a state."""
    found: dict[str, Any] = FILTERS["verify_result"]({"state": state, "audit": []}, SOURCE, rows, attempts or {})
    return found


def test_a_verification_counts_what_holds() -> None:
    tried = [{"check": "isolation proof", "table": "", "expected": "", "actual": "", "ok": True, "sentence": "No"}]
    found = verified(migrated(), {"isolation proof": tried})
    count = len(found["findings"])
    assert found["failing"] == []
    assert "OK   memories                 customer_id: yes  NULLs: 0  RLS: on" in found["lines"]
    assert "OK   isolation proof: 1 attempts, none leaked" in found["lines"]
    assert found["lines"][-1] == f"{count} of {count} findings hold."


def test_a_verification_shows_what_does_not_hold() -> None:
    state = migrated()
    state["tables"]["memories"]["rls"]["forced"] = False
    leak = {
        "check": "isolation proof", "table": "memories", "expected": "0 rows", "actual": "3 rows", "ok": False,
        "sentence": "Tenant 2 reads the rows of tenant 1",
    }  # fmt: skip
    found = verified(state, {"isolation proof": [leak]})
    assert len(found["failing"]) == 2
    assert any(line.startswith("FAIL memories    ") for line in found["lines"])
    said = " ".join(line.strip() for line in found["lines"])
    assert "FAIL isolation proof: Tenant 2 reads the rows of tenant 1: 3 rows instead of 0 rows" in said
    assert not any("attempts, none leaked" in line for line in found["lines"])


def test_a_verification_says_that_the_bridge_is_on_and_when_it_was_needed() -> None:
    state = migrated()
    assert "     It has not been used so far." in verified(state)["lines"]
    state["bridge_watch"]["used_at"] = 1764000000
    assert "     Last used: 2025-11-24 16:00:00 UTC." in verified(state)["lines"]


def test_a_transaction_is_proven_or_checked_by_its_goal() -> None:
    made, state = model.parse(SOURCE), migrated()
    wanted = {
        "lock_timeout": "5s", "seconds": 900, "proof_seconds": 60, "proof_rows": 1000, "url_options": "",
        "counted": True, "careful": True, "patience": 0, "strategy": "atomic",
    }  # fmt: skip
    migrating = planning.transaction([], state, made, wanted | {"goal": "migrate"})
    assert migrating["proof"] is not None
    assert (migrating["checks"], sorted(migrating["counts"])) == ([], sorted(state["tables"]))
    back = planning.transaction([], state, made, wanted | {"goal": "schema", "counted": False})
    assert (back["proof"], back["counts"]) == (None, {})
    assert back["checks"]
    assert planning.transaction([], state, made, wanted | {"goal": "schema", "careful": False})["checks"] == []


def test_a_transaction_beside_a_running_service_yields_early_and_is_attempted_again() -> None:
    made, state = model.parse(SOURCE), migrated()
    wanted = {"lock_timeout": "100ms", "seconds": 900, "goal": "schema", "counted": False, "careful": False}
    stopped = planning.transaction([], state, made, wanted | {"patience": 0, "strategy": "atomic"})
    live = planning.transaction([], state, made, wanted | {"patience": 60, "strategy": "live"})
    assert (stopped["patience"], live["patience"]) == (0, 60)
    setting = "SET LOCAL deadlock_timeout = '20ms'"
    assert (setting in stopped["begin"], setting in live["begin"]) == (False, True)


@pytest.mark.parametrize(
    ("failed", "is_known", "left", "is_committed"),
    [
        # The module knows whether it committed the change. Another session may have changed the remaining statements.
        ({"stages": [], "committed": True}, False, [1], True),
        ({"stages": [], "committed": False}, False, [2], False),
        # An earlier call has committed the change, and a later call failed.
        ({"stages": [], "committed": False}, True, [1], True),
        # The session was lost during COMMIT, so the remaining statements decide.
        ({"stages": [], "committed": None}, False, [1], False),
        ({"stages": [], "committed": None}, False, [2], True),
        # The call was lost, so the remaining statements decide as well.
        ({"msg": "killed"}, False, [1], False),
        ({"msg": "killed"}, False, [2], True),
    ],
)
def test_a_failed_run_knows_whether_its_change_is_committed(
    failed: dict[str, Any], is_known: bool, left: list[int], is_committed: bool
) -> None:
    assert FILTERS["is_committed"](failed, is_known, left, [1]) is is_committed


def test_obstacles_are_named_in_a_sentence() -> None:
    assert FILTERS["model_errors"](model_source()) == []
    [sentence] = FILTERS["model_errors"](model_source() | {"default_tenant": "x"})
    assert "x" in sentence


def test_a_new_tenant_rewrites_the_rows_of_a_table_and_of_its_partitions() -> None:
    state, source = golden.catalog("projects"), projects_source("tenancy_schemas")
    statements = [
        {"phase": "backfill", "table": "tasks"}, {"phase": "key", "table": "projects"},
        {"phase": "backfill", "table": "tasks"}, {"phase": "tenant", "table": "marks"},
    ]  # fmt: skip
    assert FILTERS["rewritten_tables"](statements, state, source) == [
        "public.tasks",
        "public.marks_1",
        "public.marks_2",
    ]


def test_the_rows_of_each_table_are_those_of_the_state() -> None:
    state = blank_state(7)
    state["tables"]["memories"] = {"exists": False}
    rows = FILTERS["rows_by_table"](state)
    assert "memories" not in rows
    assert set(rows.values()) == {7}


def test_an_adopted_column_counts_the_rows_of_each_tenant() -> None:
    found, source = golden.catalog("projects"), projects_source("ai_memory_schemas")
    rows = FILTERS["rows_to_compare"](found, source)
    assert rows["projects"] == {"1": 2, "2": 1}
    assert (rows["notes"], rows["organizations"]) == (6, 3)
    assert FILTERS["rows_to_compare"](blank_state(7), model_source())["memories"] == 7


def slurped(path: str, document: dict[str, Any]) -> dict[str, str]:
    """Return a file in the form of the slurp module's result."""
    return {"source": path, "content": base64.b64encode(json.dumps(document).encode()).decode()}


@pytest.mark.parametrize(
    ("paths", "used"),
    [
        (["a/schema.json"], ["a/schema.json"]),
        (["a/schema.json", "b/schema-partly.json"], ["a/schema.json", "b/schema-partly.json"]),
        (["a/schema.json", "b/schema-partly.json", "c/schema.json"], ["c/schema.json"]),
        (["a/schema-partly.json", "b/schema-partly.json"], ["b/schema-partly.json"]),
    ],
)
def test_a_rollback_reads_the_newest_snapshot_of_an_unmigrated_database_and_the_later_ones(
    paths: list[str], used: list[str]
) -> None:
    assert FILTERS["snapshots_since"](paths) == used


def test_a_later_snapshot_adds_and_drops_what_a_release_did() -> None:
    before = json.loads((golden.DIRECTORY / "unmigrated/catalog.json").read_text())
    now = copy.deepcopy(MIGRATED)
    memories = now["tables"]["memories"]
    (primary,) = [index for index in memories["indexes"] if index["names"] == ["id"]]
    dropped = next(index for index in before["tables"]["memories"]["indexes"] if not index["unique"])["name"]
    memories["indexes"] = [index for index in memories["indexes"] if index["name"] != dropped]
    memories["indexes"].append({**primary, "name": "of_a_release", "constraint": None, "names": ["k"], "unique": False})
    files = [
        slurped("a", {"version": 1, "created": "then", "state": before}),
        slurped("b", {"version": 1, "state": now}),
    ]
    found = FILTERS["combined_snapshot"](files, SOURCE)
    assert (found["source"], found["created"], found["unreadable"]) == ("a", "then", [])
    names = {index["name"] for index in before["tables"]["memories"]["indexes"]} - {dropped} | {"of_a_release"}
    assert {index["name"] for index in found["state"]["tables"]["memories"]["indexes"]} == names
    # The combined snapshot contains no part of the migration, although an earlier version renamed keys.
    for name, table in found["state"]["tables"].items():
        assert (table["column"], table["policies"]) == (None, [])
        if name != "memories":
            assert by_name(table["indexes"]) == by_name(before["tables"][name]["indexes"])
            assert {**table, "indexes": []} == {**before["tables"][name], "indexes": []}


def test_an_unreadable_snapshot_is_named() -> None:
    files = [slurped("a", {"version": 1, "state": MIGRATED}), slurped("b", {"version": 2, "state": MIGRATED})]
    sentence = "b was written by a newer release of this runbook (format 2, not 1): use that release"
    assert FILTERS["combined_snapshot"](files, SOURCE) == {"unreadable": [sentence]}
