"""The attempts of the isolation proof: one meaning each, whatever the names are."""

from __future__ import annotations

import json
from typing import Any

import pglast
from hypothesis import given
from hypothesis import strategies as st

import golden
from ansible_collections.aimemory.tenancy.plugins.module_utils import model, proof
from production import model_source

names = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1, max_size=15)


def made(source: dict[str, Any]) -> list[proof.Attempt]:
    return proof.attempts(model.parse(source), "32767", "32766")


def test_every_attempt_has_a_name_and_a_sentence_of_its_own_table() -> None:
    found = made(model_source())
    assert len({item["id"] for item in found}) == len(found) > 150
    assert all(item["id"].startswith(f"{item['table']}.") and item["sentence"] and item["expected"] for item in found)


def test_every_table_has_its_controls_and_every_way_in() -> None:
    found = made(model_source())
    for table in model.parse(model_source()).tables:
        ids = {item["id"].removeprefix(f"{table.name}.") for item in found if item["table"] == table.name}
        assert {
            "own.insert", "own.insert.same", "own.read", "own.update", "own.delete", "read.another", "read.default",
            "update.another", "delete.another", "insert", "insert.select", "update.tenant", "take.another", "truncate",
            "read.unset", "read.reset", "read.empty", "read.garbage", "insert.reset", "copy.out", "copy.in", "off",
        } <= ids  # fmt: skip
        assert {f"upsert.{'_'.join(key)}" for key in table.natural_keys} <= ids


def test_what_is_never_set_comes_before_anything_is_set() -> None:
    found = made(model_source())
    assert [item["id"].split(".")[1:] for item in found[:5]] == [["read", "unset"]] * 5
    assert [item["tenant"] for item in found[:6]] == [None] * 5 + ["32767"]


@given(names, names, names)
def test_odd_names_stay_names(table: str, column: str, value: str) -> None:
    source = model_source() | {
        "column": "tenant", "tables": [{"name": table, "natural_keys": [[column]], "sample": {column: value}}],
    }  # fmt: skip
    for item in made(source):
        assert 1 <= len(pglast.parse_sql(item["sql"])) <= 2


def test_synthetic_tenants_are_nobodys() -> None:
    state = json.loads((golden.DIRECTORY / "migrated/catalog.json").read_text())
    state["tables"]["memories"]["column"]["tenants"]["32767"] = 1
    state["tables"]["caller_profiles"]["column"]["tenants"]["32765"] = 1
    assert proof.synthetic_tenants(state, model.parse(model_source())) == ("32766", "32764")


def test_the_default_tenant_is_no_synthetic_one() -> None:
    empty = json.loads((golden.DIRECTORY / "unmigrated/catalog.json").read_text())
    wanted = model.parse(model_source() | {"default_tenant": 32767})
    assert proof.synthetic_tenants(empty, wanted) == ("32766", "32765")


def test_a_large_table_is_probed_instead_of_read_in_full() -> None:
    state = json.loads((golden.DIRECTORY / "migrated/catalog.json").read_text())
    wanted = model.parse(model_source())
    for rows, probed in ((5755, False), (5756, True)):
        state["tables"]["memories"]["rows"] = rows
        kept = proof.before(state, wanted, 5755)[0]
        assert ("'probed'" in kept) is probed
        assert len(pglast.parse_sql(kept)) == 1
        given = proof.after(state, wanted, 5755, "runner")
        assert given[1] == "runner"
        assert ("probed" in given[0]) is probed
