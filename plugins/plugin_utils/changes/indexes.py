"""Indexes that begin with the tenant column, and the statements that restore an index of a snapshot.

The partitions get their indexes first, and the new index of the partitioned table attaches them. Therefore only the
builds on the partitions take a long time (PostgreSQL manual, 5.12.2.2 "Partition Maintenance").
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ...module_utils.quoting import derived_name, identifier, literal, qualified
from ..catalog import state as catalog
from ..catalog import unique_keys
from ..catalog.state import Relation
from ..model.model import IndexColumn, Model, Table
from . import names, online
from .change import Document
from .statement import State, Statement, statement

CONSTRAINTS = {"p": "PRIMARY KEY", "u": "UNIQUE"}
# The end of pg_get_indexdef's result if an index has storage parameters.
STORAGE = re.compile(r' WITH \([^()"]+\)\Z')
# The end of pg_get_constraintdef's result if a key is deferrable. It follows a parenthesis, never a name.
DEFERRABLE = re.compile(r"(?<=\)) DEFERRABLE(?: INITIALLY DEFERRED)?\Z")


def of_migration(model: Model, relation: Relation) -> list[Document]:
    """Return the relation's keys and indexes that are in the model and contain the tenant column."""
    wanted = [(model.column, *(column.name for column in index)) for index in relation.table.indexes]
    return [
        index
        for index in relation.document["indexes"]
        if tuple(index["names"]) in wanted or unique_keys.is_of_migration(index, model, relation.table)
    ]


def create(target: str, name: str, index: Document, column: str) -> str:
    """Return the statement that creates a unique index like ``index``, with the tenant column as its first column."""
    key = index["key"]
    elements = [identifier(column), *map(_element, key["elements"])]
    return "".join(
        (
            f"CREATE UNIQUE INDEX {identifier(name)} ON {target} ({', '.join(elements)})",
            _include(key),
            " NULLS NOT DISTINCT" if key["nulls_not_distinct"] else "",
            _storage(key),
            f" TABLESPACE {identifier(index['tablespace'])}" if index["tablespace"] is not None else "",
            f" WHERE ({key['predicate']})" if key["predicate"] is not None else "",
        )
    )


def constraint(index: Document, column: str) -> str:
    """Return the definition of a constraint like that of ``index``, for ADD CONSTRAINT, with the tenant column as its
    first column."""
    key, name = index["key"], identifier(column)
    elements = [f"{_element(item)} WITH {item['operator']}" for item in key["elements"]]
    if index["constraint_type"] == "x":
        begin = f"EXCLUDE USING {identifier(index['method'])} "
        listed = [f"{name} WITH {unique_keys.EQUALS}", *elements]
    else:
        begin = CONSTRAINTS[index["constraint_type"]] + (" NULLS NOT DISTINCT " if key["nulls_not_distinct"] else " ")
        listed = [name, *(identifier(item["column"]) for item in key["elements"])]
        listed[-1] += " WITHOUT OVERLAPS" if key["period"] else ""
    place = index["tablespace"]
    return "".join(
        (
            f"{begin}({', '.join(listed)})",
            _include(key),
            _storage(key),
            f" USING INDEX TABLESPACE {identifier(place)}" if place is not None else "",
            f" WHERE ({key['predicate']})" if key["predicate"] is not None else "",
            deferrable(index),
        )
    )


def made_with_constraint(index: Document) -> str:
    """Return the ``scans`` text for an ADD CONSTRAINT that must build its own index."""
    kind = "exclusion constraint" if index["constraint_type"] == "x" else "key WITHOUT OVERLAPS"
    return f"builds the {kind} {index['constraint']}"


def deferrable(index: Document) -> str:
    """Return the DEFERRABLE clause of a key for ADD CONSTRAINT."""
    key = index["key"]
    return (" DEFERRABLE" if key["deferrable"] else "") + (" INITIALLY DEFERRED" if key["deferred"] else "")


def _element(item: Document) -> str:
    """Return the clause for one column or expression of an index in CREATE INDEX."""
    order = (" DESC" if item["nulls_first"] else " DESC NULLS LAST") if item["descending"] else ""
    return "".join(
        (
            item["sql"] if item["column"] is None else identifier(item["column"]),
            f" COLLATE {item['collation']}" if item["collation"] is not None else "",
            f" {item['class']}" if item["class"] is not None else "",
            f" ({item['options']})" if item["options"] is not None else "",
            order or (" NULLS FIRST" if item["nulls_first"] else ""),
        )
    )


def _include(key: Document) -> str:
    return f" INCLUDE ({', '.join(map(identifier, key['include']))})" if key["include"] else ""


def _storage(key: Document) -> str:
    return f" WITH ({key['storage']})" if key["storage"] is not None else ""


