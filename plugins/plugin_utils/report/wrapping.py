"""Lines of at most so many columns."""

from __future__ import annotations

import textwrap


def wrapped(text: str, width: int, indent: str = "") -> list[str]:
    """Return the lines of a text, each of at most ``width`` columns before ``indent``, which all but the first get."""
    lines = textwrap.wrap(text, width, expand_tabs=False, replace_whitespace=False)
    return [line if number == 0 else f"{indent}{line}" for number, line in enumerate(lines)]
