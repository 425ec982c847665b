"""Access to the result of ``catalog.sql``: the relations and functions of a database that no model describes.

The title of a relation is ``schema.name``. Keys and foreign keys are returned without the tenant column, so that they
are the same before and after the migration.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ...module_utils.errors import TenancyError
from .columns import SESSION

Document = Mapping[str, Any]

# Matches a default that gives each row a different value.
RANDOM = re.compile(
    r"^(\w+\.)?(nextval|gen_random_uuid|uuid_generate_v[14]|uuid_generate_v1mc|uuidv[47]|gen_ulid|generate_ulid)\("
)
TABLES = ("r", "p")


def query() -> str:
    """Return the query in ``catalog.sql``, whose result is one JSON document. It only reads and takes no arguments."""
    return (Path(__file__).parent / "catalog.sql").read_text()


class Table:
    """A table in the catalogs. Its keys, foreign keys and indexes are returned without the tenant column."""

    def __init__(self, title: str, document: Document, column: str | None) -> None:
        """Store the table's document and the name of the tenant column (``column``), or None if it is not known."""
        self.title, self.document, self._column = title, document, column
        self.name: str = document["name"]
        self.columns = {item["name"]: item for item in document["columns"]}

    @property
    def has_tenant(self) -> bool:
        """Whether the table has the tenant column."""
        return self._column in self.columns

    @property
    def has_session_tenant(self) -> bool:
        """Whether the tenant column has the session's tenant as its default."""
        return self.has_tenant and bool(SESSION.search(self.columns[str(self._column)]["default"] or ""))

    def tenant_reference(self) -> tuple[str, str] | None:
        """Return the title and the key column of the table that the tenant column alone references, or None."""
        keys = [item for item in self.document["foreign_keys"] if item["columns"] == [self._column]]
        return (keys[0]["references"], keys[0]["key"][0]) if keys else None

    def unique_keys(self) -> list[tuple[str, ...]]:
        """Return the columns of the table's unique keys, starting with the primary key.

        For a key with expressions, a partial key or an exclusion constraint, return the columns that the key uses.
        """
        found: dict[frozenset[str], tuple[str, ...]] = {}
        for item in self._unique():
            key = tuple(name for name in item["columns" if _is_simple(item) else "reads"] if name != self._column)
            if key:
                found.setdefault(frozenset(key), key)
        return list(found.values())

    def foreign_keys(self) -> list[dict[str, Any]]:
        """Return the table's foreign keys, each with columns, references (a title) and key (the referenced columns)."""
        found = []
        for item in self.document["foreign_keys"]:
            pairs = [pair for pair in zip(item["columns"], item["key"], strict=True) if pair[0] != self._column]
            if pairs:
                columns, key = (list(side) for side in zip(*pairs, strict=True))
                found.append({"columns": columns, "references": item["references"], "key": key})
        return found

    def pointing(self) -> set[str]:
        """Return the columns of the table's foreign keys."""
        return {name for key in self.foreign_keys() for name in key["columns"]}

    def indexes(self) -> list[list[tuple[str, bool]]]:
        """Return the columns of each plain, non-unique index. A column is a pair: its name, and whether it descends."""
        found = []
        for item in self.document["indexes"]:
            if not item["unique"] and item["method"] == "btree" and _is_simple(item):
                columns = zip(item["columns"], item["descending"], strict=True)
                found.append([column for column in columns if column[0] != self._column])
        return [index for index in found if index]

    def gist_exclusions(self) -> list[str]:
        """Return the names of the table's exclusion constraints that use GiST."""
        return [item["name"] for item in self.document["indexes"] if item["exclusion"] and item["method"] == "gist"]

    def is_random(self, name: str) -> bool:
        """Return whether a column has a default that gives each row a different value."""
        column = self.columns[name]
        return bool(column["identity"] or RANDOM.match(column["default"] or ""))

    def _unique(self) -> Iterator[Document]:
        return (item for item in self.document["indexes"] if (item["unique"] or item["exclusion"]) and item["valid"])


def _is_simple(index: Document) -> bool:
    return bool(index["plain"] and index["valid"] and not index["exclusion"])


class Catalog:
    """The relations of a database, and the tables of one schema."""

    def __init__(self, document: Document, schema: str | None = None, column: str | None = None) -> None:
        """Use the given schema, or the schema with the most tables.

        Raises TenancyError if the database has no tables.
        """
        self.document, self.column = document, column
        found = Counter(item["schema"] for item in document["relations"] if _is_root(item))
        if not found:
            raise TenancyError(f"The database {document['database']} has no table: correct database_name.")
        self.schema: str = schema or max(sorted(found), key=lambda name: found[name])
        self.relations: Mapping[str, Document] = {item["title"]: item for item in document["relations"]}
        self.tables = {
            title: Table(title, item, column)
            for title, item in self.relations.items()
            if _is_root(item) and item["schema"] == self.schema
        }

    def others(self) -> dict[str, Document]:
        """Return the tables and foreign tables that are not in ``tables``, except partitions."""
        return {
            title: item
            for title, item in self.relations.items()
            if item["kind"] in (*TABLES, "f") and not item["partition"] and title not in self.tables
        }

    def views(self) -> dict[str, Document]:
        """Return the views and materialized views of every schema."""
        return {title: item for title, item in self.relations.items() if item["kind"] in ("v", "m")}

    def below(self, title: str) -> set[str]:
        """Return the relations that a view selects from, directly or through other views."""
        found: set[str] = set()
        left = [title]
        while left:
            for over in self.relations[left.pop()]["over"]:
                if over not in found:
                    found.add(over)
                    left.append(over)
        return found


def _is_root(relation: Document) -> bool:
    return relation["kind"] in TABLES and not relation["partition"]
