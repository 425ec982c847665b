"""Expressions that run an ordinary role's code when any role reads the table."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.aimemory.tenancy.plugins.plugin_utils.catalog import expressions

COLUMN = r"{VAR :varno 1 :varattno 4 :vartype 25 :location 44}"
CONSTANT = "{CONST :consttype 25 :constlen -1 :constisnull false :constvalue 5 [ 20 0 0 0 120 ] :location 50}"


NULL = "{CONST :consttype 25 :constisnull true :location 50 :constvalue <>}"


def call(oid: int, *arguments: str) -> str:
    """Return the node of a function call."""
    return f"{{FUNCEXPR :funcid {oid} :funcresulttype 25 :args ({' '.join(arguments)}) :location 33}}"


def operator(opno: int, opfuncid: int, *arguments: str) -> str:
    """Return the node of an operator."""
    return f"{{OPEXPR :opno {opno} :opfuncid {opfuncid} :opresulttype 16 :args ({' '.join(arguments)}) :location 1}}"


def domain(argument: str) -> str:
    """Return the node of a cast to the domain."""
    return f"{{COERCETODOMAIN :arg {argument} :resulttype 16500 :resulttypmod -1 :location 1}}"


def found(source: str, check: str = "", **function: Any) -> dict[str, Any]:
    """Return the facts from the catalogs about an index on a function that alice owns."""
    whole = {
        "oid": 16400, "name": "public.f(text)", "symbol": "f", "owner": "alice", "arguments": 1, "inlined": False,
        "plain_types": True, "body": "", "parsed": "",
    } | function  # fmt: skip
    calls = [{"oid": oid, "arguments": arguments} for oid, arguments in ((16400, 1), (16401, 2))]
    return {
        "computed": [{"what": "The index public.i", "source": source}], "functions": [whole],
        "calls": calls[1:] if whole["inlined"] else calls,
        "operators": [{"oid": 16450, "symbol": "<>", "functions": [16400]}],
        "types": [{"oid": 16500 + n, "symbol": name} for n, name in enumerate(("Words", "\u03a3", "x" * 63))],
        "domains": [
            {"oid": 16500, "name": "public.words", "base": 16510, "checks": []},
            {"oid": 16510, "name": "public.base", "base": 25, "checks": [check] if check else []},
        ],
        "written": [],
    }  # fmt: skip


@pytest.mark.parametrize(
    "source",
    [
        call(16400, CONSTANT),
        call(16400),
        call(16400, call(870, CONSTANT)),
        # The expression contains a column, but the call does not use the column.
        f"({call(16400, CONSTANT)} {COLUMN})",
        call(870, COLUMN, call(16400, CONSTANT)),
        call(16400, f"{{COALESCE :coalescetype 25 :args ({CONSTANT} {COLUMN}) :location 1}}"),
        call(16400, f"{{CASE :arg <> :args ({{CASEWHEN :expr {CONSTANT} :result {CONSTANT}}}) :defresult {COLUMN}}}"),
        # PostgreSQL does not call a strict function for NULL, so the inner call may become a constant.
        call(16400, call(870, COLUMN, NULL)),
        # The inner function can be inlined, or has an argument with a default.
        call(16400, call(16402, COLUMN)),
        call(16400, call(16401, COLUMN)),
        # The name contains braces.
        r"{FUNCEXPR :funcid 16400 :name \{VAR\ \} :args (" + CONSTANT + ")}",
    ],
)
def test_a_call_with_only_constants_is_computed_by_every_reader(source: str) -> None:
    (sentence,) = expressions.refusals(found(source))
    assert sentence.startswith("The index public.i calls public.f(text), which belongs to alice, with constants, or")


@pytest.mark.parametrize(
    "source",
    [
        call(16400, COLUMN),
        call(16400, call(870, CONSTANT, COLUMN)),
        call(16400, operator(654, 1258, COLUMN, CONSTANT)),
        call(16400, call(16400, COLUMN)),
        call(16400, call(16401, COLUMN, CONSTANT)),
        call(16400, f"{{RELABELTYPE :arg {COLUMN} :resulttype 25 :location 1}}"),
        # The node is COLLATE up to PostgreSQL 15, and COLLATEEXPR since PostgreSQL 16.
        call(16400, f"{{COLLATE :arg {COLUMN} :collOid 950 :location 1}}"),
        call(16400, f"{{COLLATEEXPR :arg {COLUMN} :collOid 950 :location 1}}"),
        call(16400, domain(COLUMN)),
        call(870, CONSTANT),
        domain(COLUMN),
    ],
)
def test_a_call_of_a_column_is_not(source: str) -> None:
    assert expressions.refusals(found(source)) == []


def test_defaults_of_arguments_are_computed() -> None:
    (sentence,) = expressions.refusals(found(call(16400, COLUMN), arguments=2))
    assert ", with defaults of its arguments: any role" in sentence


@pytest.mark.parametrize("source", [operator(16450, 16400, COLUMN, CONSTANT), operator(16450, 67, COLUMN, CONSTANT)])
def test_estimates_call_an_operator_or_its_negator(source: str) -> None:
    (sentence,) = expressions.refusals(found(source))
    assert ", through an operator whose function the planner calls for estimates: any role" in sentence


@pytest.mark.parametrize(
    ("check", "refused"),
    [
        (call(16400, CONSTANT), True),
        (call(16400, "{COERCETODOMAINVALUE :typeId 25 :location 7}"), False),
        (call(870, CONSTANT), False),
    ],
)
def test_the_check_of_a_domain_that_is_cast_to_is_looked_into(check: str, refused: bool) -> None:
    sentences = expressions.refusals(found(call(870, domain(COLUMN)), check))
    assert [sentence.partition(" calls ")[0] for sentence in sentences] == (
        ["The index public.i uses the domain public.base, whose CHECK"] if refused else []
    )
    # Without a cast to the domain, its CHECK does not matter.
    assert expressions.refusals(found(call(870, COLUMN), check)) == []


@pytest.mark.parametrize(
    ("body", "refused"),
    [
        ("SELECT pg_catalog.lower($1)", False),
        ("SELECT public.f($1)", True),
        ("SELECT $1 || 'x'::public.Words", True),
        ("SELECT $1 || 'x'::public . \"Words\"", True),
        ("SELECT public.words2($1)", False),
        # A name without a schema does not match.
        ("SELECT $1 || words", False),
        ("SELECT $1 || 'x'::public./**/Words", True),
        # Upper-case names, truncated names and other spellings of an operator also match.
        ("SELECT $1 || 'x'::public.\u03a3", True),
        (f"SELECT $1 || 'x'::public.{'x' * 70}", True),
        ("SELECT $1 OPERATOR(public.!=) 'x'", True),
        ("SELECT $1 <> 'x'", False),
        ("SELECT U&\"\\0066\"('x')", True),
    ],
)
def test_the_body_of_an_inlined_function_is_looked_into(body: str, refused: bool) -> None:
    sentences = expressions.refusals(found(call(16400, COLUMN), inlined=True, body=body))
    assert bool(sentences) == refused


def test_the_types_of_an_inlined_function_are_looked_into() -> None:
    (sentence,) = expressions.refusals(found(call(16400, COLUMN), inlined=True, plain_types=False, body="SELECT $1"))
    assert ", whose body uses objects of ordinary roles: any role" in sentence


@pytest.mark.parametrize(
    ("parsed", "refused"),
    [
        (call(870, COLUMN), False),
        (call(16400, COLUMN), True),
        (operator(16450, 67, COLUMN, COLUMN), True),
        (domain(COLUMN), True),
    ],
)
def test_a_body_that_is_kept_parsed_is_looked_into(parsed: str, refused: bool) -> None:
    sentences = expressions.refusals(found(call(16400, COLUMN), inlined=True, parsed=f"({parsed})"))
    assert bool(sentences) == refused


def test_a_value_of_a_domain_in_what_is_written_again_is_refused() -> None:
    facts = found("") | {"written": [{"what": "The policy p of public.memories", "type": "words[]"}]}
    (sentence,) = expressions.refusals(facts)
    assert "contains a value of words[], a domain whose CHECK calls an ordinary role's code. The code would" in sentence
