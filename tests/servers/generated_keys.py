"""Random tables with every form of key that CREATE UNIQUE INDEX and constraints allow."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import strategies as st

# This name and the strings below look like the end of an expression, followed by more SQL.
ODD = '"o) WHERE (id > 0'
COLUMNS = {
    "a": "text", "b": "integer", "c": "text COLLATE public.folded", "d": "date", "e": "varchar(40)",
    "n": "numeric(9,2)", "i": "citext", "r": "int4range", ODD: "text",
}  # fmt: skip
# Each type has only a few values, so that rows conflict. Among them are NULL, strings that differ only in case, and
# strings that a collation treats as equal.
VALUES = {
    "a": ("'x'", "'X'", "'y) WHERE ('", "NULL"), "b": ("1", "2", "11", "NULL"), "c": ("'x'", "'X'", "'ä'", "NULL"),
    "d": ("'2024-02-29'", "'2025-01-01'", "NULL"), "e": ("'x'", "'X '", "''", "NULL"),
    "i": ("'x'", "'X'", "NULL"), "n": ("1", "1.00", "2.5", "NULL"),
    "r": ("'[1,5)'", "'[3,9)'", "'empty'", "NULL"), ODD: ("'x'", "'X'", "NULL"),
}  # fmt: skip
FOLDED = "(a COLLATE folded)"
# The expressions, each with the columns that it uses.
EXPRESSIONS: dict[str, tuple[str, ...]] = {
    "lower(a)": ("a",),
    "(a || ') WHERE (b > 0'::text)": ("a",),
    "coalesce(b, -1)": ("b",),
    "(b % 10)": ("b",),
    "(CASE WHEN b > 1 THEN a ELSE '), (a'::text END)": ("a", "b"),
    "upper(e::text)": ("e",),
    "(d - '2000-01-01'::date)": ("d",),
    FOLDED: ("a",),
    "(n::integer)": ("n",),
    "(ROW(a, b) IS NULL)": ("a", "b"),
    "((true))": (),
    "public.plain(a)": ("a",),
}
PREDICATES = ("b > 0", "a <> ') WHERE ('", "d IS NULL", "(e IS NULL OR n > 1)", "a = ANY (ARRAY['x'::text, 'X'::text])")
CLASSES = {
    "a": ("text_ops", "text_pattern_ops"), "c": ("text_ops",), "e": ("varchar_pattern_ops", "text_ops"),
    "b": ("int4_ops",), ODD: ("text_ops", "text_pattern_ops"),
}  # fmt: skip
COLLATIONS = {"a": ('"C"', "folded"), "e": ('"C"', "folded"), "c": ('"C"', "folded"), ODD: ('"C"',)}
STORAGE = {"btree": ("", "fillfactor=61", "deduplicate_items=off", "fillfactor=70, deduplicate_items=on"),
           "gist": ("", "fillfactor=55", "buffering=off, fillfactor=80")}  # fmt: skip
GIST = (
    "b WITH =", "r WITH &&", "r WITH =", "a WITH =", "d WITH =", "int4range(b, b + 3) WITH &&", "n WITH <>",
    "r range_ops WITH -|-",
)  # fmt: skip
SINCE_14 = ("a gist_trgm_ops (siglen=32) WITH =",)
# The relation that has the index: the partitioned table, or only one of its partitions.
PLACES = ("{table}", "{table}", "{table}_one", "{table}_deep")
READ_BY_GIST = {"b": "b", "r": "r", "a": "a", "d": "d", "i": "b", "n": "n"}


def quoted(name: str) -> str:
    """Return a column name as a quoted SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