def marks(relation: Relation, index: Document, *, shift: int = 0) -> list[tuple[str, str]]:
    """Return the statements that restore the properties of an index, each with the name of the property.

    The properties of an index are its comments, its marks (replica identity and clustering), its statistics targets,
    and its dependencies on extensions. ``shift`` is the number of columns that were added at the front of the index.
    """
    name, key = index["name"], index.get("key") or {}
    target = qualified(relation.schema, name)
    return [
        *_comments(relation, index),
        *table_marks(relation, index, name),
        *(
            (f"statistics.{item['place']}",
             f"ALTER INDEX {target} ALTER COLUMN {item['place'] + shift} SET STATISTICS {item['target']}")
            for item in key.get("statistics", [])
        ),
        *(
            (f"extension.{extension}", f"ALTER INDEX {target} DEPENDS ON EXTENSION {identifier(extension)}")
            for extension in key.get("extensions", [])
        ),
    ]  # fmt: skip


def table_marks(relation: Relation, index: Document, name: str) -> list[tuple[str, str]]:
    """Return the statements that give the index ``name`` the marks of ``index``: replica identity and clustering."""
    found = []
    if index["replica_identity"]:
        sql = f"ALTER TABLE {relation.alone} REPLICA IDENTITY USING INDEX {identifier(name)}"
        found.append(("replica_identity", sql))
    if index["clustered"]:
        found.append(("cluster", f"ALTER TABLE {relation.target} CLUSTER ON {identifier(name)}"))
    return found


def _comments(relation: Relation, index: Document) -> list[tuple[str, str]]:
    found = []
    if index["constraint"] is not None and index["constraint_comment"] is not None:
        subject = f"CONSTRAINT {identifier(index['constraint'])} ON {relation.target}"
        found.append(_comment(subject, index["constraint_comment"]))
    if index["comment"] is not None:
        found.append(_comment(f"INDEX {qualified(relation.schema, index['name'])}", index["comment"]))
    return found


def planned(state: State, model: Model, table: Table, index: tuple[IndexColumn, ...]) -> list[Statement]:
    """Return the statements that build one index of a table and its partitions, unless the table already has the
    index."""
    whole = catalog.relation(state, model, table)
    wanted = [(model.column, False), *((column.name, column.descending) for column in index)]
    if catalog.has_index(whole.document, wanted):
        return []
    columns, *earlier = (
        [column.name for column in one] for one in (index, *table.indexes[: table.indexes.index(index)])
    )
    words = names.words(columns, earlier)
    names_wanted = [name for name, _ in wanted]
    there = {part.target for part in catalog.partitions(state, table) if _has_own(whole, part, names_wanted)}
    found: list[Statement] = []
    for relation in [*catalog.holders(state, model, table), *([whole] if whole.is_partitioned else [])]:
        if relation.target in there:
            continue
        name = derived_name("idx", relation.name, model.column, *words)
        found += drop_leftover(relation, name)
        found.append(
            build(
                f"{whole.name}.index.{'_'.join(words)}{relation.suffix}", relation,
                f"CREATE INDEX {identifier(name)} ON {relation.target} "
                f"({', '.join([identifier(model.column), *(column.sql for column in index)])})",
                "Support the service's queries within one tenant",
                name,
            )
        )  # fmt: skip
    return found


def _has_own(whole: Relation, part: Relation, names: Sequence[str]) -> bool:
    """Return whether a partition already has an index that PostgreSQL attaches to a new index of the table, in any sort
    order."""
    return any(
        index["names"] == list(names)
        and index["method"] == "btree"
        and index["valid"]
        and index["plain"]
        and not index["unique"]
        and " INCLUDE (" not in index["definition"]
        and catalog.index_named(whole.document, index["root"]) is None
        for index in part.document["indexes"]
    )


def build(identity: str, relation: Relation, sql: str, reason: str, makes: str | None = None) -> Statement:
    """Return the statement that builds or drops an index. If possible, the statement has steps that run while the
    service runs."""
    # PostgreSQL can neither build nor drop an index of a partitioned table CONCURRENTLY.
    steps = [] if relation.is_partitioned else online.concurrently(sql)
    made = [] if makes is None else [names.index(relation, makes)]
    # CREATE INDEX on a partitioned table attaches the existing indexes of the partitions, and reads no rows.
    scans = "" if relation.is_partitioned or makes is None else f"builds the index {makes}"
    return statement(identity, relation.table.name, "build", sql, reason, steps, made, scans=scans)


def drop_leftover(relation: Relation, name: str) -> list[Statement]:
    """Return the statement that drops an existing index with the needed name. Such an index has another definition, or
    an interrupted build left it invalid."""
    leftover = catalog.index_named(relation.document, name)
    if leftover is None:
        return []
    return [
        build(
            f"{relation.table.name}.leftover.{name}", relation,
            f"DROP INDEX {qualified(relation.schema, name)}",
            "Remove an index that has this name, but is invalid or has other columns",
        )
    ]  # fmt: skip


class Restored(NamedTuple):
    """A statement that restores an index. ``scans`` and ``online`` have the same meaning as in ``statement``."""

    phase: str
    identity: str
    sql: str
    scans: str = ""
    online: Sequence[Mapping[str, Any]] = ()


