"""The commands in the documentation, for the tests that run them unchanged."""

from __future__ import annotations

import re

from production import ROOT

DOCUMENTS = [path for pattern in ("*.md", "docs/*.md", "examples/*/*.md") for path in sorted(ROOT.glob(pattern))]
# A line in an indented block, without its comment.
LINE = re.compile(r"^    (\S.*?)(?:\s+#.*)?$", re.MULTILINE)


def found(pattern: re.Pattern[str]) -> list[str]:
    """Return the unique matches of a pattern in the documentation."""
    return list(dict.fromkeys(text for document in DOCUMENTS for text in pattern.findall(document.read_text())))


def commands(program: str) -> list[str]:
    """Return the lines in the documentation's code blocks that run ``program``."""
    return [line for line in found(LINE) if line.split()[0] == program]