@dataclasses.dataclass(frozen=True)
class Key:
    """A key: the statements that create it, its columns, and the columns that it requires to be NOT NULL."""

    sql: tuple[str, ...]
    columns: tuple[str, ...]
    required: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Keyed:
    """A table: its keys, whose SQL has ``{table}`` in place of the table's name, and its rows."""

    keys: tuple[Key, ...]
    is_partitioned: bool
    rows: tuple[dict[str, str], ...]

    def statements(self, name: str) -> list[str]:
        """Return the statements that create the table ``name``."""
        required = {column for key in self.keys for column in key.required}
        columns = ", ".join(
            f"{quoted(column)} {kind}{' NOT NULL' if column in required else ''}" for column, kind in COLUMNS.items()
        )
        made = [f"CREATE TABLE {name} (id bigint GENERATED ALWAYS AS IDENTITY, {columns})"]
        if self.is_partitioned:
            made[0] += " PARTITION BY LIST (b)"
            made += [
                f"CREATE TABLE {name}_one PARTITION OF {name} FOR VALUES IN (1)",
                f"CREATE TABLE {name}_deep PARTITION OF {name} FOR VALUES IN (2, 11) PARTITION BY RANGE (b)",
                f"CREATE TABLE {name}_deeper PARTITION OF {name}_deep FOR VALUES FROM (0) TO (100)",
                f"CREATE TABLE {name}_rest PARTITION OF {name} DEFAULT",
            ]
        return made + [sql.replace("{table}", name) for key in self.keys for sql in key.sql]

    def inserts(self, name: str) -> list[str]:
        """Return one INSERT for each row. ``{columns}`` and ``{values}`` are placeholders for additional columns."""
        return [
            f"INSERT INTO {name} ({', '.join(map(quoted, row))}{{columns}})"
            f" VALUES ({', '.join(row.values())}{{values}})"
            for row in self.rows
        ]

    def entry(self, name: str) -> dict[str, Any]:
        """Return the table's entry in the model."""
        natural = list(dict.fromkeys(tuple(key.columns) for key in self.keys if key.columns))
        return {"name": name, "natural_keys": [list(key) for key in natural]}


def _maybe(draw: Callable[..., Any], text: str) -> str:
    return text if draw(st.booleans()) else ""


def _nulls(draw: Callable[..., Any], major: int) -> str:
    """Return NULLS NOT DISTINCT or nothing, at random. Versions before PostgreSQL 15 do not have the clause."""
    return _maybe(draw, " NULLS NOT DISTINCT") if major >= 15 else ""


def _storage(draw: Callable[..., Any], method: str) -> str:
    chosen = draw(st.sampled_from(STORAGE[method]))
    return f" WITH ({chosen})" if chosen else ""


def _include(draw: Callable[..., Any], used: Sequence[str]) -> str:
    others = [column for column in COLUMNS if column not in used]
    chosen = draw(st.lists(st.sampled_from(others), max_size=2, unique=True)) if others else []
    return f" INCLUDE ({', '.join(map(quoted, chosen))})" if chosen else ""


def _plain(draw: Callable[..., Any], *, partitioned: bool) -> list[str]:
    chosen = draw(st.lists(st.sampled_from([*COLUMNS]), min_size=1, max_size=3, unique=True))
    return [*chosen, "b"] if partitioned and "b" not in chosen else list(chosen)


def _marks(
    draw: Callable[..., Any], name: str, constraint: bool, *, can_identify: bool, can_cluster: bool
) -> list[str]:
    made = [_maybe(draw, f"COMMENT ON INDEX {name} IS 'it''s the index'")]
    if constraint:
        made.append(_maybe(draw, f"COMMENT ON CONSTRAINT {name} ON {{table}} IS 'it''s a \\key'"))
    if can_cluster:
        made.append(_maybe(draw, f"ALTER TABLE {{table}} CLUSTER ON {name}"))
    if can_identify:
        made.append(_maybe(draw, f"ALTER TABLE ONLY {{table}} REPLICA IDENTITY USING INDEX {name}"))
    return [sql for sql in made if sql]


