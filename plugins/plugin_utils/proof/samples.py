"""The sample row of a tenant table, which the proof stores for two tenants.

``sample`` in the model contains the values that cannot be derived. This module derives the values of all other required
columns from the catalogs. Natural keys also get values, so that both tenants use the same key. Each value is SQL: a
constant of the column's type, a query for a key of another row, or a random surrogate key.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from ...module_utils.quoting import identifier, literal, qualified
from ..model.model import ForeignKey, Model, Table
from . import checks, order, patterns

Document = Mapping[str, Any]

# The maximum number of combinations of values to try for columns that CHECKs compare.
TRIED = 5_000
RANDOM = "pg_catalog.replace(pg_catalog.gen_random_uuid()::pg_catalog.text, '-', '')"
# A random number in the upper half of the range of integer, which a sequence is unlikely to reach.
RANDOM_NUMBER = "pg_catalog.int4mi(2147483647, pg_catalog.int4and(pg_catalog.hashtext({}), 1073741823))".format(
    "pg_catalog.gen_random_uuid()::pg_catalog.text"
)
# Two random values with at least this number of characters are unlikely to be equal.
LETTERS = 8
TEXTS = ("text", "varchar", "bpchar", "citext", "name", "char")


# The alias of the subquery that contains the keys of a row that references itself.
ITSELF = "itself"


class Pointer(str):
    """SQL that selects a referenced key, instead of a constant of the column's type."""

    __slots__ = ()


@dataclass(frozen=True)
class Sample:
    """A sample row: the SQL of each column (``values``), and why required columns have no value (``missing``).

    ``first`` contains values for columns that reference a row that is stored later. If the row references itself,
    ``itself`` contains the keys that it references, by column.
    """

    values: Mapping[str, str] = field(default_factory=dict)
    missing: Mapping[str, str] = field(default_factory=dict)
    first: Mapping[str, str] = field(default_factory=dict)
    itself: Mapping[str, str] = field(default_factory=dict)


def of(
    model: Model,
    table: Table,
    document: Document,
    types: Mapping[str, Document],
    others: Mapping[str, Document] | None = None,
    *,
    pointing: ForeignKey | None = None,
    unlike: Sample | None = None,
) -> Sample:
    """Return the sample row of a table.

    ``document`` is the table's document in the state, and ``types`` contains the types in the state. ``others``
    contains the documents of the other tables, by name. The foreign key ``pointing`` of the row must not be NULL. If
    possible, the row differs from the row ``unlike``.
    """
    return _Deriving(model, table, document, types, others, pointing, unlike).sample()


def refused(model: Model, table: Table, document: Document) -> list[str]:
    """Return a sentence for each column in the model's sample that must not have a value there."""
    known = {item["name"]: item for item in document["attributes"]}
    found = []
    for name in table.sample:
        if name == model.column:
            found.append(
                f"The sample of {table.name} in tenancy_tables names {name}, the tenant column, which each attempt "
                "sets itself: remove it."
            )
        elif name not in known:
            found.append(
                f"The sample of {table.name} in tenancy_tables names {name}, but {model.schema}.{table.name} has no "
                "such column: correct it."
            )
        elif known[name]["generated"]:
            found.append(
                f"The sample of {table.name} in tenancy_tables names {name}, a generated column, which PostgreSQL "
                "writes itself: remove it."
            )
    return found


def updated(model: Model, table: Table, sample: Sample, document: Document, may: Callable[[str], bool]) -> str:
    """Return the column for attempts to update.

    If possible, it is a column that the role can update, according to ``may``, and that is not part of a key.
    """
    keys = {
        model.column,
        *itertools.chain(*table.surrogate_keys, *table.natural_keys, *(key.columns for key in table.foreign_keys)),
    }
    generated = {item["name"] for item in document.get("attributes", []) if item["generated"]}
    named = dict.fromkeys([*sample.values, *(item["name"] for item in document.get("attributes", []))])
    columns = [name for name in named if name not in generated]
    columns.sort(key=lambda name: (not may(name), name in keys, name not in sample.values))
    return columns[0] if columns else model.column


