"""A name is found in a snapshot's definition only if it is spelled as PostgreSQL prints it."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

import golden
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.catalog import definitions
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.catalog import state as catalog
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.catalog.state import Relation
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.changes import foreign_keys, functions, indexes, schema
from conftest import blank_state
from simulator import foreign_key_entry, index_entry
from test_schema import WANTED

NAMES = {
    "types": [{"schema": "public", "name": "words"}, {"schema": "Odd", "name": 'a "type"'}],
    "functions": [{"schema": "public", "name": "seen"}],
    "operators": [{"schema": "public", "name": "@@"}],
    "casts": [], "converted": [],
}  # fmt: skip
INJECTED = '"a DEFERRABLE; ALTER ROLE alice SUPERUSER; --"'


def known(**code: Any) -> dict[str, Any]:
    return blank_state() | {"code": NAMES | code}


@pytest.mark.parametrize(
    ("text", "path", "is_found"),
    [
        ("(k = ('{a}'::public.words[])[1])", None, True),
        ("""(k = 'a'::"public".words)""", None, True),
        ("""(k = 'a'::"Odd"."a ""type""\")""", None, True),
        ("(k = 'a'::words)", None, False),
        ("(k = 'a'::words)", "public", True),
        ("(k = 'a'::public.words2)", None, False),
        ("(k = 'a'::other.words)", "public", False),
        ("(EXISTS ( SELECT FROM public.words))", None, False),
        (None, None, False),
    ],
)
def test_a_literal_of_a_domain_is_found(text: str | None, path: str | None, is_found: bool) -> None:
    assert bool(definitions.literals(known(), "It", ["", text], path)) is is_found


@pytest.mark.parametrize(
    ("text", "path", "is_found"),
    [
        ("(public.seen(k))", None, True),
        ("(other.public.seen(k))", None, False),
        ("(public.unseen(k))", None, False),
        ("(seen(k))", None, False),
        ("(seen(k))", "public", True),
        ("((k OPERATOR(public.@@) k))", None, True),
        ("((k OPERATOR(public.@@@) k))", None, False),
        ("((k @@ k))", None, False),
        ("((k @@ k))", "public", True),
        ("(k) WHERE (m = 'a'::public.mood)", None, False),
    ],
)
def test_what_an_index_may_call_is_found(text: str, path: str | None, is_found: bool) -> None:
    assert bool(definitions.expressions(known(), "It", [text, None], path)) is is_found


def test_a_cast_need_not_be_named() -> None:
    (sentence,) = definitions.expressions(known(casts=["public.meant"]), "It", ["((m)::text)"], None)
    assert "may call public.meant, which an ordinary role owns" in sentence


def test_values_of_one_type_are_not_converted() -> None:
    key = foreign_key_entry("f", "memories", ["m"], "ref", ["t"])
    own, other = (
        {"schema": "public", "table": table, "column": column, "type": "mood", "function": "public.meant"}
        for table, column in (("memories", "m"), ("ref", "t"))
    )
    assert foreign_keys.calling(known(converted=[own, other]), "public", "memories", key) == []
    for converted in ([own], [other], [own, other | {"type": "felt"}]):
        (sentence,) = foreign_keys.calling(known(converted=converted), "public", "memories", key)
        assert "calls public.meant to compare its columns, and a new key would call" in sentence


def key(printed: str, name: str = "c", **changes: Any) -> dict[str, Any]:
    return index_entry(name, ["k"], unique=True, constraint="u") | {"constraint_definition": printed} | changes


def brought(index: dict[str, Any], kind: str = "r") -> list[str]:
    table = WANTED.tables[0]
    relation = Relation(table, "public", table.name, {"kind": kind, "indexes": []}, is_partition=False)
    return [item.sql for item in indexes.recreate(relation, index)]


