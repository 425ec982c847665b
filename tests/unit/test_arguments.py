"""The arguments of a function in the model, as PostgreSQL prints them or as an operator writes them."""

from __future__ import annotations

import pytest

from ansible_collections.aimemory.tenancy.plugins.plugin_utils.changes import functions
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.model.model import Function

# Arguments by case: their text, their types, and their names in the existing function. No name needs an alias.
ARGUMENTS = {
    "a default with a comma": (
        "a integer DEFAULT LEAST(1, 2), b integer, c integer", "integer, integer, integer", ["a", "b", "c"]
    ),
    "a quoted default": ("a text DEFAULT 'it''s, b'::text, b text", "text, text", ["a", "b"]),
    "an array": ("a integer[] DEFAULT ARRAY[1, 2], b text = 'x'", "integer[], text", ["a", "b"]),
    "a quoted name": ('"a, (b" text, "it""s" integer', "text, integer", ["a, (b", 'it"s']),
    "a name in words": ('"a b" numeric(3, 2), c character varying', "numeric, character varying", ["a b", "c"]),
    "modes": ("IN a integer, OUT b text, INOUT c date, VARIADIC d text[]", "integer, date, text[]", ["a", "c", "d"]),
    "no names": ("integer, text", "integer, text", ["", ""]),
    "no arguments": ("", "", []),
}  # fmt: skip


@pytest.mark.parametrize("name", ARGUMENTS)
def test_the_names_of_arguments_are_read(name: str) -> None:
    arguments, identity, names = ARGUMENTS[name]
    function = Function("f", arguments, identity, "void", "BEGIN NULL; END")
    assert functions.wanted_body(function, {"names": names}) == function.body


def test_an_argument_of_another_name_gets_an_alias() -> None:
    function = Function("f", "a integer DEFAULT LEAST(1, 2), b text", "integer, text", "void", "BEGIN NULL; END")
    wanted = functions.wanted_body(function, {"names": ["a", "c"]})
    assert '  "b" ALIAS FOR $2;\n' in wanted
    assert "$1" not in wanted