@st.composite
def constraints(draw: Callable[..., Any], number: int, major: int, *, partitioned: bool, primary: bool) -> Key:
    """Return a random primary key or unique constraint."""
    columns, name = _plain(draw, partitioned=partitioned), f"{{table}}_k{number}"
    nulls = "" if primary else _nulls(draw, major)
    when = draw(st.sampled_from(("", "", "", " DEFERRABLE", " DEFERRABLE INITIALLY DEFERRED")))
    place = draw(st.sampled_from(("", "", " USING INDEX TABLESPACE elsewhere")))
    sql = (
        f"ALTER TABLE {{table}} ADD CONSTRAINT {name} {'PRIMARY KEY' if primary else f'UNIQUE{nulls}'} "
        f"({', '.join(map(quoted, columns))}){_include(draw, columns)}{_storage(draw, 'btree')}{place}{when}"
    )
    identifies = primary or draw(st.booleans())
    marks = _marks(draw, name, constraint=True, can_identify=identifies and not when, can_cluster=not partitioned)
    return Key((sql, *marks), tuple(columns), tuple(columns) if identifies else ())


@st.composite
def indexes(draw: Callable[..., Any], number: int, major: int, *, partitioned: bool, place: str = "{table}") -> Key:
    """Return a random unique index on columns and expressions, on the table or on one partition."""
    elements, read, plain = [], [], True
    for column in _plain(draw, partitioned=partitioned):
        collation = draw(st.sampled_from(("", *(f" COLLATE {name}" for name in COLLATIONS.get(column, ())))))
        name = draw(st.sampled_from(("", *(f" {name}" for name in CLASSES.get(column, ())))))
        # PostgreSQL does not allow a pattern operator class with a nondeterministic collation.
        if "pattern" in name and (column == "c" or "folded" in collation):
            name = ""
        # A unique index must compare the partition key as the table does, so this column keeps its defaults.
        special = "" if partitioned and column == "b" else collation + name
        elements.append(
            quoted(column) + special + draw(st.sampled_from(("", " DESC", " NULLS FIRST", " DESC NULLS LAST")))
        )
        read.append(column)
    statistics = []
    for expression in draw(st.lists(st.sampled_from([*EXPRESSIONS]), max_size=2, unique=True)):
        elements.append(expression + draw(st.sampled_from(("", " DESC", ""))))
        read += EXPRESSIONS[expression]
        # A column with a COLLATE clause does not count as an expression.
        plain = plain and expression == FOLDED
        statistics += [] if expression == FOLDED else [len(elements)]
    if statistics and not partitioned and draw(st.booleans()):
        # Keep only the expressions, without the columns.
        elements = elements[statistics[0] - 1 :]
        read = [column for element in elements for column in EXPRESSIONS[element.removesuffix(" DESC")]]
        statistics = [1]
    predicate = draw(st.sampled_from(("", "", *PREDICATES)))
    name = draw(st.sampled_from((f"{{table}}_i{number}", f'"{{table}} ) WHERE ( {number}"')))
    include = _include(draw, read) if not partitioned or draw(st.booleans()) else ""
    sql = (
        f"CREATE UNIQUE INDEX {name} ON {place} ({', '.join(elements)}){include}"
        f"{_nulls(draw, major)}{_storage(draw, 'btree')}"
        f"{draw(st.sampled_from(('', '', ' TABLESPACE elsewhere')))}{f' WHERE {predicate}' if predicate else ''}"
    )
    is_table = place == "{table}"
    identifies = is_table and plain and not predicate and draw(st.booleans())
    marks = _marks(draw, name, constraint=False, can_identify=identifies, can_cluster=not predicate and not partitioned)
    if statistics and not partitioned:
        marks += [_maybe(draw, f"ALTER INDEX {name} ALTER COLUMN {statistics[0]} SET STATISTICS 77")]
    columns = dict.fromkeys(read) or {"b": None, "d": None, "a": None, "e": None, "n": None}
    named = tuple(dict.fromkeys(read)) or _read_by(predicate)
    return Key((sql, *filter(None, marks)), named, tuple(columns) if identifies else ())


