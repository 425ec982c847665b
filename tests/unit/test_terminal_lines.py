"""Lines fit the width of the terminal, and show failures completely."""

from __future__ import annotations

import io
from typing import Any

import pytest

from ansible_collections.aimemory.tenancy.plugins.callback import terminal
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.report import screen

PATH = "/var/backups/" + "ai-memory-" * 9 + "20261126T034259Z"
SIGNS = {"-": "-", "|": "|", "a": "+", "b": "+", "c": "+", "d": "+"}


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_a_box_is_as_wide_as_the_terminal_at_most_and_loses_nothing(
    monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    box = screen.boxed(["Outcome:   SUCCESS", f"Backup:    {PATH}"], SIGNS)
    assert {len(line) for line in box} == {min(columns, 4 + len(f"Backup:    {PATH}"))}
    assert PATH in "".join(line[2:-2].strip() for line in box)


def test_in_a_box_a_line_goes_on_behind_its_label(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    box = screen.boxed(["Roll back: ansible-playbook -i inventory/lab.yml rollback.yml -e a=b"], SIGNS)
    assert box[1:-1] == [
        "| Roll back: ansible-playbook -i inventory/lab.yml |",
        "|            rollback.yml -e a=b                   |",
    ]


def test_elsewhere_a_word_stays_whole() -> None:
    assert screen.wrapped(f"    copied to {PATH} now", 40) == ["    copied to", f"    {PATH}", "    now"]


@pytest.mark.parametrize(
    ("result", "shown"),
    [
        ({"msg": "non-zero return code", "stdout": "no space left"}, ["non-zero return code", "no space left"]),
        ({"msg": "non-zero return code", "stdout": "done", "stderr": "no space left"},
         ["non-zero return code", "no space left"]),
        ({"msg": "MODULE FAILURE", "module_stdout": "Traceback"}, ["MODULE FAILURE", "Traceback"]),
        ({"censored": "the output has been hidden"}, ["the output has been hidden"]),
    ],
)  # fmt: skip
def test_a_failure_is_shown_with_what_the_program_said(
    monkeypatch: pytest.MonkeyPatch, result: dict[str, Any], shown: list[str]
) -> None:
    callback = terminal.CallbackModule()
    lines: list[str] = []
    monkeypatch.setattr(callback._display, "display", lambda text, color=None: lines.append(text))
    callback._hosts["lab17"] = terminal.Progress()
    callback._failed("lab17", "Restore the dump", result)
    assert lines == ["FAILED: Restore the dump", *(f"    {line}" for line in shown)]


class Output(io.StringIO):
    """Standard output with a given encoding, optionally a terminal."""

    def __init__(self, encoding: str, *, is_terminal: bool) -> None:
        """Set its encoding."""
        super().__init__()
        self._encoding, self._is_terminal = encoding, is_terminal

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._encoding

    def isatty(self) -> bool:
        return self._is_terminal


@pytest.mark.parametrize(
    ("encoding", "is_terminal", "is_plain"),
    [
        ("utf-8", True, False),
        ("UTF8", True, False),
        ("ascii", True, True),
        ("latin-1", True, True),
        ("utf-8", False, True),
    ],
)
def test_signs_are_plain_where_others_cannot_be_shown(
    monkeypatch: pytest.MonkeyPatch, encoding: str, is_terminal: bool, is_plain: bool
) -> None:
    monkeypatch.setattr("sys.stdout", Output(encoding, is_terminal=is_terminal))
    assert "".join(screen.symbols().values()).isascii() is is_plain
