"""Lines for a terminal, and one at its foot that is drawn again and again."""

from __future__ import annotations

import os
import re
import shutil
import sys
import textwrap
import threading
from collections.abc import Callable, Iterable
from typing import Any

# What a report is readable at; wider terminals do not stretch it.
WIDTH = 80
INTERVAL = 0.2
# What the rest of a line stands behind: blanks, in a box also a label.
_BLANKS, _LABEL = re.compile(r"\s*"), re.compile(r"[\w -]{1,9}: +|\s*")


def symbols() -> dict[str, str]:
    """Return the marks and the box for what standard output can show."""
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


def columns() -> int:
    """Return how wide the terminal is, as COLUMNS or the terminal itself says."""
    return shutil.get_terminal_size((WIDTH, 24)).columns


def wrapped(text: str, width: int, *, boxed: bool = False) -> list[str]:
    """Return the lines of a text: those that are too long are broken between words, and go on where they began.

    A word that is longer than a line stays whole, so that it can be copied, but not if the line is to be ``boxed``.
    """
    lines = []
    for line in text.splitlines():
        found = (_LABEL if boxed else _BLANKS).match(line)
        indent = " " * (found.end() if found else 0)
        broken = textwrap.wrap(
            line, width, subsequent_indent=indent, break_long_words=boxed, break_on_hyphens=False,
            drop_whitespace=True, replace_whitespace=False,
        )  # fmt: skip
        lines += broken or [""]
    return lines


def boxed(lines: Iterable[str], signs: dict[str, str]) -> list[str]:
    """Return the lines in a box that is as wide as the longest of them, but as the terminal at most.

    It is never narrower than half of what a report is readable at.
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
    """The line at the foot of a terminal: what goes on now. Nothing is drawn where standard output is no terminal."""

    def __init__(self, text: Callable[[], str]) -> None:
        """Take what returns the line's text; an empty one draws nothing."""
        self._text = text
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._drawn = False
        self._thread: threading.Thread | None = None
        self.still = False

    def begin(self) -> None:
        """Draw from now on."""
        if sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb":
            self._thread = threading.Thread(target=self._tick, daemon=True)
            self._thread.start()

    def end(self) -> None:
        """Draw no more."""
        self._over.set()
        if self._thread is not None:
            self._thread.join()
        with self:
            pass

    def __enter__(self) -> None:
        """Take the line away, and let nobody draw until something was printed in its place."""
        self._lock.acquire()
        if self._drawn:
            self._write("\r\x1b[2K")
            self._drawn = False

    def __exit__(self, *_: Any) -> None:
        """Let the line be drawn again."""
        self._lock.release()

    def _tick(self) -> None:
        while not self._over.wait(INTERVAL):
            with self._lock:
                text = "" if self.still else self._text()
                if text:
                    # The cursor goes back, so that what others print comes over it.
                    self._write(f"\x1b[2K{text[: columns() - 1]}\r")
                    self._drawn = True

    @staticmethod
    def _write(text: str) -> None:
        """Write past Python's buffer: its lock would be held for ever in a process that is forked meanwhile."""
        os.write(sys.stdout.fileno(), text.encode(sys.stdout.encoding or "utf-8", "replace"))
