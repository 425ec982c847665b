"""A CHECK constraint is evaluated for a row as PostgreSQL evaluates it, or its value is unknown."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.aimemory.tenancy.plugins.plugin_utils.proof import checks

ROW: dict[str, Any] = {
    "a": Decimal(5), "t": "abc", "n": None, "b": False, "d": checks.value("2025-01-01", "date"),
    "s": checks.value("2 days 01:00:00", "interval"), "j": checks.value("[1]", "jsonb"), "l": ["x", "y"],
    "o": checks.value("(1,1)", "point"), "Odd \"name\"": Decimal(1),
}  # fmt: skip


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ("((a >= 5) AND (a <= 99))", True), ("((a > (0)::double precision) AND (a < (5)::double precision))", False),
        ("(a <> '-1'::integer)", True), ("(((a + 1) * (2)::numeric) = (12)::numeric)", True), ("(a = (- 5))", False),
        ("(t = ANY (ARRAY['x'::text, 'abc'::text]))", True), ("(t <> ALL (ARRAY['x'::text, 'abc'::text]))", False),
        ("((t)::text = ANY ((ARRAY['it''s'::character varying, 'abc'::character varying])::text[]))", True),
        ("(t = ANY ('{x,abc}'::text[]))", True), ("(NOT (t = 'x'::text))", True), ("(t IS NOT NULL)", True),
        ("(length(t) = 3)", True), ("(btrim(t) <> ''::text)", True), ("(TRIM(BOTH FROM t) <> ''::text)", True),
        ("(upper(t) = t)", False), ("(t ~~ '%c'::text)", True), ("(t !~~ 'a_c'::text)", False),
        ("(n > 5)", None), ("((n > 5) OR (a = 5))", True), ("((n > 5) AND (a = 4))", False), ("(n IS NULL)", True),
        ("(t ~ '^[a-z]+$'::text)", True), ("(t !~* '^A.C$'::text)", False), ("((a % 3) = 2)", True),
        ("(date_trunc('year'::text, (d AT TIME ZONE 'UTC'::text)) = '2025-01-01'::date)", True),
        ("(date_trunc('week'::text, d) = d)", checks.UNKNOWN),
        ("((d AT TIME ZONE 'Asia/Tokyo'::text) = d)", checks.UNKNOWN),
        ("(n ~ '^x'::text)", None), ("(num_nonnulls(n, a) = 1)", True), ("(b IS FALSE)", True), ("b", False),
        ("(a IS DISTINCT FROM n)", True), ("(COALESCE(n, a) = 5)", True), ("(\"Odd \"\"name\"\"\" = 1)", True),
        ("(d < now())", True), ("(d >= '2025-01-01 00:00:00+00'::timestamp with time zone)", True),
        ("(d > CURRENT_DATE)", False), ("((d + '1 day'::interval) > '2025-01-01'::date)", True),
        ("(s > '1 day'::interval)", True), ("(jsonb_typeof(j) = 'array'::text)", True), ("(cardinality(l) > 1)", True),
        ("satisfies_hash_partition('16401'::oid, 4, 0, elsewhere)", True),
        # Only a database can compute the result.
        ("(t ~ '^(?!b)'::text)", checks.UNKNOWN), ("(t > 'aaa'::text)", checks.UNKNOWN), ("(c = 1)", checks.UNKNOWN),
        ("public.fine(t)", checks.UNKNOWN), ("(t OPERATOR(public.=) 'x'::text)", checks.UNKNOWN),
        ("(o = o)", checks.UNKNOWN), ("((t)::character varying(2) = 'ab'::text)", checks.UNKNOWN),
        ("CASE WHEN (a > 1) THEN true ELSE false END", checks.UNKNOWN), ("(EXTRACT(year FROM d) > 1)", checks.UNKNOWN),
        ("((a / 2) = 2)", checks.UNKNOWN), ("((a)::text = '5'::text)", checks.UNKNOWN), ("", checks.UNKNOWN),
        ("('x'::text = ANY (n))", None), ("('x'::text = ANY (t))", checks.UNKNOWN), ("(a = t)", checks.UNKNOWN),
        # A single known operand can determine the result.
        ("((a = 5) OR public.fine(t))", checks.UNKNOWN), ("((a = 5) OR (t ~ 'x'::text))", True),
        ("(" * 3000 + "a" + ")" * 3000, checks.UNKNOWN),
    ],
)  # fmt: skip
def test_an_expression_has_the_value_that_postgresql_gives_it(expression: str, found: Any) -> None:
    assert checks.evaluate(expression, ROW) is found or checks.evaluate(expression, ROW) == found
    holds = checks.holds(expression, ROW)
    assert holds is (checks.UNKNOWN if found is checks.UNKNOWN else found is not False)


@given(st.text(max_size=40), st.sampled_from(["(a = 'x'::text)", "(length(t) > 3)", "(a IS NULL)"]))
def test_an_invalid_expression_is_unknown(text: str, expression: str) -> None:
    place = len(expression) // 2
    for wrong in (text, expression[:place] + text + expression[place:]):
        checks.holds(wrong, ROW)
        checks.mentioned(wrong)
        checks.literals(wrong)


def test_names_and_constants_are_told() -> None:
    expression = "((\"A b\" = 'it''s'::text) OR (c = ANY ('{x,y}'::text[])) OR (d > 1.5))"
    assert {"A b", "c", "d"} <= checks.mentioned(expression)
    assert checks.literals(expression) == ["it's", "{x,y}", "x", "y", "1.5"]
    assert not re.search("it|x", " ".join(checks.mentioned(expression) - {"text"}))