class _Deriving:
    """Derives the sample row of one table."""

    def __init__(
        self,
        model: Model,
        table: Table,
        document: Document,
        types: Mapping[str, Document],
        others: Mapping[str, Document] | None = None,
        pointing: ForeignKey | None = None,
        unlike: Sample | None = None,
    ) -> None:
        """Start with the sample in the model. The parameters are those of ``of``."""
        self.model, self.table, self.document, self.types = model, table, document, types
        self.others = {**(others or {}), table.name: document}
        self.order = order.of(model, self.others)
        self.pointing, self.unlike = pointing, unlike
        self.first: dict[str, str] = {}
        self.itself: dict[str, str] = {}
        self.random: set[str] = set()
        # The SQL of foreign key columns that reference a row or are NULL, depending on the CHECKs.
        self.may_point: dict[str, str] = {}
        self.attributes = {
            item["name"]: item
            for item in document.get("attributes", [])
            if item["name"] != model.column and not item["generated"]
        }
        places = [one.name for one in model.guarded]
        self.place = 1 + places.index(table.name) + (len(model.tables) if unlike else 0)
        self.values = {name: literal(value) for name, value in table.sample.items()}
        self.missing: dict[str, str] = {}
        # The values with which CHECKs are evaluated. The value of any other column is unknown.
        self.known: dict[str, Any] = {
            name: self._meant(name, str(value)) for name, value in table.sample.items() if name in self.attributes
        }

    def sample(self) -> Sample:
        """Return the sample row."""
        self._point_to_own()
        self._randomise()
        self._look_up()
        self._derive()
        self._point_to_itself()
        return Sample(self.values, self.missing, self.first, self.itself)

    def _is_needed(self, name: str) -> bool:
        natural = itertools.chain(*self.table.natural_keys)
        return name not in self.values and (self.is_required(name) or name in natural)

    def is_required(self, name: str) -> bool:
        """Return whether a column has no default and forbids NULL."""
        attribute = self.attributes[name]
        return not attribute["has_default"] and (attribute["not_null"] or self._forbids_null(attribute["type"]))

    def _forbids_null(self, type_name: str) -> bool:
        found = self.types[type_name]
        return found["kind"] == "domain" and (found["not_null"] or self._forbids_null(found["of"]["type"]))

    def _point_to_own(self) -> None:
        """Make foreign keys reference the sample rows of the session's tenant."""
        mentioned = {name for rule in self._rules() for name in checks.mentioned(rule)}
        for key in self.order.used(self.table):
            for column, own in self._own(key).items():
                is_free = self._may_be_null(column) and (self.pointing is None or column not in self.pointing.columns)
                if is_free and column in mentioned and column not in self.values:
                    self.may_point[column] = own
                elif column not in self.values:
                    self.values[column], self.known[column] = own, checks.PRESENT
            if key in self.order.deferred[self.table.name]:
                self._point_ahead(key)
        for one, other in order.pairs(self.table, self.document):
            second = one if self._holds_for(one, other, 2, 1) and not self._holds_for(one, other, 1, 2) else other
            self._point_to_second(second)

    def _holds_for(self, one: ForeignKey, other: ForeignKey, first: int, second: int) -> bool:
        """Return whether the CHECKs accept a row in which ``one`` has the value ``first``, and ``other`` ``second``."""
        row = dict.fromkeys(one.columns, Decimal(first)) | dict.fromkeys(other.columns, Decimal(second))
        rules = [rule for rule in self._rules() if {*row} & checks.mentioned(rule)]
        return all(checks.holds(rule, row) is not False for rule in rules)

    def _point_to_second(self, key: ForeignKey) -> None:
        """Make a foreign key reference the second row of the session's tenant."""
        for column, own in self._own(key).items():
            if column not in self.table.sample:
                self.values[column] = own.replace(" LIMIT 1)", " OFFSET 1 LIMIT 1)")
        target = next(table for table in self.model.tables if table.name == key.references)
        if any(name in target.sample for natural in target.natural_keys for name in natural):
            why = f"the proof needs two rows of {target.name}, but its sample gives both the same natural key"
            self.missing |= dict.fromkeys(key.columns, why)

    def _own(self, key: ForeignKey) -> dict[str, str]:
        target = qualified(self.model.schema, key.references)
        ordered = ", ".join(map(identifier, key.key))
        return {
            column: f"(SELECT {identifier(pointed)} FROM {target} ORDER BY {ordered} LIMIT 1)"
            for column, pointed in zip(key.columns, key.key, strict=True)
        }

    def _may_be_null(self, name: str) -> bool:
        keys = itertools.chain(*self.table.surrogate_keys, *self.table.natural_keys)
        return name in self.attributes and name not in keys and not self.attributes[name]["not_null"]

    def _point_ahead(self, key: ForeignKey) -> None:
        """Make a foreign key reference a row that is stored later, whose random key is chosen now."""
        known = {item["name"]: item for item in self.others.get(key.references, {}).get("attributes", [])}
        for column, pointed in zip(key.columns, key.key, strict=True):
            sql = self._random_of(known[pointed]) if pointed in known else None
            if sql is None:
                self.missing[column] = (
                    f"it references a row of {key.references} that is stored later, and no random key can be generated"
                )
            else:
                self.first[column] = sql

    def _point_to_itself(self) -> None:
        """Make the row reference itself if it must reference a row of the same table."""
        for key in self.table.foreign_keys:
            if key.references != self.table.name or order.is_optional(self.table, key, self.document):
                continue
            for column, pointed in zip(key.columns, key.key, strict=True):
                given = self.values.get(pointed)
                if column in self.table.sample:
                    continue
                if given is not None and pointed not in self.random:
                    self.values[column] = given
                    continue
                attribute = next(item for item in self.document["attributes"] if item["name"] == pointed)
                sql = given or self._random_of(attribute)
                if sql is None:
                    self.missing[column] = "it references its own table, and no random key can be generated"
                    continue
                self.itself[pointed] = sql
                self.values[pointed] = self.values[column] = f"{ITSELF}.{identifier(pointed)}"

    def _randomise(self) -> None:
        """Give each surrogate key without a default a random value, which no other row has."""
        for key in self.table.surrogate_keys:
            if not all(name in self.attributes and self._is_needed(name) for name in key):
                continue
            found = next(((name, sql) for name in key if (sql := self._random(name)) is not None), None)
            if found is not None:
                self.values[found[0]] = found[1]
                self.random.add(found[0])
            else:
                self.missing[key[0]] = "two rows cannot have the same surrogate key, and its type has no random value"

    def _random(self, name: str) -> str | None:
        return self._random_of(self.attributes[name])

    def _random_of(self, attribute: Document) -> str | None:
        type_name, formatted = self._base(attribute)
        kind = self.types[type_name]["name"]
        if kind == "uuid":
            return "pg_catalog.gen_random_uuid()"
        if kind in ("int4", "int8", "numeric"):
            return RANDOM_NUMBER if kind == "int4" or not _modifiers(formatted) else None
        if kind in ("text", "varchar", "bpchar", "citext"):
            length = _length(kind, formatted)
            return RANDOM if length is None or length >= 32 else _cut(length) if length >= LETTERS else None
        return None

    def _look_up(self) -> None:
        """Make foreign keys reference the session's tenant in the tenants table, and existing rows in shared tables."""
        tenants = self.model.tenants
        for key in self.document.get("foreign_keys", []) if tenants is not None else []:
            name = key["columns"][0]
            is_tenants = tenants is not None and (key["references"]["table"], key["key"]) == (
                tenants.name,
                [tenants.key],
            )
            if is_tenants and name in self.attributes and self._is_needed(name):
                self.values[name], self.known[name] = self.model.session_tenant, checks.PRESENT
        for key in self.document.get("lookups", []):
            if not any(name in self.attributes and self._is_needed(name) for name in key["columns"]):
                continue
            names = [name for name in key["columns"] if name not in self.values]
            if self.model.column in key["columns"]:
                why = f"the tenant column is part of the foreign key {key['name']}"
            elif len(names) < len(key["columns"]):
                why = f"the sample has only a part of the foreign key {key['name']}"
            elif not key["readable"]:
                why = f"the key of {key['references']}, which it references, has a type whose code must not run"
            elif key["values"] is None:
                why = f"{key['references']}, which it references, has no row"
            else:
                for name, text in zip(key["columns"], key["values"], strict=True):
                    self._give(name, text)
                continue
            self.missing |= dict.fromkeys(set(names) & set(self.attributes), why)

    def _derive(self) -> None:
        """For the remaining columns, choose values that have the right type and satisfy the CHECKs."""
        rules = self._rules()
        needed = [name for name in self.attributes if self._is_needed(name) and name not in self.missing]
        # A nullable column gets a value only if a CHECK requires one.
        optional = [name for name in self._nullable() if any(name in checks.mentioned(rule) for rule in rules)]
        tried: dict[str, list[str | None]] = {name: [*self._candidates(name, rules)] for name in needed}
        tried |= {name: [None, *self._candidates(name, rules)] for name in optional}
        tried |= {name: [Pointer(sql), None] for name, sql in self.may_point.items()}
        for name in needed:
            if not tried[name]:
                self.missing[name] = self._why_none(name)
        for names in _together([name for name in tried if tried[name]], rules):
            mine = [rule for rule in rules if not checks.mentioned(rule).isdisjoint(names)]
            self._choose(names, tried, mine)

    def _rules(self) -> list[str]:
        """Return the CHECK expressions, and the condition under which some partition accepts a row."""
        rules = [item["expression"] for item in self.document.get("checks", [])]
        bounds = self.document.get("bounds") or []
        # A default partition without siblings has no bound.
        return [*rules, " OR ".join(f"({bound})" for bound in bounds)] if bounds and None not in bounds else rules

    def _nullable(self) -> list[str]:
        """Return the columns without a value that are NULL by default and not part of a foreign key."""
        pointing = {name for key in self.document.get("foreign_keys", []) for name in key["columns"]}
        return [
            name
            for name, item in self.attributes.items()
            if not item["has_default"] and name not in pointing and not self._is_needed(name)
            and name not in self.values and name not in self.missing and name not in self.may_point
        ]  # fmt: skip

    def _choose(self, names: Sequence[str], tried: Mapping[str, Sequence[str | None]], rules: Sequence[str]) -> None:
        """Give the columns ``names`` the first combination of their values in ``tried`` that all rules accept."""
        others = {name: self._unnamed(name) for name in self.attributes if name not in names}
        refusing = ""
        for texts in itertools.islice(itertools.product(*(tried[name] for name in names)), TRIED):
            row = others | {name: self._meant(name, text) for name, text in zip(names, texts, strict=True)}
            given = {name for name, text in zip(names, texts, strict=True) if text is not None}
            refusing = next((rule for rule in rules if not _accepts(rule, row, given)), "")
            if not refusing:
                for name, text in zip(names, texts, strict=True):
                    self._give(name, text)
                return
        lacking = [name for name in names if self._is_needed(name)] or names[:1]
        self.missing |= dict.fromkeys(lacking, f"CHECK {refusing}")

    def _unnamed(self, name: str) -> Any:
        """Return a column's value for the evaluation of CHECKs: its known value, its default, NULL, or UNKNOWN."""
        if name in self.known:
            return self.known[name]
        attribute = self.attributes[name]
        if name in self.values or name in self.missing:
            return checks.UNKNOWN
        if attribute["has_default"]:
            return checks.evaluate(attribute["default"], {}) if attribute["default"] else checks.UNKNOWN
        return None

    def _give(self, name: str, text: str | None) -> None:
        if text is not None:
            self.values[name] = str(text) if isinstance(text, Pointer) else literal(text)
        self.known[name] = self._meant(name, text)

    def _meant(self, name: str, text: str | None) -> Any:
        if isinstance(text, Pointer):
            return checks.PRESENT
        return self._meant_as(self._base(self.attributes[name])[0], text)

    def _meant_as(self, type_name: str, text: str | None) -> Any:
        """Return a value in the form that the evaluation of CHECKs needs."""
        kind = self.types[type_name]["kind"]
        if kind == "enum" or text is None:
            return text
        if kind == "array":
            return [] if text == "{}" else [checks.UNKNOWN]
        return checks.value(text, type_name)

    def _base(self, attribute: Document) -> tuple[str, str]:
        """Return the name of a column's type, and the type as PostgreSQL prints it with modifiers.

        For a domain, return those of the base type.
        """
        type_name, formatted = attribute["type"], attribute["formatted"]
        while self.types[type_name]["kind"] == "domain":
            of = self.types[type_name]["of"]
            type_name, formatted = of["type"], of["formatted"]
        return type_name, formatted

    def _candidates(self, name: str, rules: Sequence[str]) -> list[str]:
        """Return values that a column's type and domains accept, with the simplest values first."""
        attribute = self.attributes[name]
        told = [text for rule in rules if name in checks.mentioned(rule) for text in checks.literals(rule)]
        found = self._of_type(attribute["type"], attribute["formatted"], told)
        same = self.unlike.values.get(name) if self.unlike is not None else None
        return [text for text in found if literal(text) != same] or found

    def _of_type(self, type_name: str, formatted: str, told: Sequence[str] = ()) -> list[str]:
        """Return values of a type. ``told`` contains the constants in CHECKs, which these CHECKs probably accept."""
        found = self.types[type_name]
        kind, of = found["kind"], found["of"] or {}
        if kind == "base":
            title = self.table.name if self.unlike is None else f"{self.table.name} again"
            return _of_base(found["name"], formatted, title, self.place, told)
        if kind == "domain":
            rules = [item["expression"] for item in found["checks"]]
            base, _ = self._base({"type": type_name, "formatted": formatted})
            told = [*told, *(text for rule in rules for text in checks.literals(rule))]
            return [
                text
                for text in self._of_type(of["type"], of["formatted"], told)
                if all(_holds(rule, {"VALUE": self._meant_as(base, text)}) for rule in rules)
            ]
        if kind == "enum":
            return list(found["labels"] or [])
        if kind == "array":
            elements = self._of_type(of["type"], formatted.removesuffix("[]"))[:1]
            return [*(f"{{{_quoted(element)}}}" for element in elements), "{}"]
        if kind == "composite":
            parts = [self._of_type(part["type"], part["formatted"])[:1] for part in found["attributes"] or []]
            return [f"({','.join(_quoted(*texts) if texts else '' for texts in parts)})"]
        if kind == "range":
            return [f"[{_quoted(text)},{_quoted(text)}]" for text in self._of_type(of["type"], of["formatted"])[:1]]
        if kind == "multirange":
            return [f"{{{text}}}" for text in self._of_type(of["type"], of["formatted"])]
        return []

    def _why_none(self, name: str) -> str:
        """Return why a column's type has no derivable value: an unsupported type, or the CHECKs of a domain."""
        type_name = self.attributes[name]["type"]
        while self.types[type_name]["kind"] == "domain":
            found = self.types[type_name]
            if found["checks"] and self._of_type(found["of"]["type"], found["of"]["formatted"]):
                return f"{type_name}: " + ", ".join(f"CHECK {item['expression']}" for item in found["checks"])
            type_name = found["of"]["type"]
        return f"type {type_name}"


