"""Lines and functions do not exceed their maximum lengths."""

from __future__ import annotations

import ast
from pathlib import Path

from production import ROOT

LINE, FUNCTION = 120, 53
PLACES = ("plugins", "roles", "playbooks", "files", "inventory")
KINDS = {".py", ".yml", ".sql", ".j2"}
FILES = [
    *(path for place in PLACES for path in sorted((ROOT / place).rglob("*")) if path.suffix in KINDS),
    ROOT / "migrate.yml",
    ROOT / "rollback.yml",
]


def test_no_line_is_longer_than_a_screen_is_wide() -> None:
    long = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in FILES
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if len(line) > LINE
    ]
    assert long == []


def functions(path: Path) -> list[ast.FunctionDef]:
    return [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)]


def test_no_function_is_longer_than_a_screen_is_high() -> None:
    long = [
        f"{path.relative_to(ROOT)}: {node.name}"
        for path in FILES
        if path.suffix == ".py"
        for node in functions(path)
        if (node.end_lineno or 0) - node.lineno + 1 > FUNCTION
    ]
    assert long == []


def test_there_is_something_to_measure() -> None:
    assert len(FILES) > 200
    assert sum(len(functions(path)) for path in FILES if path.suffix == ".py") > 500
