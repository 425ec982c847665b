"""The SQL and the files that the documentation recommends for later releases. The tests run them."""

from __future__ import annotations

import re
import textwrap

from server import ROOT

RELEASES, FRAMEWORKS = (ROOT / "docs" / name for name in ("releases.md", "frameworks.md"))
SQL = ("BEGIN", "CREATE", "ALTER", "GRANT", "UPDATE", "INSERT", "REASSIGN")
# The login that releases.md creates.
RELEASE = "release"


def _blocks(text: str, heading: str) -> list[str]:
    """Return the indented code blocks of a section."""
    section = text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return re.findall(r"(?:^ {4}.*\n(?:\n(?= {4}|\n))*)+", section, re.MULTILINE)


def statements(heading: str) -> str:
    """Return the SQL in a section of releases.md."""
    found = [block for block in _blocks(RELEASES.read_text(), heading) if block.strip().startswith(SQL)]
    assert found, heading
    return "\n".join(found)


def blocks(heading: str) -> list[str]:
    """Return the code blocks in a section of frameworks.md."""
    return _blocks(FRAMEWORKS.read_text(), heading)


def files(heading: str) -> dict[str, str]:
    """Return the files in a section of frameworks.md, by path. The first line of a block is its file's path."""
    found: dict[str, str] = {}
    for block in blocks(heading):
        path, _, text = textwrap.dedent(block).partition("\n")
        if title := re.fullmatch(r"# (\S+\.py)(?:, continued)?", path):
            found[title[1]] = found.get(title[1], "") + "\n\n" + text
    assert found, heading
    return {path: text.strip("\n") + "\n" for path, text in found.items()}
