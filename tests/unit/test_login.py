"""What is tried over the service's own login."""

from __future__ import annotations

import json
from typing import Any

import pglast
import pytest

import golden
from ansible_collections.aimemory.tenancy.plugins.module_utils import login, model
from production import model_source

MIGRATED = json.loads((golden.DIRECTORY / "migrated/catalog.json").read_text())
WANTED = model.parse(model_source(MIGRATED["database"]))


def by_id(attempts: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    assert len({item["id"] for item in attempts}) == len(attempts)
    for item in attempts:
        assert len(pglast.parse_sql(item["sql"])) == 1
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


def test_only_where_it_may_write_it_tries_to() -> None:
    assert not any(item.get("writes") for item in login.reaching(MIGRATED, WANTED, writes=False))
    writing = [item for item in login.reaching(MIGRATED, WANTED, writes=True) if item.get("writes")]
    assert [item["table"] for item in writing] == [table.name for table in WANTED.tables]
    assert writing[0]["data"] == "fact\tproof\tproof\t1\n"
    assert writing[0]["expected"] == ["error 0A000"]


def test_a_table_without_the_column_is_left_out() -> None:
    state = json.loads((golden.DIRECTORY / "unmigrated/catalog.json").read_text())
    assert login.reaching(state, WANTED, writes=True) == []