def recreate(relation: Relation, index: Document) -> list[Restored]:
    """Return the statements that restore an index of a snapshot.

    The keys of partitions come before the key of the partitioned table, which attaches them. The index of an ordinary
    table can be built before the transaction. It is built under another name, because a key of the migration may still
    have the original name. The index gets its original name when it is renamed or becomes a constraint's index.
    """
    name = index["name"]
    # ADD CONSTRAINT creates the index of an exclusion constraint and of a key WITHOUT OVERLAPS.
    is_exclusion, has_period = index["constraint_type"] == "x", bool((index.get("key") or {}).get("period"))
    is_whole = index["constraint"] is not None and (relation.is_partitioned or has_period) and not is_exclusion
    made, built = list[Restored](), name
    if not is_whole and not is_exclusion:
        if relation.is_partitioned or relation.is_partition or index["tablespace"] is not None:
            made.append(_built_in_place(relation, index))
        else:
            built = original_name(name)
            made += _built_before(relation, index, built)
            if index["constraint"] is None:
                rename = f"ALTER INDEX {qualified(relation.schema, built)} RENAME TO {identifier(name)}"
                made.append(Restored("attach", f"rename.{name}", rename))
    if index["constraint"] is not None:
        made.append(_added(relation, index, built, is_whole=is_whole, is_exclusion=is_exclusion))
    commented = _comments(relation, index)
    made += [Restored("comment", f"comment.{what}", sql) for what, sql in commented]
    made += [Restored("attach", f"{what}.{name}", sql) for what, sql in marks(relation, index)[len(commented) :]]
    return made


def original_name(name: str) -> str:
    """Return the temporary name under which a rollback builds the original index ``name``."""
    return derived_name(name, "original_key")


def _built_in_place(relation: Relation, index: Document) -> Restored:
    # A partition's index must become a key before the table's key can attach it.
    phase = "attach" if index["constraint"] is not None and relation.is_partition else "build"
    scans = "" if relation.is_partitioned else f"builds the index {index['name']}"
    return Restored(phase, f"index.{index['name']}", _placed(index, _everywhere(index)), scans)


def _built_before(relation: Relation, index: Document, name: str) -> list[Restored]:
    """Return the statements that build the index under the name ``name``, unless an earlier run has built it."""
    kind = "CREATE UNIQUE INDEX" if index["unique"] else "CREATE INDEX"
    sql = f"{kind} {identifier(name)} ON {_after_name(index)}"
    left, made = catalog.index_named(relation.document, name), list[Restored]()
    if left is not None and left["valid"] and _after_name(left) == _after_name(index):
        return made
    if left is not None:
        drop = f"DROP INDEX {qualified(relation.schema, name)}"
        made.append(Restored("build", f"leftover.{name}", drop, "", online.concurrently(drop)))
    scans = f"builds the index {index['name']}"
    return [*made, Restored("build", f"index.{index['name']}", sql, scans, online.concurrently(sql))]


def _after_name(index: Document) -> str:
    """Return the part of an index's printed definition that follows its name and ON."""
    definition: str = index["definition"]
    kind = "CREATE UNIQUE INDEX" if index["unique"] else "CREATE INDEX"
    begins = [f"{kind} {name} ON " for name in catalog.printed(index["name"])]
    return next(definition.removeprefix(begin) for begin in begins if definition.startswith(begin))


def _added(relation: Relation, index: Document, built: str, *, is_whole: bool, is_exclusion: bool) -> Restored:
    """Return the statement that restores the constraint of an index. If possible, it uses the index ``built``."""
    add = f"ALTER TABLE {relation.target} ADD CONSTRAINT {identifier(index['constraint'])} "
    if is_exclusion:
        add += index["constraint_definition"]
    else:
        checked = DEFERRABLE.search(index["constraint_definition"])
        if is_whole:
            storage = STORAGE.search(index["definition"])
            add += DEFERRABLE.sub("", index["constraint_definition"]) + (storage[0] if storage else "")
        else:
            add += f"{CONSTRAINTS[index['constraint_type']]} USING INDEX {identifier(built)}"
        add += checked[0] if checked else ""
    is_alone = is_exclusion or bool((index.get("key") or {}).get("period"))
    scans = made_with_constraint(index) if is_alone else ""
    sql = _placed(index, add) if is_whole or is_exclusion else add
    return Restored("attach", f"key.{index['name']}", sql, scans)


def _everywhere(index: Document) -> str:
    """Return the definition of an index without ONLY, so that it attaches the indexes of the partitions or creates
    them."""
    definition: str = index["definition"]
    for name in catalog.printed(index["name"]):
        begin = f"CREATE {'UNIQUE ' if index['unique'] else ''}INDEX {name} ON "
        if definition.startswith(f"{begin}ONLY "):
            return begin + definition.removeprefix(f"{begin}ONLY ")
    return definition


def _placed(index: Document, sql: str) -> str:
    """Return ``sql`` with settings for the index's tablespace, which PostgreSQL does not print in the definition."""
    if index["tablespace"] is None:
        return sql
    place = f"SET LOCAL default_tablespace = {identifier(index['tablespace'])}"
    return f"{place}; {sql}; SET LOCAL default_tablespace = DEFAULT"


def _comment(subject: str, text: str) -> tuple[str, str]:
    return subject, f"COMMENT ON {subject} IS {literal(text)}"