def _accepts(rule: str, row: Mapping[str, Any], given: set[str]) -> bool:
    """Return whether a rule accepts a row. An unknown result counts as yes if the rule uses no column in ``given``."""
    return _holds(rule, row) or (checks.holds(rule, row) is not False and given.isdisjoint(checks.mentioned(rule)))


def _holds(rule: str, row: Mapping[str, Any]) -> bool:
    """Return whether a rule accepts a row or may accept it.

    Only PostgreSQL can evaluate the application's own functions, so a rule that calls them may accept the row.
    """
    found = checks.holds(rule, row)
    return found is True or (found is not False and checks.calls_own_code(rule))


def _together(names: Sequence[str], rules: Sequence[str]) -> list[list[str]]:
    """Return the columns in groups, so that all columns in a rule are in the same group."""
    groups: list[set[str]] = [{name} for name in names]
    for rule in rules:
        mentioned = checks.mentioned(rule)
        joined = [group for group in groups if group & mentioned]
        groups = [group for group in groups if not group & mentioned] + ([set().union(*joined)] if joined else [])
    found = [[name for name in names if name in group] for group in groups]
    return sorted(found, key=lambda group: names.index(group[0]))


def _quoted(text: str) -> str:
    """Quote a value as an element of an array, a row or a range."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _modifiers(formatted: str) -> list[int]:
    """Return the modifiers that PostgreSQL prints after the name of a type."""
    found = re.search(r"\((-?\d+(?:,-?\d+)?)\)", formatted)
    return [int(number) for number in found[1].split(",")] if found else []


# Values of each type, in the form that PostgreSQL reads. The number of the table in the model replaces %d and %x.
PLAIN = {
    "bool": ("true", "false"),
    "uuid": ("00000000-0000-4000-8000-%012d", "00000000-0000-4000-9000-%012d"),
    "json": ("{}", "[]", '"proof"', "1"), "jsonb": ("{}", "[]", '"proof"', "1"), "jsonpath": ("$",),
    "bytea": ("\\x%02x",), "xml": ("<proof/>",), "refcursor": ("proof",),
    "interval": ("1 day", "00:00:00"), "time": ("12:00:00", "00:00:00", "23:00:00"), "timetz": ("12:00:00+00",),
    "inet": ("192.0.2.%d",), "cidr": ("192.0.2.%d/32",), "macaddr": ("08:00:2b:01:02:%02x",),
    "macaddr8": ("08:00:2b:01:02:03:04:%02x",),
    "point": ("(%d,1)",), "line": ("{1,1,1}",), "lseg": ("[(0,0),(1,1)]",), "box": ("(1,1),(0,0)",),
    "path": ("[(0,0),(1,1)]",), "polygon": ("((0,0),(1,1),(1,0))",), "circle": ("<(1,1),1>",),
    "tsvector": ("proof",), "tsquery": ("proof",), "oid": ("%d",), "xid": ("%d",), "xid8": ("%d",), "cid": ("%d",),
    "tid": ("(0,%d)",), "pg_lsn": ("0/%d",), "pg_snapshot": ("1:1:",), "txid_snapshot": ("1:1:",),
    "int2vector": ("%d",), "oidvector": ("%d",),
    **dict.fromkeys(
        ("regclass", "regtype", "regproc", "regprocedure", "regoper", "regoperator", "regrole", "regnamespace",
         "regconfig", "regdictionary", "regcollation"), ("0",),
    ),
    "hstore": ('"proof"=>"%d"',), "ltree": ("proof.%d",), "lquery": ("proof",), "ltxtquery": ("proof",),
    "cube": ("(%d)",), "seg": ("%d",),
}  # fmt: skip
# The types of pgvector. Each function returns a value with the given number of dimensions.
VECTORS: dict[str, Callable[[int], str]] = {
    "vector": lambda size: f"[{','.join(['1'] * size)}]",
    "halfvec": lambda size: f"[{','.join(['1'] * size)}]",
    "sparsevec": lambda size: f"{{1:1}}/{size}",
}
BOUNDS = {"int2": 2**15, "int4": 2**31, "int8": 2**63, "oid": 2**32}
NUMBERS = (*("int2", "int4", "int8"), "numeric", "float4", "float8", "money")
TIMES = {"date": "", "timestamp": " 12:00:00", "timestamptz": " 12:00:00+00"}
# A number in a CHECK that is larger than this does not count as a length.
LONGEST = 1000


def _of_base(kind: str, formatted: str, table: str, place: int, told: Sequence[str]) -> list[str]:
    """Return values of the base type ``kind`` (its name in the catalogs); empty for an unknown type."""
    modifiers = _modifiers(formatted)
    if kind in NUMBERS:
        found = _numbers(kind, modifiers, place, told)
    elif kind in TEXTS:
        found = _texts(_length(kind, formatted), f"proof of {table}", place, told)
    elif kind in TIMES:
        found = _times(kind, place, told)
    elif kind in ("bit", "varbit"):
        found = ["1" * (modifiers[0] if modifiers else 1)]
    elif kind in VECTORS:
        found = [VECTORS[kind](modifiers[0] if modifiers else 3)]
    elif kind in ("interval", "time"):
        found = [*PLAIN[kind], *_spans(kind, told)]
    else:
        found = [text % place if "%" in text else text for text in PLAIN.get(kind, ())]
    return list(dict.fromkeys(found))


def _numbers(kind: str, modifiers: Sequence[int], place: int, told: Sequence[str]) -> list[str]:
    """Return numbers, including constants in CHECKs, their neighbors, and the midpoints between two constants."""
    given = [number for text in told if isinstance(number := checks.value(text, "numeric"), Decimal)]
    beside = [number + step for number in given for step in (0, 1, -1)]
    between = [(one + other) / 2 for one, other in zip(sorted(given), sorted(given)[1:], strict=False)]
    numbers = [Decimal(place), Decimal(1), Decimal(0), Decimal(place + 1), *beside, *between]
    return [f"{number:f}" for number in numbers if _fits(number, kind, modifiers)]


def _fits(number: Decimal, kind: str, modifiers: Sequence[int]) -> bool:
    if not number.is_finite():
        return False
    if kind in BOUNDS:
        return number == number.to_integral_value() and -BOUNDS[kind] <= number < BOUNDS[kind]
    if not modifiers:
        return True
    precision, scale = (*modifiers, 0)[:2]
    return abs(number) < Decimal(10) ** (precision - scale) and number == round(number, scale)


def _length(kind: str, formatted: str) -> int | None:
    """Return the maximum length of a text type in characters, or None if there is no limit."""
    if kind in ("name", "char"):
        return {"name": 63, "char": 1}[kind]
    modifiers = _modifiers(formatted)
    return modifiers[0] if modifiers else 1 if formatted == "character" else None


def _texts(length: int | None, title: str, place: int, told: Sequence[str]) -> list[str]:
    """Return strings, including strings of lengths in CHECKs, constants in CHECKs, and matches of patterns there."""
    sizes = [int(text) + step for text in told if text.isdecimal() and int(text) <= LONGEST for step in (0, -1, 1)]
    made = [title, *(_sized(title, place, size) for size in sizes if size > 0)]
    made = [*made, *told, *itertools.chain(*map(patterns.examples, told)), "proof@example.com", ""]
    found = [text if length is None or len(text) <= length else _sized(title, place, length) for text in made]
    return [each for text in found for each in (text, text.upper(), text.lower())]


def _sized(title: str, place: int, size: int) -> str:
    """Return a string of ``size`` characters, which differs between tables if the length allows it."""
    return title.ljust(size, "x") if len(title) <= size else f"proof{place}"[-size:].ljust(size, "x")


def _times(kind: str, place: int, told: Sequence[str]) -> list[str]:
    """Return points in time, including constants in CHECKs, the days before and after these, and a future time."""
    own = [(date(2025, 1, 1) + timedelta(days=days)).isoformat() + TIMES[kind] for days in (place, place + 1)]
    given = [time for text in told if isinstance(time := checks.value(text, "timestamp with time zone"), datetime)]
    beside = [time + timedelta(days=days) for time in given for days in (0, 1, -1)]
    return [*own, *(_printed(time, kind) for time in beside), f"2100-01-01{TIMES[kind]}"]


def _spans(kind: str, told: Sequence[str]) -> list[str]:
    """Return the times of day and intervals among the constants in CHECKs, and larger values in whole hours.

    A time of day has a larger value only if the value is below 24 hours.
    """
    given = [text for text in told if isinstance(checks.value(text, "interval"), timedelta)]
    hours = [int(checks.value(text, "interval").total_seconds() // 3600) + 1 for text in given]
    return [*given, *(f"{number}:00:00" for number in hours if kind == "interval" or number < 24)]


def _printed(time: datetime, kind: str) -> str:
    if kind == "date":
        return time.date().isoformat()
    return time.isoformat(" ") + ("+00" if kind == "timestamptz" else "")


def _cut(length: int) -> str:
    return f"pg_catalog.left({RANDOM}, {length})"


def lacking(
    model: Model,
    table: Table,
    document: Document,
    types: Mapping[str, Document],
    may: Callable[[str], bool],
    others: Mapping[str, Document] | None = None,
) -> list[str]:
    """Return a sentence for each value that the operator must add to the table's sample in the model.

    ``may`` returns whether the role can store a value in a column. The other parameters are those of ``of``.
    """
    deriving = _Deriving(model, table, document, types, others)
    missing = deriving.sample().missing
    return [
        f"{model.schema}.{table.name}.{name} {_role(table, name, deriving.is_required(name))}, but no value for it can "
        f"be derived ({missing[name]}): add {name}: … to sample of {table.name} in tenancy_tables."
        for name in document["columns"]
        if name in missing and may(name)
    ]


def _role(table: Table, name: str, is_required: bool) -> str:
    if any(name in key for key in table.natural_keys):
        return "is part of a natural key"
    return "is NOT NULL without a default" if is_required else "is required by a CHECK"
