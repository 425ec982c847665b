"""Text without secrets and without what callers said: only what is known to be harmless is kept.

Known are times, the words of ``vocabulary``, and the names that the catalogs hold. Whatever else a text is made of
becomes ``[removed]``: nobody can list what a caller may say or how a secret looks.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from urllib.parse import unquote

from .vocabulary import EXCEPTIONS, KEYWORDS, SQLSTATES, WORDS

MARK = "[removed]"

_LOOPBACK = r"(?:127\.0\.0\.1|\[::1\]|::1|localhost)(?::\d{1,5})?(?![\w.])"
_TOKEN = re.compile(
    rf"""
    (?P<time>(?<!\w)20\d\d-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:[.,]\d{{1,6}})?(?:Z|\ ?UTC|\ ?[+-]\d\d(?::?\d\d)?)?(?!\w)
      |(?<!\w)20\d{{6}}T\d{{6}}Z(?!\w))
    |(?P<date>(?<!\w)20\d\d-\d\d-\d\d(?![\w-]))
    |(?P<sqlstate>(?<=\berror\ )[0-9A-Z]{{5}}(?!\w))
    |(?P<label>\b(?:DETAIL|CONTEXT|QUERY|STATEMENT|LINE\ \d+):.*)
    |(?P<row>(?<==)\(.*|(?<=row\ contains\ )\(.*|(?<=[^\x00-\x7f])\ ?\(.*|(?<=\w\ )\((?:[^()\n]*,){{2}}.*)
    |(?P<url>[A-Za-z][\w+.-]*://[^\s'"<>]*)
    |(?P<secret>(?i:[\w-]*(?:passw|pwd|secret|token|api_?key|credential|authorization|cookie)[\w-]*)["']?\s*[:=]\s*\S+
      |(?i:--?[\w-]*(?:passw|pwd|secret|token|key|credential)[\w-]*)[=\s]+\S+|(?i:bearer|basic)\s+\S+)
    |(?P<loopback>(?<![\w.]){_LOOPBACK})
    |(?P<quote>"(?:[^"\\]|\\.)*(?:"|\Z)|(?<!\w)'[^'\n]*'(?!\w))
    |(?P<phone>\+?\d[\d ().-]{{6,}}\d)
    |(?P<number>(?<!\w)\d+(?:[.,]\d+)*(?!\w))
    |(?P<word>\w+)
    |(?P<space>\s+)
    |(?P<sign>[!-~])
    |(?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)
# A number is kept beside a word that says what it is: one before it, or one behind it.
_NAMING = """line port pid process transaction signal status version character position relation database wrote timeline
level step phase exit postgresql gunicorn python after within attempt worker slot backend"""
_COUNTED = """ms s kb mb gb min bytes seconds minutes buffers rows attempts times statements findings tables wal
transactions files file hosts errors lines sessions"""
_BEFORE, _BEHIND = frozenset(_NAMING.split()), frozenset(_COUNTED.split())
_DIGITS = re.compile(r"\d{6,}")


class Known:
    """What is harmless: the vocabulary, and the names of things."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        """Take names that the catalogs hold, but none that was made of a number as long as a caller's."""
        self.names = frozenset(name for name in names if not _DIGITS.search(name))

    def word(self, word: str) -> bool:
        """Say whether a word is known: as a whole, or made of known ones that are joined by underscores."""
        if word in self.names or word.lower() in WORDS or word.lower() in KEYWORDS or word in EXCEPTIONS:
            return True
        parts = [part for part in word.lower().split("_") if part]
        return len(parts) > 1 and all(part in WORDS for part in parts)

    def title(self, text: str) -> bool:
        """Say whether a quoted text is a name, an address of the machine itself, or holds known words only."""
        return (
            text in self.names
            or re.fullmatch(_LOOPBACK, text) is not None
            or (text.isascii() and all(map(self.word, re.findall(r"\w+", text))))
        )


def message(text: str, known: Known, *, numbers: bool = False) -> str:
    """Return a message of a program with everything unknown removed.

    ``numbers`` keeps those that no caller's can be, of five digits at most or with separators: for what this runbook
    wrote.
    """
    tokens = [(str(found.lastgroup), found.group()) for found in _TOKEN.finditer(text)]
    kept = []
    for place, (kind, token) in enumerate(tokens):
        if kind == "number":
            harmless = _counted(tokens, place) or (numbers and not _DIGITS.search(token) and len(token) <= 15)
            kept.append(token if harmless else MARK)
        elif kind == "date":
            kept.append(token if numbers else MARK)
        else:
            kept.append(_kept(kind, token, known))
    return collapse("".join(kept))


def _kept(kind: str, token: str, known: Known) -> str:
    """Return what is kept of one token."""
    if kind in ("time", "loopback", "space", "sign"):
        return token
    if kind == "sqlstate":
        return token if token in SQLSTATES else MARK
    if kind == "word":
        return token if known.word(token) else MARK
    if kind == "label":
        return f"{token.partition(':')[0]}: {MARK}"
    if kind == "url":
        return url(token, known)
    if kind == "secret":
        return re.sub(r"(?s)([:=\s]\s*).*", rf"\1{MARK}", token, count=1) if _names_known(token, known) else MARK
    if kind == "quote":
        closed = len(token) > 1 and token[-1] == token[0]
        # Several words may be a caller's sentence, be each of them known; this runbook quotes only names.
        harmless = closed and (token[1:-1] in known.names or not re.search(r"\s", token)) and known.title(token[1:-1])
        return token if harmless else f"{token[0]}{MARK}{token[0]}"
    return MARK


def _names_known(token: str, known: Known) -> bool:
    """Say whether every word of a secret's name is known."""
    words = re.findall(r"\w+", re.split(r"[:=\s]", token, maxsplit=1)[0])
    return bool(words) and all(map(known.word, words))


def _counted(tokens: list[tuple[str, str]], place: int) -> bool:
    """Say whether the words beside a number say that it counts something, and the number is a short one."""
    around = [
        next((token for kind, token in part if kind not in ("space", "sign")), "").lower()
        for part in (reversed(tokens[max(place - 3, 0) : place]), tokens[place + 1 : place + 3])
    ]
    short = not _DIGITS.search(tokens[place][1].replace(",", ""))
    return around[1] == "bytes" or (short and (around[0] in _BEFORE or around[1] in _BEHIND))


def url(text: str, known: Known) -> str:
    """Return the scheme of a URL, and where it leads on this very machine."""
    scheme, _, rest = text.partition("://")
    here = re.match(_LOOPBACK, rest) if "@" not in rest else None
    if not known.word(scheme):
        return MARK
    if here is None:
        return f"{scheme}://{MARK}"
    end = rest[here.end() :]
    return f"{scheme}://{here.group()}{end if not end.strip('/.,;:)') else '/' + MARK}"


def collapse(text: str) -> str:
    """Return the text with neighbouring marks as one, and without the signs between them."""
    return re.sub(r"\[removed\](?:[^\w\n|\[\]]*\[removed\])+", MARK, text)


def secrets(environment: str, known: Known) -> list[str]:
    """Return what an environment file sets, or a secret's file holds, and the passwords in it, the longest first."""
    lines = [line.strip() for line in environment.splitlines()]
    # A secret's file has nothing but the URL.
    urls = [line for line in lines if re.match(r"[A-Za-z][\w+.-]*://", line)]
    return hidden([*urls, *(line.partition("=")[2].strip().strip("'\"") for line in lines if "=" in line)], known)


def hidden(values: Iterable[str], known: Known) -> list[str]:
    """Return the forms of the values and of the passwords in them that no text may show, the longest first."""
    values = list(values)
    passwords = [found for value in values for found in re.findall(r"://[^/?#@]*?:(.*)@", value)]
    wanted = {
        form
        for value in (*values, *passwords)
        for form in (value, unquote(value))
        if len(form) >= 4 and not known.word(form) and not re.fullmatch(rf"{_LOOPBACK}|[\d.]+", form)
    }
    return sorted(wanted, key=len, reverse=True)


def without(text: str, values: Iterable[str]) -> str:
    """Return the text without any of the values, as they are or as JSON writes them."""
    for value in values:
        for form in dict.fromkeys((value, json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1])):
            text = text.replace(form, MARK)
    return text
