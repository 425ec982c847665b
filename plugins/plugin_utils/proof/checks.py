"""Evaluate a CHECK or a partition bound for a row, without a database.

PostgreSQL prints every type in these expressions, and qualifies every name that is not built in. An unqualified name is
therefore built in. This module supports only common operators and functions. For any other operator or function, the
result is UNKNOWN. Times are in UTC.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from . import patterns


class Unknown:
    """A value that cannot be determined."""


class Present(Unknown):
    """An unknown value that is not NULL."""


UNKNOWN = Unknown()
PRESENT = Present()
# The value of now(). It is later than the default dates in samples, and earlier than their future dates.
NOW = datetime(2026, 1, 1)

_TOKEN = re.compile(
    r"""\s*(?:(?P<string>'(?:[^']|'')*')|(?P<number>\d+(?:\.\d*)?(?:e[+-]?\d+)?)|(?P<quoted>"(?:[^"]|"")+")
    |(?P<word>[^\W\d][\w$]*)|(?P<sign>::|[<>=!~+\-*/%@#&|^?`]+|[()\[\],.:]))""",
    re.VERBOSE,
)
_NUMBERS = {"smallint", "integer", "bigint", "numeric", "real", "double precision", "money"}
_WHOLE = {"smallint", "integer", "bigint"}
_TEXTS = {"text", "character varying", "character", "bpchar", "name", "uuid"}
_TIMES = {"date", "timestamp without time zone", "timestamp with time zone"}
_SPANS = {"interval", "time without time zone"}
_DOCUMENTS = {"json", "jsonb"}
_COMPARED: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda a, b: a == b, "<>": lambda a, b: a != b, "<": lambda a, b: a < b, ">": lambda a, b: a > b,
    "<=": lambda a, b: a <= b, ">=": lambda a, b: a >= b,
}  # fmt: skip
_SIGNS = set("<>=!~+-*/%@#&|^?`")
_COUNTED: dict[str, Callable[[Any, Any], Any]] = {
    "+": lambda a, b: a + b, "-": lambda a, b: a - b, "*": lambda a, b: a * b, "%": lambda a, b: a % b,
}  # fmt: skip


@dataclass(frozen=True)
class Opaque:
    """A value that cannot be compared. Only its text is known."""

    text: str


@dataclass(frozen=True)
class Document:
    """A value of json or jsonb."""

    text: str


@dataclass(frozen=True)
class Expression:
    """A parsed expression: its operator or kind, and its operands."""

    kind: str
    parts: tuple[Any, ...]


def value(text: str | None, type_name: str) -> Any:
    """Return the value of a string when read as the type ``type_name``, which has no modifiers."""
    if text is None:
        return None
    try:
        if type_name in _NUMBERS:
            return Decimal(text)
        if type_name in _TEXTS:
            return text.rstrip(" ") if type_name in ("character", "bpchar") else text
        if type_name in _TIMES:
            return _time(text)
        if type_name in _SPANS:
            return _span(text)
        if type_name == "boolean":
            return {"true": True, "false": False, "t": True, "f": False}[text]
    except (InvalidOperation, KeyError, ValueError):
        return UNKNOWN
    return Document(text) if type_name in _DOCUMENTS else Opaque(text)


def _time(text: str) -> datetime:
    found = datetime.fromisoformat(re.sub(r"([+-]\d\d)$", r"\1:00", text))
    return found.replace(tzinfo=None) - (found.utcoffset() or timedelta())


def _span(text: str) -> timedelta:
    found = re.fullmatch(r"(?:(-?\d+) days?)? ?(?:(\d+):(\d\d)(?::(\d\d))?)?", text)
    if not found or not text:
        raise ValueError(text)
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)


def mentioned(expression: str) -> set[str]:
    """Return the words in an expression that may be names of columns."""
    return {text for kind, text in _tokens(expression) if kind in ("word", "quoted")}


def calls_own_code(expression: str) -> bool:
    """Return whether the expression calls a function that is not built in: one with a qualified name."""
    texts = [text for _, text in _tokens(expression)]
    return any(
        texts[place] == "." and texts[place + 2 : place + 3] == ["("] for place in range(1, max(1, len(texts) - 2))
    )


def literals(expression: str) -> list[str]:
    """Return the constants in an expression, and the elements of constant arrays, as strings."""
    found = [text for kind, text in _tokens(expression) if kind in ("string", "number")]
    return [each for text in found for each in (text, *_elements(text))]


