"""Wrap text and size table columns for the width of the terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable

from . import screen


def wrapped(text: str, width: int, indent: str = "") -> list[str]:
    """Return the lines of a text, each of at most ``width`` columns; all but the first begin with ``indent``.

    ``width`` is for a terminal of screen.WIDTH columns. On a narrower terminal, the lines are shorter by the
    difference.
    """
    narrower = max(screen.WIDTH - screen.columns(), 0)
    return textwrap.wrap(
        text, max(width - narrower, screen.WIDTH // 4), subsequent_indent=indent, expand_tabs=False,
        replace_whitespace=False,
    )  # fmt: skip


def column(texts: Iterable[str], width: int, beside: int) -> int:
    """Return the width of a table's column: ``width``, or less if the line would be too long for the terminal.

    ``beside`` is the width of the other columns. The column is always wide enough for its longest text.
    """
    return max([min(width, screen.columns() - beside), *map(len, texts)])
