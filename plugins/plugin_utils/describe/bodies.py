"""Find the statements in function bodies that write to tables, and propose bodies with the tenant in these statements.

A body is analyzed as text. A proposed body is a draft that the operator reviews. A statement in an unusual form remains
unchanged, and its line is reported.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from ...module_utils.quoting import identifier

# Matches a name that needs no quotes.
PLAIN = re.compile("[a-z_][a-z0-9_]*")
# Matches comments and strings.
HIDDEN = re.compile(
    r"--[^\n]*|/\*.*?\*/|\$(?P<tag>\w*)\$.*?\$(?P=tag)\$|[eE]'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*'", re.DOTALL
)
WRITING = r"\b(insert\s+into|update|delete\s+from|merge\s+into|truncate(?:\s+table)?|copy)\s+(?:only\s+)?"
NAME = r'((?:"(?:[^"]|"")+"|[a-z_][\w$]*)\s*\.\s*)?("(?:[^"]|"")+"|[a-z_][\w$]*)'
STATEMENT = re.compile(WRITING + NAME, re.IGNORECASE)
# _masked replaces each character of a string with this one.
QUOTE = "'"
# Matches the end of a statement's condition, outside all parentheses.
END = re.compile(r"\breturning\b|\bloop\b|;", re.IGNORECASE)
# Matches the end of the rows of an INSERT, outside all parentheses.
AFTER_VALUES = re.compile(r"\bon\s+conflict\b|\breturning\b|\bloop\b|;", re.IGNORECASE)

Edit = tuple[int, str]


@dataclass(frozen=True)
class Written:
    """A statement that writes to a table: its command, the table's name, and the statement's position."""

    command: str
    table: str
    start: int
    end: int


@dataclass(frozen=True)
class Proposal:
    """A proposed body (``body``), and the lines in which the operator must still add the tenant (``left``)."""

    body: str
    left: Sequence[str]


def written(body: str, schema: str) -> list[Written]:
    """Return the statements in a body, or in its strings, that write to a table.

    The name of the table must be unqualified, or qualified with ``schema``.
    """
    text = _masked(body, strings=False)
    return [
        Written(
            " ".join(match[1].lower().split()),
            _plain(match[3]),
            match.start(),
            match.end(),
        )
        for match in STATEMENT.finditer(text)
        if match[2] is None or _plain(match[2].rstrip(". \n\t")) == schema
    ]


def calls(body: str, names: Iterable[str]) -> set[str]:
    """Return those ``names`` of functions that a body calls."""
    text = _masked(body, strings=False)
    return {name for name in names if re.search(rf'\b{re.escape(name)}"?\s*\(', text, re.IGNORECASE)}


def rows(body: str, statement: Written) -> int:
    """Return the number of rows in the VALUES of an INSERT, or 1 for any other statement."""
    text = _masked(body)
    source = re.compile(r"\s*(\([^()]*\)\s*)?values\b", re.IGNORECASE).match(text, statement.end)
    if source is None:
        return 1
    return len(_rows(text, source.end(), _end(text, source.end(), AFTER_VALUES))) or 1


def names(written_names: str, separator: str) -> tuple[str, ...]:
    """Return the names in a list of SQL identifiers, without quotes."""
    return tuple(_plain(part.strip()) for part in written_names.split(separator))


def names_column(body: str, column: str) -> bool:
    """Return whether a body contains the name of a column. The audit uses the same pattern."""
    return bool(re.search(rf'(\b|"){re.escape(column)}(\b|")', body, re.IGNORECASE))


def line(body: str, place: int) -> str:
    """Return the line of a body that contains the position ``place``, without leading and trailing spaces."""
    return body[body.rfind("\n", 0, place) + 1 :].partition("\n")[0].strip()


def with_tenant(
    body: str, schema: str, keys: Mapping[str, Sequence[tuple[str, ...]]], column: str, tenant: str
) -> Proposal:
    """Return a proposed body with the tenant added to each statement that writes to a tenant table.

    ``keys`` contains the natural keys of the tenant tables, and ``tenant`` is the tenant as an SQL expression.
    """
    text = _masked(body)
    edits: list[Edit] = []
    left: list[str] = []
    for item in written(body, schema):
        if item.table not in keys:
            continue
        # Statements in strings remain unchanged.
        propose = PROPOSED.get(item.command) if text[item.start] != QUOTE else None
        found = propose(text, item, keys[item.table], quoted(column), tenant) if propose else None
        if found is None:
            left.append(line(body, item.start))
        else:
            edits += found
    for place, added in sorted(edits, reverse=True):
        body = body[:place] + added + body[place:]
    return Proposal(body, left)


def _inserted(text: str, item: Written, keys: Sequence[tuple[str, ...]], column: str, tenant: str) -> list[Edit] | None:
    """Return the edits that add the tenant to an INSERT with a column list, or None for an unusual form."""
    opening = re.compile(r"\s*(?:as\s+\w+\s*)?\(", re.IGNORECASE).match(text, item.end)
    if opening is None or (closing := _closing(text, opening.end())) is None:
        return None
    edits = [(opening.end(), _before(text, opening.end(), f"{column},"))]
    source = re.compile(r"\s*(?:overriding\s+\w+\s+value\s*)?(values\b|select\b)", re.IGNORECASE).match(text, closing)
    end = _end(text, closing, AFTER_VALUES)
    if source is None:
        return None
    if source[1].lower() == "select":
        if re.match(r"\s*(distinct|all)\b", text[source.end() :], re.IGNORECASE) or re.search(
            r"\b(union|intersect|except|group\s+by)\b", text[source.end() : end], re.IGNORECASE
        ):
            return None
        edits.append((source.end(), f" {tenant},"))
    else:
        rows = _rows(text, source.end(), end)
        if not rows:
            return None
        edits += [(place, _before(text, place, f"{tenant},")) for place in rows]
    conflict = _on_conflict(text, end, keys, column)
    return None if conflict is None else edits + conflict


def _before(text: str, place: int, added: str) -> str:
    """Return ``added``, with a trailing space if no whitespace follows the position ``place``."""
    return added if text[place : place + 1].isspace() else f"{added} "


def _rows(text: str, start: int, end: int) -> list[int]:
    """Return the positions at which the rows of VALUES begin; empty for an unusual form."""
    found = []
    place = start
    while opening := re.compile(r"\s*,?\s*\(").match(text, place, end):
        found.append(opening.end())
        place = _closing(text, opening.end()) or end
    return [] if text[place:end].strip() else found


def _on_conflict(text: str, start: int, keys: Sequence[tuple[str, ...]], column: str) -> list[Edit] | None:
    """Return the edit that adds the tenant column to ON CONFLICT (columns).

    The list is empty if the clause needs no edit. Return None for an unusual form.
    """
    opening = re.compile(r"on\s+conflict\s*\(([^()]*)\)", re.IGNORECASE).match(text, start)
    if opening is None:
        other = re.compile(r"on\s+conflict\s*(?!on\s+constraint|do\s+nothing)\S", re.IGNORECASE).match(text, start)
        return None if other else []
    named = {_plain(part.strip()) for part in opening[1].split(",")}
    return [(opening.start(1), f"{column}, ")] if any(named == set(key) for key in keys) else []


def _filtered(text: str, item: Written, _: Sequence[tuple[str, ...]], column: str, tenant: str) -> list[Edit] | None:
    """Return the edits that add the tenant to an UPDATE or DELETE, or None for an unusual form."""
    end = _end(text, item.end, END)
    statement = text[item.end : end]
    alias = re.compile(r"\s+(?:as\s+)?(?!\bset\b|\busing\b|\bwhere\b)([a-z_]\w*)", re.IGNORECASE).match(statement)
    own = f"{alias[1] if alias else quoted(item.table)}.{column} = {tenant}"
    stop = item.end + len(statement.rstrip())
    where = re.search(r"\bwhere\b\s*", _masked_depth(statement, 0, len(statement)), re.IGNORECASE)
    if where is None:
        return [(stop, f" WHERE {own}")]
    if re.match(r"current\s+of\b", statement[where.end() :], re.IGNORECASE):
        return None
    return [(item.end + where.end(), f"{own} AND ("), (stop, ")")]


PROPOSED: Mapping[str, Callable[..., list[Edit] | None]] = {
    "insert into": _inserted, "update": _filtered, "delete from": _filtered,
}  # fmt: skip


def _end(text: str, start: int, ending: re.Pattern[str]) -> int:
    """Return the position of the first match of ``ending`` outside all parentheses, or the end of the text."""
    found = ending.search(_masked_depth(text, start, len(text)))
    return start + found.start() if found else len(text)


def _closing(text: str, start: int) -> int | None:
    """Return the position after the parenthesis that closes the one just before ``start``, or None."""
    depth = 1
    for place in range(start, len(text)):
        depth += {"(": 1, ")": -1}.get(text[place], 0)
        if depth == 0:
            return place + 1
    return None


def _masked_depth(text: str, start: int, end: int) -> str:
    """Return the text between two positions, with the contents of parentheses replaced by spaces.

    If a parenthesis closes one that was opened before ``start``, the result ends there with a semicolon.
    """
    depth = 0
    shown: list[str] = []
    for character in text[start:end]:
        depth -= character == ")"
        if depth < 0:
            # This parenthesis closes one that was opened before the statement.
            return "".join(shown) + ";"
        shown.append(" " if depth else character)
        depth += character == "("
    return "".join(shown)


def _masked(text: str, *, strings: bool = True) -> str:
    """Return the text with comments replaced by spaces and, if ``strings`` is true, strings replaced by quotes."""

    def blank(match: re.Match[str]) -> str:
        if match[0][:2] in ("--", "/*"):
            return re.sub(r"[^\n]", " ", match[0])
        return re.sub(r"[^\n]", QUOTE, match[0]) if strings else match[0]

    return HIDDEN.sub(blank, text)


def _plain(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') else name.lower()


def quoted(name: str) -> str:
    """Return a name as SQL, in quotes if necessary."""
    return name if PLAIN.fullmatch(name) else identifier(name)
