"""Views over tenant tables are changed to check the querying role's privileges (security_invoker), or restored."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.aimemory.tenancy.plugins.module_utils.errors import ModelError, UnsafeStateError
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.audit import audit
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.changes import findings, plan, schema
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.model import model
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.proof import proof
from conftest import blank_state
from production import model_source
from simulator import run

VIEW = {"name": "newest", "sample_rows": 1}
WANTED = model.parse(model_source() | {"views": [VIEW]})


def state(invoker: str | None = None, **changes: Any) -> dict[str, Any]:
    return blank_state() | {"views": {"newest": {"exists": True, "kind": "v", "security_invoker": invoker} | changes}}


def test_a_view_is_made_to_work_with_its_readers_rights() -> None:
    after = run(state(), plan.build(state(), WANTED))
    assert after["views"]["newest"]["security_invoker"] == "true"
    assert plan.build(after, WANTED) == []
    assert [item for item in findings.collect(after, WANTED) if not item["ok"]] == []
    failed = [item["check"] for item in findings.collect(after | {"views": state()["views"]}, WANTED) if not item["ok"]]
    assert failed == ["view newest reads with the caller's privileges"]


@pytest.mark.parametrize("invoker", ["true", "on", "yes", "1", "TRUE"])
def test_one_that_does_already_is_left_alone(invoker: str) -> None:
    assert [item for item in plan.build(state(invoker), WANTED) if item["phase"] == "view"] == []


@pytest.mark.parametrize(
    ("before", "action"), [(None, "RESET (security_invoker)"), ("off", "SET (security_invoker = off)")]
)
def test_the_original_option_is_restored(before: str | None, action: str) -> None:
    migrated = run(state(before), plan.build(state(before), WANTED))
    (back,) = (item for item in schema.build(migrated, WANTED, state(before)) if item["phase"] == "view")
    assert back["sql"] == f'ALTER VIEW "public"."newest" {action}'
    rows = {name: table["rows"] for name, table in migrated["tables"].items()}
    failed = [item for item in schema.findings(migrated, WANTED, state(before), rows) if not item["ok"]]
    assert ("original security_invoker of view newest", before, "true") in [
        (i["check"], i["expected"], i["actual"]) for i in failed
    ]
    assert run(migrated, [back])["views"] == state(before)["views"]


@pytest.mark.parametrize(
    ("broken", "sentence"),
    [
        (state(exists=False), r"View public\.newest does not exist: correct tenancy_views or the database"),
        (blank_state(), r"View public\.newest does not exist"),
        (state(kind="m"), r"public\.newest is not a view \(kind 'm'\): remove it from tenancy_views"),
        (state() | {"server_version_num": 140000}, "only PostgreSQL 15 and newer can change that"),
    ],
)
def test_what_cannot_be_done_is_refused(broken: dict[str, Any], sentence: str) -> None:
    with pytest.raises(UnsafeStateError, match=sentence):
        plan.build(broken, WANTED)


def test_an_old_server_may_have_no_view_to_change() -> None:
    assert plan.build(blank_state() | {"server_version_num": 140000}, model.parse(model_source()))


def test_the_audit_marks_entries_that_the_plan_fixes() -> None:
    found = audit.collect({"view-definer": ["public.newest", "public.other"]}, state(), WANTED)
    fixed = {entry["subject"]: entry["fixed_by_plan"] for entry in found if entry["rule"] == "view-definer"}
    assert fixed == {"public.newest": True, "public.other": False}


def test_the_proof_reads_through_it_as_both_tenants_and_as_none() -> None:
    found = {item["id"]: item for item in proof.attempts(WANTED, "1", "2") if item["table"] == "newest"}
    assert {name: item["expected"] for name, item in found.items()} == {
        "newest.read.unset": ["0 rows"], "newest.own.read": ["1 rows"], "newest.own.read.same": ["1 rows"],
        "newest.read.reset": ["0 rows"], "newest.read.empty": ["0 rows"],
        "newest.read.garbage": ["0 rows", "error 22P02"], "newest.read.range": ["0 rows", "error 22003"],
    }  # fmt: skip
    assert [item["tenant"] for item in found.values()][1:3] == ["1", "2"]


@pytest.mark.parametrize(
    ("view", "sentence"),
    [
        ("newest", r"tenancy_views\[0\] must have a name and sample_rows, not 'newest'"),
        ({"name": "newest"}, r"tenancy_views\[0\] must have a name and sample_rows"),
        (VIEW | {"sample_rows": 0}, "sample_rows must be an integer of at least 1, not 0: .* proves nothing"),
        (VIEW | {"sample_rows": True}, "sample_rows must be an integer"),
        (VIEW | {"name": ""}, r"tenancy_views\[0\]: An SQL identifier must be a non-empty string"),
    ],
)
def test_a_wrong_view_is_refused(view: Any, sentence: str) -> None:
    with pytest.raises(ModelError, match=sentence):
        model.parse(model_source() | {"views": [view]})
