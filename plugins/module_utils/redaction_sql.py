"""SQL without its literals: statements that somebody sent, and definitions that the catalogs hold."""

from __future__ import annotations

import re

from .redaction import MARK, Known, collapse
from .vocabulary import KEYWORDS

# Sorts of SQL's tokens; what is not closed goes to the end.
_TOKEN = re.compile(
    r"""
    (?P<escaped>\b[eE]'(?:[^'\\]|\\.|'')*(?:'|\Z))
    |(?P<literal>'(?:[^']|'')*(?:'|\Z))
    |(?P<body>\$(?P<tag>[^\W\d]\w*|)\$.*?(?:\$(?P=tag)\$|\Z))
    |(?P<name>"(?:[^"]|"")*(?:"|\Z))
    |(?P<line>--[^\n]*)
    |(?P<block>/\*.*?(?:\*/|\Z))
    |(?P<parameter>\$\d{1,3}(?!\w)|%s)
    |(?P<number>(?<!\w)\d+(?:\.\d+)?(?!\w))
    |(?P<word>\w+)
    |(?P<space>\s+)
    |(?P<sign>[!-~])
    |(?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)
# What pg_dump itself writes between the definitions.
_DUMPED = re.compile(r"--( (Name|PostgreSQL database dump|Dumped (from|by)|Dependencies|TOC entry)\b.*)?")
_SECRET = re.compile(r"(?i)(passw\w*|secret|token|\w*key|credential\w*|connection)\W*\Z")


def statement(text: str, known: Known) -> str:
    """Return a statement as somebody sent it with key words and known names only.

    It may be broken, with quotes that are not closed: what stands outside of literals is not trusted either.
    """
    kept = []
    for found in _TOKEN.finditer(text):
        kind, token = found.lastgroup, found.group()
        if kind in ("literal", "escaped", "body"):
            kept.append("'?'")
        elif kind == "number":
            kept.append("?")
        elif kind in ("space", "sign", "parameter"):
            kept.append(token)
        elif kind == "name":
            kept.append(token if token[1:-1] in known.names else f'"{MARK}"')
        elif kind == "word" and (token.lower() in KEYWORDS or token in known.names or _system(token)):
            kept.append(token)
        else:
            kept.append(MARK)
    return collapse("".join(kept))


def definition(text: str, known: Known, *, trusted: bool = True) -> str:
    """Return a definition as PostgreSQL or its author wrote it, which is sound SQL, without data.

    Kept are all names (quoted ones in bodies of functions where they are known), short numbers, and literals that hold
    nothing but known words; removed are comments, and bodies in languages that are not SQL's. ``trusted`` says that
    PostgreSQL wrote the quoted names.
    """
    kept: list[str] = []
    for found in _TOKEN.finditer(text):
        kind, token = found.lastgroup, found.group()
        if kind in ("literal", "escaped"):
            secret = _SECRET.search(text[max(found.start() - 40, 0) : found.start()])
            content = token[token.index("'") + 1 : -1]
            kept.append(token if not secret and _harmless(content, known) else f"'{MARK}'")
        elif kind == "body":
            tag = f"${found['tag']}$"
            kept.append(f"{tag}{_body(token, tag, text[: found.start()], known)}{tag}")
        elif kind == "name":
            kept.append(token if (trusted and not _number(token)) or token[1:-1] in known.names else f'"{MARK}"')
        elif kind == "line":
            kept.append(token if trusted and _DUMPED.fullmatch(token) and not _number(token) else f"-- {MARK}")
        elif kind == "block":
            kept.append(f"/* {MARK} */")
        elif kind in ("number", "word", "other") and (_number(token) or kind == "other"):
            kept.append(MARK)
        else:
            kept.append(token)
    return "".join(kept)


def _body(token: str, tag: str, before: str, known: Known) -> str:
    language = re.findall(r"(?i)\bLANGUAGE\s+\"?(\w+)", before[-2000:])
    if language and language[-1].lower() not in ("sql", "plpgsql"):
        return MARK
    return definition(token.removeprefix(tag).removesuffix(tag), known, trusted=False)


def _number(token: str) -> bool:
    """Say whether a token holds a number as long as a caller's."""
    return re.search(r"\d{6,}", token) is not None


def _harmless(content: str, known: Known) -> bool:
    """Say whether a literal holds only known words, signs and numbers of two digits."""
    if len(content) > 200 or not content.isascii():
        return False
    return all(known.word(word) or re.fullmatch(r"\d{1,2}", word) for word in re.findall(r"\w+", content)) and (
        len(content) < 5 or re.search(r"\w", content) is not None
    )


def _system(word: str) -> bool:
    """Say whether a word is the name of something that every PostgreSQL has."""
    return re.fullmatch(r"pg_[a-z_]+", word) is not None
