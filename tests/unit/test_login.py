"""The attempts that are made with the service's own login."""

from __future__ import annotations

import json
from typing import Any

import pglast
import pytest

import golden
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.changes import login
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.model import model
from production import model_source, projects_source

MIGRATED = json.loads((golden.DIRECTORY / "migrated/catalog.json").read_text()) | {"snapshot_xmin": 2**32 + 700}
WANTED = model.parse(model_source(MIGRATED["database"]))


def by_id(attempts: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    assert len({item["id"] for item in attempts}) == len(attempts)
    for item in attempts:
        # An attempt may consist of two statements: RESET of the tenant setting, then the query.
        assert len(pglast.parse_sql(item["sql"])) == 1 + item["sql"].startswith("RESET ")
        assert item["sentence"]
        assert item["expected"]
    return {item["id"]: item for item in attempts}


def test_a_role_tries_to_become_every_other() -> None:
    found = by_id(login.becoming("alice", ["alice", 'odd "role"', "postgres"]))
    assert list(found) == [
        "login", 'login.role.odd "role"', 'login.session.odd "role"', "login.role.postgres", "login.session.postgres",
    ]  # fmt: skip
    assert found["login"]["expected"] == ["1 rows"]
    assert found["login.role.postgres"]["expected"] == ["error 42501"]


@pytest.mark.parametrize(("bridges", "rows"), [({"alice": "01"}, "1 rows"), ({}, "0 rows")])
def test_what_a_login_without_a_tenant_reads_is_what_the_bridge_says(bridges: dict[str, str], rows: str) -> None:
    found = by_id(login.reaching(MIGRATED | {"bridges": bridges}, WANTED, writes=False))
    assert found["memories.login.unnamed"]["expected"] == [rows]
    assert found["memories.login.unnamed.other"]["expected"] == ["0 rows"]
    assert found["memories.login.copy.own"]["expected"] == ["1 rows"]


@pytest.mark.parametrize(("bridges", "given"), [({"alice": "01"}, 5755), ({}, 0)])
def test_a_session_sees_what_its_tenant_has(bridges: dict[str, str], given: int) -> None:
    found = by_id(login.reaching(MIGRATED | {"bridges": bridges}, WANTED, writes=False))
    seen = {item["id"].partition(".")[2]: item for item in found.values() if item["table"] == "memories"}
    expected = {
        "no tenant set": given, "default tenant": 5755, "after RESET": given, "empty tenant": 0,
        "tenant without rows": 0,
    }  # fmt: skip
    for title, rows in expected.items():
        item = seen[f"{title}: rows visible"]
        assert (item["visible"], item["expected"]) == (rows, [f"{rows} rows"])
        # Newer rows are recognized by the age of their 32-bit transaction ID.
        assert "OPERATOR(pg_catalog.-) 700 OPERATOR(pg_catalog.+)" in item["sql"]
        # If the session must see no row, every row is forbidden. Otherwise, only other tenants' rows are.
        assert ("FILTER (WHERE NOT (false))" in item["sql"]) == (rows == 0)
        assert ("FILTER (WHERE NOT ((t.\"customer_id\" OPERATOR(pg_catalog.=) '1') IS TRUE))" in item["sql"]) == (
            rows > 0
        )
    assert next(iter(found)) == "memories.no tenant set: rows visible"


def test_only_where_it_may_write_it_tries_to() -> None:
    assert not any(item.get("writes") for item in login.reaching(MIGRATED, WANTED, writes=False))
    writing = [item for item in login.reaching(MIGRATED, WANTED, writes=True) if item.get("writes")]
    assert [item["table"] for item in writing] == [table.name for table in WANTED.tables]
    assert '"embedding", "customer_id") FROM STDIN' in writing[0]["sql"]
    assert writing[0]["expected"] == ["error 0A000"]


def test_a_table_without_the_column_is_left_out() -> None:
    state = json.loads((golden.DIRECTORY / "unmigrated/catalog.json").read_text()) | {"snapshot_xmin": 700}
    assert login.reaching(state, WANTED, writes=True) == []


def test_without_a_default_tenant_a_login_is_one_that_has_rows() -> None:
    state = {**golden.catalog("projects-migrated"), "snapshot_xmin": 700}
    found = by_id(login.reaching(state, model.parse(projects_source(state["database"])), writes=True))
    assert found["marks.default tenant: rows visible"]["tenant"] == "1"
    assert found["marks.default tenant: rows visible"]["expected"] == ["8 rows"]
    assert found["marks.no tenant set: rows visible"]["expected"] == ["0 rows"]
    empty = {**golden.catalog("projects"), "snapshot_xmin": 700}
    for document in empty["tables"].values():
        if document["column"]:
            document["column"]["tenants"] = {}
    wanted = model.parse(projects_source(empty["database"]))
    first = login.reaching(empty, wanted, writes=False)[1]
    assert first["expected"] == ["0 rows"]
