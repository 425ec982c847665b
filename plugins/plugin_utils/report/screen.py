"""Wrap and box lines for a terminal, and redraw a status line at the bottom of the terminal."""

from __future__ import annotations

import os
import re
import shutil
import sys
import textwrap
import threading
from collections.abc import Callable, Iterable
from typing import Any

# The maximum width of a report. Longer lines are hard to read, even on a wide terminal.
WIDTH = 80
INTERVAL = 0.2
# Matches the prefix by whose width continuation lines are indented: a mark or a number or, in a box, a label.
_BLANKS = re.compile(r"\s*(?:(?:OK|FAIL|NOTE|ERROR|WARNING) +|\d+\. )?")
_LABEL = re.compile(r"[\w -]{1,9}: +|\s*")


def symbols() -> dict[str, str]:
    """Return the marks and box characters: Unicode on a UTF-8 terminal, otherwise ASCII."""
    if sys.stdout.isatty() and (sys.stdout.encoding or "").lower().replace("-", "") == "utf8":
        return {
            "ok": "✓",
            "FAILED": "✗",
            "CANCELLED": "✗",
            "now": "…",
            "-": "─",
            "|": "│",
            "a": "┌",
            "b": "┐",
            "c": "└",
            "d": "┘",
        }
    return {
        "ok": " ",
        "FAILED": "!",
        "CANCELLED": "!",
        "now": "...",
        "-": "-",
        "|": "|",
        "a": "+",
        "b": "+",
        "c": "+",
        "d": "+",
    }


def publish_columns() -> None:
    """Set COLUMNS to the width of the terminal for the processes of tasks, which have no terminal."""
    if sys.stdout.isatty():
        os.environ["COLUMNS"] = str(os.get_terminal_size(sys.stdout.fileno()).columns)


def columns() -> int:
    """Return the width of the terminal, from COLUMNS or the terminal itself."""
    return shutil.get_terminal_size((WIDTH, 24)).columns


def wrapped(text: str, width: int, *, boxed: bool = False) -> list[str]:
    """Return the lines of a text. Break long lines between words, and indent the continuation lines.

    A word that is longer than a line is broken only in a box (``boxed``). Elsewhere, it stays whole and easy to copy.
    """
    lines = []
    for line in text.splitlines():
        found = (_LABEL if boxed else _BLANKS).match(line)
        label = found.group() if found else ""
        # Wrap only the rest of the line, so that a long word begins next to its label.
        first, *others = textwrap.wrap(
            line[len(label) :], max(width - len(label), 1), break_long_words=boxed, break_on_hyphens=False,
            drop_whitespace=True, replace_whitespace=False,
        ) or [""]  # fmt: skip
        lines += [(label + first).rstrip(), *(" " * len(label) + other for other in others)]
    return lines


def boxed(lines: Iterable[str], signs: dict[str, str]) -> list[str]:
    """Return the lines in a box that is as wide as the longest line, but no wider than the terminal.

    If the terminal allows it, the box is at least half of WIDTH wide.
    """
    lines = [part for line in lines for part in wrapped(line, columns() - 4, boxed=True) or [""]]
    width = max(min(WIDTH // 2, columns() - 4), *map(len, lines))
    side, rule = signs["|"], signs["-"] * (width + 2)
    return [
        f"{signs['a']}{rule}{signs['b']}",
        *(f"{side} {line.ljust(width)} {side}" for line in lines),
        f"{signs['c']}{rule}{signs['d']}",
    ]


class Foot:
    """The status line at the bottom of the terminal, drawn only if standard output is a terminal."""

    def __init__(self, text: Callable[[], str]) -> None:
        """Set ``text``, the function that returns the line's text. If it returns "", no line is drawn."""
        self._text = text
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._drawn = False
        self._thread: threading.Thread | None = None
        self.still = False

    def begin(self) -> None:
        """Start to draw the line."""
        if sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb":
            self._thread = threading.Thread(target=self._tick, daemon=True)
            self._thread.start()

    def end(self) -> None:
        """Stop drawing, and remove the line."""
        self._over.set()
        if self._thread is not None:
            self._thread.join()
        with self:
            pass

    def __enter__(self) -> None:
        """Remove the line, and do not draw it before ``__exit__``, so that the caller can print in its place."""
        self._lock.acquire()
        if self._drawn:
            self._write("\r\x1b[2K")
            self._drawn = False

    def __exit__(self, *_: Any) -> None:
        """Allow drawing again."""
        self._lock.release()

    def _tick(self) -> None:
        while not self._over.wait(INTERVAL):
            with self._lock:
                text = "" if self.still else self._text()
                if text:
                    # The cursor returns to the start of the line, so that other output overwrites it.
                    self._write(f"\x1b[2K{text[: columns() - 1]}\r")
                    self._drawn = True

    @staticmethod
    def _write(text: str) -> None:
        """Write without Python's buffer. A process forked while its lock is held would wait for that lock forever."""
        os.write(sys.stdout.fileno(), text.encode(sys.stdout.encoding or "utf-8", "replace"))
