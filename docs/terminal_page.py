"""Convert the output on a terminal to an HTML page with the same colors."""

from __future__ import annotations

import html
import itertools
import re

# Ansible's colors on a terminal with a dark background, by color code.
COLORS = {
    30: "#9a9a9a", 31: "#ff7b72", 32: "#7ee787", 33: "#e3b341", 34: "#79c0ff", 35: "#d2a8ff", 36: "#76e3ea",
    37: "#e6e6e6",
}  # fmt: skip
# The maximum number of output lines on a page.
LINES = 64
CUT = "⋮"
_CONTROL = re.compile(r"\x1b\[([0-9;]*)m|(\x1b\[2K)|(\r)|([^\x1b\r])")
PAGE = """<!doctype html>
<meta charset="utf-8">
<style>
body {{ margin: 0; background: #16181d; color: #e6e6e6; }}
pre {{ margin: 0; padding: 12px 14px; width: {columns}ch; font: 13.288px/17px "DejaVu Sans Mono", monospace;
  white-space: pre-wrap; word-break: break-all; }}
</style>
<pre>{text}</pre>
"""


def lines(written: str) -> list[str]:
    """Return the lines of an output as HTML, in their final state on the terminal.

    A carriage return moves to the start of the line, so that later characters overwrite earlier ones. ``ESC [2K``
    clears the line. Any control sequence other than these and colors raises ValueError.
    """
    color, found = "", []
    for line in written.replace("\r\n", "\n").rstrip("\n").split("\n"):
        cells: list[tuple[str, str]] = []
        at = end = 0
        for part in _CONTROL.finditer(line):
            if part.start() != end:
                break
            end = part.end()
            numbers, clears, returns, character = part.groups()
            if numbers is not None:
                color = _color(numbers)
            elif clears:
                cells = []
            elif returns:
                at = 0
            else:
                cells += [(" ", "")] * (at - len(cells))
                cells[at : at + 1] = [(character, color)]
                at += 1
        if end != len(line):
            raise ValueError(f"The sequence in {line[end : end + 8]!r} is unknown.")
        found.append(_spans(cells))
    return found


def _color(numbers: str) -> str:
    """Return the color that the numbers of a sequence select, or "" for the default color."""
    selected = [int(number or 0) for number in numbers.split(";") if number not in ("0", "1", "")]
    return COLORS[selected[-1]] if selected else ""


def _spans(cells: list[tuple[str, str]]) -> str:
    """Return the characters of a line, each with its color, as HTML."""
    text = ""
    for color, group in itertools.groupby(cells, key=lambda cell: cell[1]):
        words = html.escape("".join(character for character, _ in group))
        text += f'<span style="color: {color}">{words}</span>' if color else words
    return text


def page(written: str, columns: int, head: int = 0) -> str:
    """Return the HTML page for an output whose first line is the command.

    The page is ``columns`` wide. Of a long output, it shows the first ``head`` lines and the last lines.
    """
    command, *shown = lines(written)
    if len(shown) > LINES:
        shown = [*shown[:head], CUT, *shown[head - LINES :]]
    return PAGE.format(columns=columns, text="\n".join([command, *shown]))
