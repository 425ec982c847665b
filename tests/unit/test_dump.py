"""A dump's table of contents shows which tables the dump lacks, whatever their names are."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.aimemory.tenancy.plugins.module_utils.dumping import lacking

# The output of pg_restore --list in PostgreSQL 15 and 17.
LISTED = """
3372; 0 16390 TABLE DATA public memories alice
3373; 0 16391 TABLE DATA public odd name alice
3374; 0 16392 TABLE DATA odd  schema name alice
215; 1259 16393 TABLE public parted alice
"""


def table(schema: str, name: str, *, partitioned: bool = False) -> dict[str, Any]:
    """Return a table in the form that contents.read returns."""
    return {"schema": schema, "name": name, "partitioned": partitioned}


@pytest.mark.parametrize(
    "held",
    [table("public", "memories"), table("public", "odd\nname"), table("public", "odd\rname"),
     table("odd\r\nschema", "name"), table("public", "parted", partitioned=True)],
)  # fmt: skip
def test_what_is_listed_is_not_lacking(held: dict[str, Any]) -> None:
    assert lacking([held], LISTED) == []


@pytest.mark.parametrize("gone", [table("public", "parted"), table("public", "memorie"), table("other", "memories")])
def test_what_is_not_listed_is_named(gone: dict[str, Any]) -> None:
    assert lacking([gone], LISTED) == [f"{gone['schema']}.{gone['name']}"]


def test_an_entry_stands_for_one_table() -> None:
    listed = [table("public", "odd"), table("public", "odd\nname")]
    assert lacking(listed, LISTED) == ["public.odd"]
    assert lacking(listed[::-1], LISTED + "3375; 0 16394 TABLE DATA public odd alice\n") == []
