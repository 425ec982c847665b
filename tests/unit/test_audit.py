"""The audit's judgement of what the catalogs show."""

from __future__ import annotations

import copy
import json

import pytest

import golden
from ansible_collections.aimemory.tenancy.plugins.module_utils import audit, model
from production import model_source

MIGRATED = json.loads((golden.DIRECTORY / "migrated/catalog.json").read_text())
WANTED = model.parse(model_source(MIGRATED["database"]))


def test_errors_come_first_and_each_has_a_reason_and_a_remedy() -> None:
    found = audit.collect({"role-owner": ["a", "b"], "view-definer": ["v"]}, MIGRATED, WANTED)
    assert [(entry["severity"], entry["subject"]) for entry in found] == [
        ("error", "v"), ("warning", "a"), ("warning", "b"),
    ]  # fmt: skip
    assert audit.as_finding(found)["actual"] == ["view-definer: v"]
    assert not audit.as_finding(found)["ok"]
    assert audit.as_finding(found[1:])["ok"]
    for rule in audit.RULES.values():
        assert rule.severity in (audit.ERROR, audit.WARNING)
        assert rule.why
        assert rule.remedy


@pytest.mark.parametrize(
    ("version", "old"),
    [(180006, True), (180007, False), (170011, True), (170012, False), (150019, True), (140025, False),
     (130099, True), (190000, False)],
)  # fmt: skip
def test_a_minor_release_without_the_fixes_is_named(version: int, old: bool) -> None:
    state = copy.deepcopy(MIGRATED) | {"server_version_num": version, "server_version": "x"}
    assert [entry["rule"] for entry in audit.collect({}, state, WANTED)] == ["server-minor"] * old


@pytest.mark.parametrize(
    ("options", "named"),
    [("-c app.current_tenant=1", True), ("-c APP.CURRENT_TENANT =2", True), ("-c other.app.current_tenant=1", False),
     ("-c app.current_tenants=1", False), ("", False)],
)  # fmt: skip
def test_a_tenant_in_the_url_is_named(options: str, named: bool) -> None:
    assert ("setting-url" in {entry["rule"] for entry in audit.collect({}, MIGRATED, WANTED, options)}) is named
