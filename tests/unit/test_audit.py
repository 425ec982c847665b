"""The audit's verdict on the facts in the catalogs."""

from __future__ import annotations

import copy
import dataclasses
import json
import re

import pytest

import golden
from ansible_collections.aimemory.tenancy.plugins.module_utils.errors import TenancyError
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.audit import audit
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.audit.rule import ERROR, WARNING, Rule
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.model import model
from production import model_source

MIGRATED = json.loads((golden.DIRECTORY / "migrated/catalog.json").read_text())
WANTED = model.parse(model_source(MIGRATED["database"]))
REQUIRED = [field for field in dataclasses.fields(Rule) if field.default is field.default_factory]


def test_errors_come_first_and_each_has_a_reason_and_a_remedy() -> None:
    found = audit.collect({"role-owner": ["a", "b"], "view-definer": ["v"]}, MIGRATED, WANTED)
    assert [(entry["severity"], entry["subject"]) for entry in found] == [
        ("error", "v"), ("warning", "a"), ("warning", "b"),
    ]  # fmt: skip
    assert audit.as_finding(found)["actual"] == ["view-definer: v"]
    assert not audit.as_finding(found)["ok"]
    assert audit.as_finding(found[1:])["ok"]


@pytest.mark.parametrize("name", audit.RULES)
def test_a_rule_is_whole(name: str) -> None:
    rule = audit.RULES[name]
    assert isinstance(rule, Rule)
    assert re.fullmatch("[a-z]+(-[a-z]+)*", name)
    assert rule.severity in (ERROR, WARNING)
    for sentence in (audit.MODULES[name].__doc__, rule.why, rule.remedy):
        assert re.fullmatch(r"\w[^\n]* [^\n]*\.", sentence or ""), sentence
    for part in (rule.bad, rule.good, rule.found):
        assert part.strip()
    assert any((rule.sql, rule.service_statement, rule.judge))


@pytest.mark.parametrize("part", [field.name for field in REQUIRED])
def test_a_rule_that_lacks_a_part_cannot_be_made(part: str) -> None:
    parts = {field.name: getattr(audit.RULES["publication"], field.name) for field in REQUIRED if field.name != part}
    with pytest.raises(TypeError, match=f"missing 1 required keyword-only argument: '{part}'"):
        Rule(**parts)


def test_every_file_is_a_rule() -> None:
    files = {file.stem for file in (audit.HERE / "rules").iterdir() if not file.name.startswith("__pycache__")}
    assert {name.replace("-", "_") for name in audit.RULES} == files
    assert len(files) > 25


def test_a_query_has_the_rules_of_its_kind_and_no_other_percent_sign() -> None:
    """psycopg2 interprets a single percent sign as a placeholder."""
    for query, with_sql in (
        (audit.query(), {name for name, rule in audit.RULES.items() if rule.sql}),
        (audit.statements_query(), {name for name, rule in audit.RULES.items() if rule.service_statement}),
    ):
        assert {name for name in audit.RULES if f"'{name}'," in query} == with_sql
        assert set(re.findall(r"%(?:\((\w+)\)s|%)", query)) <= {
            "", "schema", "tables", "column", "setting", "application_role", "readable",
            "natural_keys",
        }  # fmt: skip
        assert "%" not in re.sub(r"%\(\w+\)s|%%", "", query)


def test_the_queries_name_the_schema_of_the_catalogs() -> None:
    for query in (audit.query(), audit.statements_query()):
        named = re.findall(r"\b(?:FROM|JOIN) (?:[a-z]+, )*(pg_[\w.]+)", query)
        assert len(named) > 3
        assert [name for name in named if not name.startswith("pg_catalog.")] == []
        assert re.findall(r"'pg_(?!catalog)\w+'::regclass", query) == []


@pytest.mark.parametrize("rule", ["role-owners", "unique-key"])
def test_a_rule_that_is_not_one_of_the_sql_s_is_refused(rule: str) -> None:
    with pytest.raises(TenancyError, match=f"reports unknown rules: {rule}"):
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
    ("version", "number", "rules"),
    [
        ("19devel", 190000, ["server-preview"]), ("19beta1", 190000, ["server-preview"]), ("19.0", 190000, []),
        # A release candidate of a known major version also lacks the fixes in that version's minor releases.
        ("18rc1", 180000, ["server-minor", "server-preview"]), ("17.12 (Debian 17.12-1.pgdg13+1)", 170012, []),
    ],
)  # fmt: skip
def test_a_pre_release_is_named(version: str, number: int, rules: list[str]) -> None:
    state = copy.deepcopy(MIGRATED) | {"server_version_num": number, "server_version": version}
    assert sorted(entry["rule"] for entry in audit.collect({}, state, WANTED)) == rules


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
