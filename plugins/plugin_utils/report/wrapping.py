"""Lines with a limited number of columns."""

from __future__ import annotations

import textwrap


def wrapped(text: str, width: int, indent: str = "") -> list[str]:
    """Return the lines of a text, each of at most ``width`` columns; all but the first begin with ``indent``."""
    return textwrap.wrap(text, width, subsequent_indent=indent, expand_tabs=False, replace_whitespace=False)