def _read_by(predicate: str) -> tuple[str, ...]:
    return {
        "": (), "b > 0": ("b",), "a <> ') WHERE ('": ("a",), "d IS NULL": ("d",), "(e IS NULL OR n > 1)": ("e", "n"),
    }.get(predicate, ("a",))  # fmt: skip


@st.composite
def exclusions(draw: Callable[..., Any], number: int, major: int) -> Key:
    """Return a random exclusion constraint."""
    name, read = f"{{table}}_x{number}", []
    method = draw(st.sampled_from(("btree", "gist")))
    if method == "btree":
        columns = _plain(draw, partitioned=False)
        elements = [f"{quoted(column)}{draw(st.sampled_from(('', ' DESC')))} WITH =" for column in columns]
        read = list(columns)
    else:
        known = GIST + SINCE_14 if major >= 14 else GIST
        elements = draw(st.lists(st.sampled_from(known), min_size=1, max_size=3, unique=True))
        read = [READ_BY_GIST[element[0]] for element in elements]
    predicate = draw(st.sampled_from(("", "", *PREDICATES)))
    when = draw(st.sampled_from(("", "", " DEFERRABLE", " DEFERRABLE INITIALLY DEFERRED")))
    sql = (
        f"ALTER TABLE {{table}} ADD CONSTRAINT {name} EXCLUDE USING {method} ({', '.join(elements)})"
        f"{_include(draw, read) if method == 'btree' else ''}{_storage(draw, method)}"
        f"{draw(st.sampled_from(('', ' USING INDEX TABLESPACE elsewhere')))}"
        f"{f' WHERE ({predicate})' if predicate else ''}{when}"
    )
    marks = _marks(draw, name, constraint=True, can_identify=False, can_cluster=not predicate)
    return Key((sql, *marks), tuple(dict.fromkeys(read)))


@st.composite
def periods(draw: Callable[..., Any], number: int, major: int) -> Key:
    """Return a random key WITHOUT OVERLAPS, which requires PostgreSQL 18."""
    assert major >= 18
    name, column = f"{{table}}_p{number}", draw(st.sampled_from(("a", "b", "d")))
    when = draw(st.sampled_from(("", " DEFERRABLE INITIALLY DEFERRED")))
    sql = f"ALTER TABLE {{table}} ADD CONSTRAINT {name} UNIQUE ({column}, r WITHOUT OVERLAPS)"
    marks = _marks(draw, name, constraint=True, can_identify=False, can_cluster=True)
    return Key((f"{sql}{_storage(draw, 'gist')}{when}", *marks), (column, "r"))


@st.composite
def tables(draw: Callable[..., Any], major: int) -> Keyed:
    """Return a random table with one to three keys."""
    partitioned = draw(st.integers(0, 3)) == 0
    kinds: list[Any] = [indexes, indexes, constraints]
    if not partitioned:
        kinds += [exclusions] + ([periods] if major >= 18 else [])
    keys: list[Key] = []
    if draw(st.booleans()):
        keys.append(draw(constraints(0, major, partitioned=partitioned, primary=True)))
    for number in range(1, draw(st.integers(1, 2)) + 1):
        kind = draw(st.sampled_from(kinds))
        if kind is indexes:
            place = draw(st.sampled_from(PLACES)) if partitioned else "{table}"
            keys.append(draw(indexes(number, major, partitioned=partitioned, place=place)))
        elif kind is constraints:
            keys.append(draw(constraints(number, major, partitioned=partitioned, primary=False)))
        else:
            keys.append(draw(kind(number, major)))
    rows = draw(st.lists(st.fixed_dictionaries({name: st.sampled_from(VALUES[name]) for name in COLUMNS}),
                         min_size=10, max_size=10))  # fmt: skip
    return Keyed(tuple(keys), partitioned, tuple(rows))
