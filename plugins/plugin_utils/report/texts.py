"""Write the files of a run on this machine, without control characters that a terminal would interpret."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from ...module_utils import messages
from . import files

# Matches characters outside printable ASCII. The json module itself escapes control characters below U+0020.
_SPECIAL = re.compile(r"[^\n -~]")


def write(path: Path, text: str) -> None:
    """Write ``text`` to the file at ``path``, with hidden characters as escapes. Raises OSError."""
    files.put(path, messages.visible(text, lines=True).encode())


def write_json(path: Path, document: Any) -> None:
    """Write a document as JSON, with hidden characters in its strings as JSON escape sequences. Raises OSError."""
    text = json.dumps(document, indent=4, ensure_ascii=False) + "\n"
    files.put(path, _SPECIAL.sub(lambda found: _escaped(found[0]), text).encode())


def _escaped(character: str) -> str:
    return character if messages.visible(character) == character else json.dumps(character)[1:-1]
