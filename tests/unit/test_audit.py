"""The audit's judgement of what the catalogs show."""

from __future__ import annotations

import copy
import json
import re

import pytest

import golden
from ansible_collections.aimemory.tenancy.plugins.module_utils.errors import TenancyError
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.audit import audit
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.model import model
from production import ROOT, model_source

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


def sql_rules() -> set[str]:
    """Return the rules that the SQL of the role reports."""
    audit_sql = (ROOT / "roles/tenancy/files/audit.sql").read_text()
    found = audit_sql.partition("found (rule, subject) AS (")[2]
    statements = (ROOT / "roles/tenancy/files/statements.sql").read_text().partition("LATERAL (VALUES")[2]
    return {
        *re.findall(r"(?m)^\s*(?:UNION ALL )?SELECT '([a-z-]+)',", found),
        *re.findall(r"(?m)^\s*\('([a-z-]+)',", statements),
    }


def test_sql_and_table_name_the_same_rules() -> None:
    assert len(sql_rules()) > 20
    assert sql_rules() | audit.DERIVED == audit.RULES.keys()
    assert not sql_rules() & audit.DERIVED


def test_every_member_of_the_sql_s_union_is_a_rule() -> None:
    """One that is written in another form would not be seen by the test above."""
    found = (ROOT / "roles/tenancy/files/audit.sql").read_text().partition("found (rule, subject) AS (")[2]
    members = re.split(r"\bUNION ALL\b", found.partition("\n)\nSELECT ")[0])
    assert all(re.match(r"\s*SELECT '[a-z-]+',", member) for member in members)


@pytest.mark.parametrize("rule", ["role-owners", "unique-key"])
def test_a_rule_that_is_not_one_of_the_sql_s_is_refused(rule: str) -> None:
    with pytest.raises(TenancyError, match=f"reports rules that this release does not know: {rule}"):
        audit.collect({"role-owner": ["a"], rule: ["b"]}, MIGRATED, WANTED)


def test_a_name_of_control_characters_is_shown() -> None:
    (entry,) = audit.collect({"definer-function": ["a\x1b[3A\x1b[2K\nOK()"]}, MIGRATED, WANTED)
    assert entry["subject"] == r"a\x1b[3A\x1b[2K\nOK()"


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


@pytest.mark.parametrize(
    ("options", "named"),
    [("-c role=app_rw", True), ("-crole=app_rw", True), ("--role=app_rw", True), ("-c ROLE=app_rw", True),
     ("-c session_authorization=app_rw", True), ("--session-authorization=app_rw", True), ("-c role=none", False),
     ("-c role=alice", False), ("-c my.role=app_rw", False), ("-c lc_messages=C", False)],
)  # fmt: skip
def test_another_role_in_the_url_is_named(options: str, named: bool) -> None:
    assert ("setting-role" in {entry["rule"] for entry in audit.collect({}, MIGRATED, WANTED, options)}) is named
