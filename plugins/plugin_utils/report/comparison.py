"""Show the comparison of a backup with the database on the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ...module_utils import contents, quoting
from .answers import megabytes
from .wrapping import wrapped

WIDTH = 78
ROW = "{:<28} {:>11} {:>11} {}"


def written_since_query(tables: Iterable[Mapping[str, Any]], schema: str) -> str:
    """Return a query that counts each table's rows written after %(created)s; its columns are name and written.

    Return "" if no table has written_at.
    """
    counts = [
        f"SELECT {quoting.literal(table['name'])} AS name, count(*) AS written"
        f" FROM {quoting.identifier(schema)}.{quoting.identifier(table['name'])}"
        f" WHERE {quoting.identifier(table['written_at'])} > %(created)s::timestamptz"
        for table in tables
        if "written_at" in table
    ]
    return " UNION ALL ".join(counts)


def lines(chosen: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Return the lines that compare a backup with the database.

    ``chosen`` is the result of the backup_info module. ``now`` contains schema, tables (names), state (the tables of
    the state document) and written (the rows that ``written_since_query`` returns).
    """
    manifest = chosen["manifest"]
    held = {table["name"]: table["rows"] for table in manifest["tables"] if table["schema"] == now["schema"]}
    since = {row["name"]: f"{row['written']:,}" for row in now["written"]}
    size, created = megabytes(manifest["size_bytes"]), manifest["created"][:19].replace("T", " ")
    rows = [
        ROW.format(name, f"{held[name]:,}", f"{now['state'][name].get('rows', 0):,}", since.get(name, "not known"))
        for name in now["tables"]
    ]
    return [
        f"Backup {manifest['path']}",
        f"of {created}, {size}, checksum verified.",
        ROW.format("ROWS", "IN BACKUP", "NOW", "WRITTEN SINCE"),
        *rows,
        *_before_the_stop(chosen["written"]),
    ]


def _before_the_stop(document: Mapping[str, Any] | None) -> list[str]:
    """Return a note about the rows that a migration's backup lacks, because they were written after the backup."""
    if document is None:
        return []
    names = ", ".join(contents.changed_names(document.get("tables", []))) or "nothing"
    sentence = (
        "Written between the backup and the change of that migration, but not in the backup:"
        f" {names if document else 'not known, because written.json is damaged'}."
    )
    return wrapped(sentence, WIDTH)
