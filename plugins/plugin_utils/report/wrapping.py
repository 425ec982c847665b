"""Wrap text and size table columns for the width of the terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable

from . import screen


def wrapped(text: str, width: int, indent: str = "") -> list[str]:
    """Return the lines of a text, each at most ``width`` columns wide. All but the first begin with ``indent``.

    ``width`` applies to a terminal of screen.WIDTH columns. A narrower terminal shortens the lines by the difference.
    A command or a name is not split at its hyphens.
    """
    narrower = max(screen.WIDTH - screen.columns(), 0)
    return textwrap.wrap(
        text, max(width - narrower, screen.WIDTH // 4), subsequent_indent=indent, expand_tabs=False,
        replace_whitespace=False, break_on_hyphens=False,
    )  # fmt: skip


def column(texts: Iterable[str], width: int, beside: int) -> int:
    """Return the width of a table's column: ``width``, or less on a narrow terminal.

    ``beside`` is the width of the other columns. The column is always wide enough for the longest of ``texts``.
    """
    return max([min(width, screen.columns() - beside), *map(len, texts)])