def _elements(text: str) -> list[str]:
    """Return the elements of a simple array constant; empty for any other string."""
    return text[1:-1].split(",") if re.fullmatch(r'\{[^{}"\\,]+(,[^{}"\\,]+)*\}', text) else []


def holds(expression: str, row: Mapping[str, Any]) -> bool | Unknown:
    """Return whether a CHECK accepts ``row``, which maps columns to values.

    PostgreSQL rejects a row only if the CHECK is false. Return UNKNOWN if the value of the CHECK cannot be determined.
    """
    found = evaluate(expression, row)
    return found if isinstance(found, Unknown) else found is not False


def evaluate(expression: str, row: Mapping[str, Any]) -> Any:
    """Return the value of an expression. None represents NULL."""
    try:
        return _value(_parsed(expression), row)
    except (ValueError, IndexError, TypeError, InvalidOperation, OverflowError, RecursionError):
        return UNKNOWN


@functools.cache
def _parsed(expression: str) -> Expression:
    return _Parser(_tokens(expression)).whole()


@functools.cache
def _tokens(expression: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    place, end = 0, len(expression.rstrip())
    while place < end:
        match = _TOKEN.match(expression, place)
        if match is None:
            return [*found, ("sign", "")]
        kind = str(match.lastgroup)
        found.append((kind, _plain(kind, match[kind])))
        place = match.end()
    return found


def _plain(kind: str, text: str) -> str:
    """Return the text of a token, without quotes for a string or a quoted name."""
    if kind == "quoted":
        return text[1:-1].replace('""', '"')
    if kind == "string":
        return text[1:-1].replace("''", "'")
    return text


class _Parser:
    """A parser for the expressions that PostgreSQL prints. It raises ValueError for unknown syntax."""

    def __init__(self, tokens: Sequence[tuple[str, str]]) -> None:
        """Start at the first token."""
        self.tokens, self.place = tokens, 0

    def whole(self) -> Expression:
        """Parse all tokens as one expression, and return it."""
        found = self._any()
        if self.place != len(self.tokens):
            raise ValueError(self._next)
        return found

    @property
    def _next(self) -> tuple[str, str]:
        return self.tokens[self.place] if self.place < len(self.tokens) else ("end", "")

    def _take(self, *texts: str) -> bool:
        """Return whether the given words or symbols come next. If so, advance to the token after them."""
        there = self.tokens[self.place : self.place + len(texts)]
        if [text if kind in ("word", "sign") else None for kind, text in there] != list(texts):
            return False
        self.place += len(texts)
        return True

    def _need(self, text: str) -> None:
        if not self._take(text):
            raise ValueError(self._next)

    def _any(self) -> Expression:
        parts = [self._all()]
        while self._take("OR"):
            parts.append(self._all())
        return parts[0] if len(parts) == 1 else Expression("OR", tuple(parts))

    def _all(self) -> Expression:
        parts = [self._negated()]
        while self._take("AND"):
            parts.append(self._negated())
        return parts[0] if len(parts) == 1 else Expression("AND", tuple(parts))

    def _negated(self) -> Expression:
        return Expression("NOT", (self._negated(),)) if self._take("NOT") else self._compared()

    def _compared(self) -> Expression:
        left = self._sum()
        while True:
            kind, sign = self._next
            if kind == "sign" and set(sign) <= _SIGNS and sign not in _COUNTED:
                self.place += 1
                quantified = next((word for word in ("ANY", "ALL") if self._take(word)), None)
                right = self._sum()
                left = Expression(quantified or sign, (sign, left, right) if quantified else (left, right))
            elif self._take("IS"):
                left = self._tested(left)
            else:
                return left

    def _tested(self, left: Expression) -> Expression:
        negated = self._take("NOT")
        if self._take("DISTINCT", "FROM"):
            found = Expression("DISTINCT", (left, self._sum()))
        else:
            word = next((word for word in ("NULL", "TRUE", "FALSE", "UNKNOWN") if self._take(word)), "")
            if not word:
                raise ValueError(self._next)
            found = Expression("IS", (word, left))
        return Expression("NOT", (found,)) if negated else found

    def _sum(self) -> Expression:
        left = self._signed()
        while self._next[0] == "sign" and self._next[1] in _COUNTED:
            sign = self._next[1]
            self.place += 1
            left = Expression(sign, (left, self._signed()))
        return left

    def _signed(self) -> Expression:
        if self._take("-"):
            return Expression("-", (Expression("constant", (Decimal(0),)), self._signed()))
        found = self._one()
        while True:
            if self._take("::"):
                found = Expression("cast", (self._type(), found))
            elif self._take("AT", "TIME", "ZONE"):
                found = Expression("call", ("timezone", self._signed(), found))
            else:
                return found

    def _one(self) -> Expression:
        kind, text = self._next
        self.place += 1
        if kind == "string":
            return Expression("constant", (text,))
        if kind == "number":
            return Expression("constant", (Decimal(text),))
        if (kind, text) == ("sign", "("):
            found = self._any()
            self._need(")")
            return found
        if kind == "quoted":
            return Expression("column", (text,))
        if kind != "word":
            raise ValueError(text)
        if text in ("true", "false", "NULL"):
            return Expression("constant", ({"true": True, "false": False, "NULL": None}[text],))
        if text == "ARRAY":
            self._need("[")
            return Expression("array", tuple(self._several("]")))
        if text == "TRIM" and self._take("(", "BOTH", "FROM"):
            return Expression("call", ("btrim", *self._several(")")))
        if self._take("("):
            return Expression("call", (text, *self._several(")")))
        return Expression("column" if text not in ("CURRENT_DATE", "CURRENT_TIMESTAMP") else "now", (text,))

    def _several(self, end: str) -> list[Expression]:
        found: list[Expression] = []
        while not self._take(end):
            if found:
                self._need(",")
            found.append(self._any())
        return found

    def _type(self) -> str:
        """Parse the name of a type. Raises ValueError for a type with modifiers, because these can change a value."""
        words: list[str] = []
        while self._next[0] in ("word", "quoted") and (not words or words[-1] == "." or self._next[1] in _TYPE_WORDS):
            words.append(self._next[1])
            self.place += 1
            if self._take("."):
                words.append(".")
        if self._take("("):
            raise ValueError(words)
        while self._take("[", "]"):
            words.append("[]")
        return " ".join(words)


# Functions whose result depends only on which arguments are NULL.
COUNTING = ("num_nonnulls", "num_nulls")
_TYPE_WORDS = ("varying", "precision", "without", "with", "time", "zone")


def _value(found: Expression, row: Mapping[str, Any]) -> Any:
    kind, parts = found.kind, found.parts
    if kind == "constant":
        return parts[0]
    if kind == "column":
        return row.get(parts[0], UNKNOWN)
    if kind == "now":
        return NOW
    if kind in ("AND", "OR"):
        return _joined(kind, [_value(part, row) for part in parts])
    if kind == "IS":
        given = _value(parts[1], row)
        wanted = {"NULL": None, "UNKNOWN": None, "TRUE": True, "FALSE": False}[parts[0]]
        if isinstance(given, Present) and wanted is None:
            return False
        return given if isinstance(given, Unknown) else given is wanted
    if kind == "call" and parts[0] == "satisfies_hash_partition":
        # A table that is partitioned by hash is assumed to have a partition for every row.
        return True
    given = [_value(part, row) for part in parts if isinstance(part, Expression)]
    counts = kind == "call" and parts[0] in COUNTING
    if any(isinstance(each, Unknown) and not (counts and isinstance(each, Present)) for each in given):
        return UNKNOWN
    if kind == "NOT":
        return None if given[0] is None else not given[0]
    if kind == "array":
        return given
    if kind == "DISTINCT":
        return given[0] != given[1] if None in given else _operated("<>", *given)
    if kind in ("ANY", "ALL"):
        if not isinstance(given[1], list):
            return None if given[1] is None else UNKNOWN
        each = [_operated(parts[0], given[0], item) for item in given[1]]
        return _joined("OR" if kind == "ANY" else "AND", each)
    if kind == "cast":
        return _cast(parts[0], given[0])
    if kind == "call":
        return _called(parts[0], given)
    return _operated(kind, *given)


def _joined(kind: str, parts: Sequence[Any]) -> Any:
    """Return the AND or OR of values. One decisive value determines the result, even if others are unknown."""
    decisive = kind == "OR"
    if any(part is decisive for part in parts):
        return decisive
    if any(not isinstance(part, bool) and part is not None for part in parts):
        return UNKNOWN
    return None if None in parts else not decisive


def _operated(sign: str, left: Any, right: Any) -> Any:
    if left is None or right is None:
        return None
    if sign in _COUNTED and (isinstance(left, Decimal) or (isinstance(left, (datetime, timedelta)) and sign in "+-")):
        return _COUNTED[sign](left, right)
    if type(left) is not type(right) or isinstance(left, (Opaque, Document, list)):
        return UNKNOWN
    if isinstance(left, str) and sign in ("~~", "!~~"):
        return _is_like(left, right) is (sign == "~~")
    if isinstance(left, str) and sign in ("~", "!~", "~*", "!~*"):
        found = patterns.matches(left, right, ignore_case=sign.endswith("*"))
        return UNKNOWN if found is None else found is not sign.startswith("!")
    # The order of strings depends on the collation, which is not known here.
    if sign not in _COMPARED or (isinstance(left, str) and sign not in ("=", "<>")):
        return UNKNOWN
    return _COMPARED[sign](left, right)


def _is_like(text: str, pattern: str) -> bool:
    if "\\" in pattern:
        raise ValueError(pattern)
    wanted = "".join({"%": ".*", "_": "."}.get(sign, re.escape(sign)) for sign in pattern)
    return re.fullmatch(wanted, text, re.DOTALL) is not None


def _cast(type_name: str, given: Any) -> Any:
    if given is None or (type_name.endswith("[]") and isinstance(given, list)):
        return given
    if isinstance(given, str):
        if type_name.endswith("[]"):
            return [value(text, type_name.removesuffix("[]").strip()) for text in _elements(given)] or UNKNOWN
        # For any other type, the string itself is the value: text, an enum label, or a value of a domain over text.
        is_plain = type_name in _NUMBERS | _TIMES | _SPANS | _DOCUMENTS | {"boolean"}
        return value(given, type_name) if is_plain else given
    if isinstance(given, Decimal) and type_name in _NUMBERS:
        return given if type_name not in _WHOLE or given == given.to_integral_value() else UNKNOWN
    if isinstance(given, datetime) and type_name in _TIMES:
        return given.replace(hour=0, minute=0, second=0, microsecond=0) if type_name == "date" else given
    return given if isinstance(given, bool) and type_name == "boolean" else UNKNOWN


def _called(name: str, given: Sequence[Any]) -> Any:
    if name in COUNTING:
        return Decimal(sum((each is None) is (name == "num_nulls") for each in given))
    if name == "COALESCE":
        return next((each for each in given if each is not None), None)
    if name in ("now", "statement_timestamp", "transaction_timestamp") and not given:
        return NOW
    if None in given:
        return None
    known = _FUNCTIONS.get((name, len(given)))
    if known is None or not isinstance(given[0], known[0]):
        return UNKNOWN
    return known[1](*given)


def _truncated(unit: str, time: Any) -> Any:
    """Return a time truncated to the beginning of its day, month or other unit."""
    ends = {"year": 4, "month": 7, "day": 10, "hour": 13, "minute": 16, "second": 19}
    if not isinstance(time, datetime) or unit not in ends:
        return UNKNOWN
    return datetime.fromisoformat(time.isoformat()[: ends[unit]] + "0000-01-01T00:00:00"[ends[unit] :])


def _in_zone(zone: str, time: Any) -> Any:
    return time if zone in ("UTC", "GMT") and isinstance(time, datetime) else UNKNOWN


_JSON_TYPES = {dict: "object", list: "array", str: "string", bool: "boolean", int: "number", float: "number"}


def _json_type(document: Document) -> str:
    return _JSON_TYPES.get(type(json.loads(document.text)), "null")


# By name and number of arguments: the type of the first argument, and the function that computes the result.
_FUNCTIONS: dict[tuple[str, int], tuple[type, Callable[..., Any]]] = {
    ("length", 1): (str, lambda text: Decimal(len(text))),
    ("char_length", 1): (str, lambda text: Decimal(len(text))),
    ("character_length", 1): (str, lambda text: Decimal(len(text))),
    ("octet_length", 1): (str, lambda text: Decimal(len(text.encode()))),
    ("lower", 1): (str, lambda text: text.lower()),
    ("upper", 1): (str, lambda text: text.upper()),
    ("btrim", 1): (str, lambda text: text.strip(" ")),
    ("ltrim", 1): (str, lambda text: text.lstrip(" ")),
    ("rtrim", 1): (str, lambda text: text.rstrip(" ")),
    ("abs", 1): (Decimal, abs),
    ("date_trunc", 2): (str, _truncated),
    ("timezone", 2): (str, _in_zone),
    ("jsonb_typeof", 1): (Document, _json_type),
    ("json_typeof", 1): (Document, _json_type),
    ("cardinality", 1): (list, lambda items: Decimal(len(items))),
    ("array_length", 2): (list, lambda items, _: Decimal(len(items)) if items else None),
    ("isempty", 1): (Opaque, lambda text: text.text == "empty"),
}