@pytest.mark.parametrize("end", ["", " DEFERRABLE", " DEFERRABLE INITIALLY DEFERRED"])
def test_only_the_end_of_a_key_says_whether_it_can_be_deferred(end: str) -> None:
    for columns in (f"({INJECTED})", f"(k) INCLUDE ({INJECTED})"):
        _, added = brought(key(f"UNIQUE {columns}{end}"))
        assert added == f'ALTER TABLE "public"."memories" ADD CONSTRAINT "c" UNIQUE USING INDEX "c_original_key"{end}'
        (whole,) = brought(key(f"UNIQUE {columns}{end}", definition="CREATE UNIQUE INDEX c ON ONLY t (k)"), kind="p")
        assert whole == f'ALTER TABLE "public"."memories" ADD CONSTRAINT "c" UNIQUE {columns}{end}'


def test_only_the_beginning_of_an_index_says_that_its_partitions_are_left_out() -> None:
    name = "a ON ONLY b WHERE c"
    printed = f'CREATE INDEX "{name}" ON ONLY public.memories USING btree ("{name}") WHERE ("{name}" > 0)'
    (made,) = brought(index_entry(name, [name]) | {"definition": printed}, kind="p")
    assert made == printed.replace('" ON ONLY public', '" ON public')
    printed = printed.replace('" ON ONLY public', '" ON public')
    built = "a ON ONLY b WHERE c_original_key"
    assert brought(index_entry(name, [name]) | {"definition": printed}) == [
        f'CREATE INDEX "{built}" ON public.memories USING btree ("{name}") WHERE ("{name}" > 0)',
        f'ALTER INDEX "public"."{built}" RENAME TO "{name}"',
    ]


def test_a_tablespace_is_set_around_the_whole_statement() -> None:
    printed = 'CREATE INDEX i ON public.memories USING btree ("a WHERE b")'
    (made,) = brought(index_entry("i", ["a WHERE b"]) | {"definition": printed, "tablespace": "fast"})
    place = 'SET LOCAL default_tablespace = "fast"'
    assert made == f"{place}; {printed}; SET LOCAL default_tablespace = DEFAULT"


@pytest.mark.parametrize("body", ["BEGIN END", "\nAS $function$", "$functionx"])
def test_only_the_end_of_a_function_is_its_body(body: str) -> None:
    head = "CREATE OR REPLACE FUNCTION f(p text DEFAULT '\nAS $function$')\n RETURNS void\n LANGUAGE plpgsql"
    quote = {"BEGIN END": "$function$", "\nAS $function$": "$functionx$", "$functionx": "$functionxx$"}[body]
    document: dict[str, str | None] = {
        "body": body,
        "returns": "void",
        "definition": f"{head}\nAS {quote}{body}{quote}\n",
    }
    assert functions.header(document) == head
    head = head.replace("FUNCTION", "PROCEDURE")
    document = {"body": body, "returns": None, "definition": f"{head}\nAS $procedure${body}$procedure$\n"}
    assert functions.header(document) == head


@pytest.mark.parametrize("body", ["BEGIN ATOMIC\n SELECT '\nRETURN 1';\nEND", "RETURN 'BEGIN ATOMIC\n'::text"])
def test_no_default_is_taken_for_a_body_of_the_sql_standard(body: str) -> None:
    head = "CREATE OR REPLACE FUNCTION f(\"a'\" text DEFAULT E'\\\\''\nBEGIN ATOMIC\n')\n RETURNS text\n LANGUAGE sql"
    assert functions.header({"body": "", "definition": f"{head}\n{body}\n"}) == head
    assert definitions.without_body(f"{head}\n{body}\n") == (head, body)


def test_a_function_that_is_gone_gets_its_owner_again() -> None:
    state = json.loads((golden.DIRECTORY / "migrated/catalog.json").read_text())
    before = json.loads((golden.DIRECTORY / "unmigrated/catalog.json").read_text())
    (function,) = (item for item in WANTED.functions if item.identity == "")
    state["functions"] = [copy.deepcopy(item) for item in state["functions"] if item["name"] != function.name]
    assert catalog.function(before, function.name, function.identity) is not None
    sql = [item["sql"] for item in schema.build(state, WANTED, before) if item["phase"] == "function"]
    assert any(text.startswith("ALTER FUNCTION") and text.endswith('OWNER TO "alice"') for text in sql)
