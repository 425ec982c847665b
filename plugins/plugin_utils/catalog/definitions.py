"""Detection of code in a snapshot's definitions that would run with the privileges of the role that restores them.

A snapshot stores a definition as text, so its names resolve to the objects that exist at the time of the rollback. The
role that restores the definition evaluates its literals, and a literal of a domain calls the domain's CHECK. Every role
that plans a query on a table evaluates the constants in the expressions of the table's indexes. If this code belongs
to an ordinary role, which is any role except a superuser, the rollback is refused. An object that its owner has already
restored is not restored again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from ..changes.statement import State
from . import state as catalog

Named = Mapping[str, Any]
# The part of a routine's definition before an SQL-standard body. No name or default can contain the start of such a
# body.
_BEFORE_BODY = re.compile(r"""(?:[^'"]|'[^']*'|"[^"]*")*?\n(?=BEGIN ATOMIC\n|RETURN )""")
_SIGNS = r"+*/<>=~!@#%^&|`?-"


def without_body(definition: str) -> tuple[str, str]:
    """Split the definition of a routine into the part before its SQL-standard body, and that body.

    Raises ValueError if the routine has no such body.
    """
    found = _BEFORE_BODY.match(definition)
    if found is None:
        raise ValueError(definition)
    return found[0].rstrip("\n"), definition[found.end() :].rstrip("\n")


def literals(state: State, what: str, texts: Iterable[str | None], path: str | None) -> list[str]:
    """Return one obstacle for each type in ``texts`` whose literals call code owned by an ordinary role.

    ``what`` describes the restored object. The names in ``texts`` are qualified, except names in the schema ``path``
    if ``path`` is not None.
    """
    return [
        f"{what}, which the rollback restores, contains a value of {title}. This type is a domain that an ordinary "
        "role owns, or is based on such a domain, whose CHECK would run with the privileges of a superuser. Inspect "
        "the CHECK and make a superuser the owner of the domain, or use rollback_mode=policies."
        for title in domains(state, texts, path)
    ]


def domains(state: State, texts: Iterable[str | None], path: str | None) -> list[str]:
    """Return the qualified names of the types whose literals in ``texts`` call code owned by an ordinary role."""
    return [*_found(state["code"]["types"], texts, path, r'::{}(?![\w$"])', catalog.printed)]


def expressions(state: State, what: str, texts: Iterable[str | None], path: str | None) -> list[str]:
    """Return one obstacle for each object that an ordinary role owns and that a restored index may call.

    The arguments are the same as those of ``literals``.
    """
    texts, code = list(texts), state["code"]
    functions = [
        *_found(code["functions"], texts, path, r'(?<![\w$".]){}\(', catalog.printed),
        *_found(code["operators"], texts, path, rf"(?<![{_SIGNS}]){{}}(?![{_SIGNS}])", lambda name: (name,)),
        # The text may not show a cast, so every cast with a function of an ordinary role counts.
        *code["casts"],
    ]
    return literals(state, what, texts, path) + [
        f"{what}, which the rollback restores, may call {title}, which an ordinary role owns: any role that plans a "
        "query on the table, even a superuser, could run this code. Let the owner of the table create the original "
        "index first, or make a superuser the owner of the called code."
        for title in functions
    ]


def _found(
    named: Iterable[Named],
    texts: Iterable[str | None],
    path: str | None,
    pattern: str,
    printed: Callable[[str], tuple[str, ...]],
) -> Iterator[str]:
    given = [text for text in texts if text is not None]
    for item in named:
        names = printed(item["name"])
        titles = [f"{schema}.{name}" for schema in catalog.printed(item["schema"]) for name in names]
        wanted = "|".join(map(re.escape, [*titles, *(names if item["schema"] == path else ())]))
        if any(re.search(pattern.format(f"(?:{wanted})"), text) for text in given):
            yield titles[0]
