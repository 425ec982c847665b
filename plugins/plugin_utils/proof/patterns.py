"""Match strings against PostgreSQL's regular expressions, and generate strings that match.

This module supports the syntax that PostgreSQL and Python have in common (PostgreSQL manual, 9.7.3 "POSIX Regular
Expressions").
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass

# The characters to prefer as the example of a character class, in two orders.
ALPHABETS = ("aA0x_-. @/:#+", "bB1y-_.  @/:#+")
PRINTABLE = "".join(map(chr, range(32, 127)))
# How often examples repeat an element whose quantifier has no upper limit.
TIMES = (1, 3, 8)
# Longer strings are not matched against patterns with nested quantifiers, because this can take exponential time.
LONGEST_NESTED = 16
CLASSES = {
    "alpha": "a-zA-Z", "digit": "0-9", "alnum": "a-zA-Z0-9", "upper": "A-Z", "lower": "a-z", "space": r"\s",
    "xdigit": "0-9A-Fa-f", "word": r"\w", "blank": r" \t", "punct": r"!-/:-@\[-`{-~",
}  # fmt: skip
SHORTHANDS = "dDwWsS"
# PostgreSQL's escapes for the start and end of a string and for word boundaries, each with its equivalent in Python.
ANCHORS = {"A": r"\A", "Z": r"\Z", "m": r"\b", "M": r"\b", "y": r"\b"}
_REPEATED = re.compile(r"(?:[*+?]|\{(\d+)(,(\d*))?\})\??")


@dataclass(frozen=True)
class Pattern:
    """A pattern in Python's syntax, and a string that matches it.

    ``repeats`` is whether the pattern contains a quantifier without an upper limit. ``nested`` is whether it
    contains such a quantifier within another one.
    """

    python: str = ""
    example: str = ""
    repeats: bool = False
    nested: bool = False

    def __add__(self, other: Pattern) -> Pattern:
        """Return the concatenation of both patterns."""
        return Pattern(
            self.python + other.python, self.example + other.example, self.repeats or other.repeats,
            self.nested or other.nested,
        )  # fmt: skip


def matches(text: str, pattern: str, *, ignore_case: bool) -> bool | None:
    """Return whether a string matches the pattern, or None if this cannot be determined."""
    found = _parsed(pattern, ALPHABETS[0], 1)
    if found is None or (found.nested and len(text) > LONGEST_NESTED):
        return None
    flags = re.DOTALL | (re.IGNORECASE if ignore_case else re.NOFLAG)
    return re.search(found.python, text, flags) is not None


def examples(pattern: str) -> Iterator[str]:
    """Yield strings that match the pattern, or nothing for unknown syntax."""
    for times in TIMES:
        for alphabet in ALPHABETS:
            found = _parsed(pattern, alphabet, times)
            if found is not None:
                yield found.example


@functools.cache
def _parsed(pattern: str, alphabet: str, times: int) -> Pattern | None:
    parser = _Parser(pattern, alphabet, times)
    try:
        found = parser.alternatives()
        re.compile(found.python)
    except (ValueError, LookupError, re.error, OverflowError, RecursionError):
        return None
    return found if parser.place == len(pattern) else None


class _Parser:
    """A parser for patterns. It raises ValueError or LookupError for unknown syntax."""

    def __init__(self, pattern: str, alphabet: str, times: int) -> None:
        """Start at the first character."""
        self.pattern, self.alphabet, self.times, self.place = pattern, alphabet, times, 0

    @property
    def _next(self) -> str:
        return self.pattern[self.place : self.place + 1]

    def _take(self, text: str) -> bool:
        if not self.pattern.startswith(text, self.place):
            return False
        self.place += len(text)
        return True

    def alternatives(self) -> Pattern:
        """Parse alternatives up to a closing parenthesis or the end. The example matches the first alternative."""
        found = [self._sequence()]
        while self._take("|"):
            found.append(self._sequence())
        python = "|".join(part.python for part in found)
        repeats, nested = any(part.repeats for part in found), any(part.nested for part in found)
        return Pattern(python, found[0].example, repeats, nested)

    def _sequence(self) -> Pattern:
        found = Pattern()
        while self._next and self._next not in "|)":
            found += self._repeated(self._atom())
        return found

    def _repeated(self, atom: Pattern) -> Pattern:
        match = _REPEATED.match(self.pattern, self.place)
        if match is None:
            if self._next == "{":
                raise ValueError(self.pattern)
            return atom
        self.place = match.end()
        sign = match[0][0]
        least = int(match[1]) if match[1] else int(sign == "+")
        is_endless = sign in "*+" or (match[2] is not None and not match[3])
        most = max(least, self.times) if is_endless else int(match[3]) if match[3] else least
        count = min(most, max(least, self.times if is_endless and sign != "*" else least))
        nested = atom.nested or (atom.repeats and (is_endless or most > 1))
        return Pattern(f"{atom.python}{match[0]}", atom.example * count, atom.repeats or is_endless, nested)

    def _atom(self) -> Pattern:
        if self._take("("):
            if not self._take("?:") and self._next in "?*":
                raise ValueError(self.pattern)
            inner = self.alternatives()
            if not self._take(")"):
                raise ValueError(self.pattern)
            return Pattern(f"(?:{inner.python})", inner.example, inner.repeats, inner.nested)
        if self._take("["):
            return self._chosen(self._class())
        sign = self._next
        self.place += 1
        if sign == "\\":
            return self._escaped()
        if sign in "^$":
            return Pattern({"^": r"\A", "$": r"\Z"}[sign])
        if sign in "*+?{)":
            raise ValueError(self.pattern)
        return Pattern(".", "x") if sign == "." else Pattern(re.escape(sign), sign)

    def _escaped(self) -> Pattern:
        sign = self.pattern[self.place]
        self.place += 1
        if sign in ANCHORS:
            return Pattern(ANCHORS[sign])
        if sign in SHORTHANDS:
            return self._chosen(f"\\{sign}")
        if sign.isalnum():
            raise ValueError(self.pattern)
        return Pattern(re.escape(sign), sign)

    def _chosen(self, written: str) -> Pattern:
        """Return the pattern of a character class, with one of the class's characters as the example."""
        found = [sign for sign in self.alphabet + PRINTABLE if re.fullmatch(written, sign)]
        return Pattern(written, found[0])

    def _class(self) -> str:
        """Parse a character class after its opening bracket, and return it in Python's syntax."""
        found = "[^" if self._take("^") else "["
        start = self.place
        while not (self._next == "]" and self.place > start):
            if self._take("[:"):
                end = self.pattern.index(":]", self.place)
                found += CLASSES[self.pattern[self.place : end]]
                self.place = end + 2
                continue
            sign = self.pattern[self.place]
            self.place += 1
            if sign == "[" and self._next in (".", "="):
                raise ValueError(self.pattern)
            if sign == "\\":
                sign = self.pattern[self.place]
                self.place += 1
                if sign.isalnum() and sign not in "dws":
                    raise ValueError(self.pattern)
                found += f"\\{sign}"
            else:
                found += sign if sign == "-" else re.escape(sign)
        self.place += 1
        return found + "]"
