"""The sample row has a value for each required column. Columns without a known value are named."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.aimemory.tenancy.plugins.plugin_utils.model import model
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.proof import checks, samples
from conftest import TYPE, attribute
from production import model_source

NUMBERS = {"smallint": "int2", "integer": "int4", "bigint": "int8", "numeric": "numeric"}
TYPES: dict[str, Any] = {
    "text": TYPE, "character varying": TYPE | {"name": "varchar"}, "public.vector": TYPE | {"name": "vector"},
    "public.halfvec": TYPE | {"name": "halfvec"}, "public.sparsevec": TYPE | {"name": "sparsevec"},
    "public.geometry": TYPE | {"name": "geometry"}, "date": TYPE | {"name": "date"}, "uuid": TYPE | {"name": "uuid"},
    **{name: TYPE | {"name": kind} for name, kind in NUMBERS.items()},
}  # fmt: skip


def wanted(**entry: Any) -> model.Model:
    tables = [{"name": "others"}, {"name": "t", **entry}]
    return model.parse(model_source() | {"tables": tables, "functions": []})


def derived(*attributes: dict[str, Any], entry: dict[str, Any] | None = None, **document: Any) -> samples.Sample:
    """Return the sample row of a table with these columns."""
    target = wanted(**(entry or {}))
    found = {"attributes": list(attributes), "columns": [item["name"] for item in attributes], **document}
    return samples.of(target, target.tables[1], found, TYPES)


def required(name: str, type_name: str = "text", formatted: str = "", **more: Any) -> dict[str, Any]:
    return attribute(name, type_name, not_null=True, **more) | {"formatted": formatted or type_name}


def test_what_need_not_be_named_is_not() -> None:
    found = derived(
        required("a"), required("with_default", has_default=True), attribute("nullable"),
        required("generated", generated=True), required("customer_id", "integer"),
    )  # fmt: skip
    assert found.values == {"a": "'proof of t'"}
    assert derived() == samples.Sample({}, {})


def test_the_models_sample_comes_first_and_natural_keys_have_a_value() -> None:
    entry = {"natural_keys": [["k", "a"]], "sample": {"a": "it's", "more": 5}}
    found = derived(required("a"), attribute("k"), attribute("more", "integer"), entry=entry)
    assert found.values == {"a": "'it''s'", "more": "'5'", "k": "'proof of t'"}


@pytest.mark.parametrize(
    ("type_name", "formatted", "value"),
    [
        ("public.vector", "public.vector(3)", "[1,1,1]"), ("public.halfvec", "public.halfvec(2)", "[1,1]"),
        ("public.sparsevec", "public.sparsevec(9)", "{1:1}/9"), ("public.vector", "public.vector", "[1,1,1]"),
        ("character varying", "character varying(5)", "roof2"),
        ("character varying", "character varying", "proof of t"),
        ("numeric", "numeric(1,1)", "0"), ("uuid", "uuid", "00000000-0000-4000-8000-000000000002"),
    ],
)  # fmt: skip
def test_a_value_of_a_type(type_name: str, formatted: str, value: str) -> None:
    assert derived(required("c", type_name, formatted)).values == {"c": f"'{value}'"}


def test_a_type_without_a_known_value_is_missing() -> None:
    found = derived(required("place", "public.geometry", "public.geometry(Point,4326)"))
    assert found == samples.Sample({}, {"place": "type public.geometry"})


@given(st.sampled_from(sorted(NUMBERS)), st.integers(-40000, 40000), st.integers(0, 70000))
def test_numbers_between_two_others(type_name: str, low: int, width: int) -> None:
    rule = f"((c >= '{low}'::integer) AND (c <= '{low + width}'::integer))"
    found = derived(required("c", type_name), checks=[{"name": "c", "expression": rule}])
    largest = {"smallint": 2**15 - 1}.get(type_name, 2**31)
    if low > largest or low + width < -largest - 1:
        assert found.missing == {"c": f"CHECK {rule}"}
    else:
        assert low <= int(found.values["c"].strip("'")) <= low + width


@given(st.integers(1, 60), st.integers(1, 60), st.integers(0, 9))
def test_texts_of_a_length(length: int, low: int, more: int) -> None:
    rule = f"((length(c) >= {low}) AND (length(c) <= {low + more}))"
    column = required("c", "character varying", f"character varying({length})")
    found = derived(column, checks=[{"name": "c", "expression": rule}])
    assert bool(found.values) is (low <= length)
    for value in found.values.values():
        assert low <= len(value.strip("'")) <= min(length, low + more)


@given(st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), min_size=1, max_size=9))
def test_a_value_of_a_list(value: str) -> None:
    quoted = value.replace("'", "''")
    rule = f"(c = ANY (ARRAY['{quoted}'::text, 'other'::text]))"
    found = derived(required("c"), checks=[{"name": "c", "expression": rule}])
    assert found.missing == {}
    assert checks.literals(rule)[0] == value


@pytest.mark.parametrize(
    ("rule", "known"), [("public.fine(c)", True), ("(c ~ '^x'::text)", False), ("(c = 'public.fine('::text)", False)]
)
def test_what_the_applications_own_code_says_is_tried(rule: str, known: bool) -> None:
    found = derived(required("c"), checks=[{"name": "c", "expression": rule + (" AND c ~ 'a'" if not known else "")}])
    assert (found.missing == {}) is known


def test_tables_have_other_values() -> None:
    target = wanted(natural_keys=[["k", "n", "d"]])
    document = {
        "attributes": [attribute("k"), attribute("n", "integer"), attribute("d", "date")],
        "columns": ["k", "n", "d"],
    }
    first = samples.of(target, target.tables[1], document, TYPES).values
    source = model_source() | {"tables": [{"name": "u", "natural_keys": [["k", "n", "d"]]}], "functions": []}
    other = model.parse(source)
    second = samples.of(other, other.tables[0], document, TYPES).values
    assert first.keys() == second.keys() == {"k", "n", "d"}
    assert not set(first.values()) & set(second.values())


@pytest.mark.parametrize(
    ("lookup", "values", "missing"),
    [
        ({"values": ["7", "north"]}, {"id": "'7'", "region": "'north'"}, {}),
        ({"values": None}, {}, {"id": "public.x, which it references, has no row", "region": "public.x, which it"}),
        ({"readable": False, "values": None}, {}, {"id": "a type whose code", "region": "a type whose code"}),
        ({"values": ["7", "1"], "columns": ["id", "customer_id"]}, {"region": "'proof of t'"}, {"id": "the tenant"}),
    ],
)  # fmt: skip
def test_a_look_up(lookup: dict[str, Any], values: dict[str, str], missing: dict[str, str]) -> None:
    key = {"name": "fk", "columns": ["id", "region"], "references": "public.x", "readable": True} | lookup
    found = derived(required("id", "integer"), required("region"), required("customer_id", "integer"), lookups=[key])
    assert found.values == values
    assert found.missing.keys() == missing.keys()
    assert all(why in found.missing[name] for name, why in missing.items())
    part = {"sample": {"region": "south"}}
    found = derived(required("id", "integer"), required("region"), lookups=[key], entry=part)
    assert found.missing or found.values == {"region": "'south'", "id": "'7'"}


def test_the_column_that_attempts_change_is_of_no_key_and_allowed() -> None:
    target = wanted(natural_keys=[["k"]], surrogate_keys=[["id"]])
    table = target.tables[1]
    document = {
        "attributes": [attribute("id"), attribute("k"), attribute("g", generated=True), attribute("b"), attribute("a")]
    }
    row = samples.Sample({"k": "'x'", "a": "'y'"}, {})

    def chosen(*allowed: str) -> str:
        return samples.updated(target, table, row, document, lambda name: name in allowed)

    assert chosen("id", "k", "a", "b") == "a"
    assert chosen("id", "k", "b") == "b"
    assert chosen("k", "g") == "k"
    assert chosen() == "a"
    assert samples.updated(target, table, samples.Sample({}, {}), {"attributes": []}, bool) == "customer_id"
