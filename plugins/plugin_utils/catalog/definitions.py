"""Definitions of a snapshot: what of them would run with the rights of whoever writes them down again.

A definition is text by then, and its names mean what bears them now. Whoever writes it down computes its literals,
which calls the CHECK of a domain; whoever plans a query of a table computes what is constant in the expressions of its
indexes. Where that is an ordinary role's, it is refused; what is there again by its owner's hand is not brought back.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from ..changes.statement import State
from . import state as catalog

Named = Mapping[str, Any]
_SIGNS = r"+*/<>=~!@#%^&|`?-"


def literals(state: State, what: str, texts: Iterable[str | None], path: str | None) -> list[str]:
    """Return one obstacle for each type in ``texts`` whose literals call an ordinary role's code.

    The names in them have their schema, but for those of the schema ``path``, where there is one.
    """
    return [
        f"{what}, which is to be brought back, holds a value of {title}, a domain of an ordinary role or made of one: "
        "its CHECK would run with the rights of a superuser. Look at it and give the domain to a superuser, or use "
        "rollback_mode=policies."
        for title in domains(state, texts, path)
    ]


def domains(state: State, texts: Iterable[str | None], path: str | None) -> list[str]:
    """Return the types whose literals in ``texts`` call an ordinary role's code, as ``literals`` says of them."""
    return [*_found(state["code"]["types"], texts, path, r'::{}(?![\w$"])', catalog.printed)]


def expressions(state: State, what: str, texts: Iterable[str | None], path: str | None) -> list[str]:
    """Return what keeps an index with an expression or a predicate from being brought back."""
    texts, code = list(texts), state["code"]
    functions = [
        *_found(code["functions"], texts, path, r'(?<![\w$".]){}\(', catalog.printed),
        *_found(code["operators"], texts, path, rf"(?<![{_SIGNS}]){{}}(?![{_SIGNS}])", lambda name: (name,)),
        # A cast need not be named where it is called.
        *code["casts"],
    ]
    return literals(state, what, texts, path) + [
        f"{what}, which is to be brought back, may call {title} of an ordinary role: whoever plans a query of the "
        "table could run it, the superuser as well. Let the owner of the table make the index as it was first, or give "
        "what it calls to a superuser."
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
