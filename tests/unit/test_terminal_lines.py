"""Lines fit the terminal's width, and show failures completely."""

from __future__ import annotations

import io
from typing import Any, ClassVar

import pytest

from ansible_collections.aimemory.tenancy.plugins.callback import terminal
from ansible_collections.aimemory.tenancy.plugins.plugin_utils.report import screen, wrapping

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


def test_in_a_box_a_long_word_begins_beside_its_label(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    # The word fits on a line without the label, but not next to the label.
    box = screen.boxed([f"Backup:    {PATH[:30]}", "SHA-256:"], SIGNS)
    assert [line[2:-2].rstrip() for line in box[1:-1]] == [
        f"Backup:    {PATH[:25]}", f"           {PATH[25:30]}", "SHA-256:",
    ]  # fmt: skip


def test_a_heading_is_broken_between_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    callback = terminal.CallbackModule()
    lines: list[str] = []
    monkeypatch.setattr(callback._display, "display", lambda text, color=None: lines.append(text))
    callback._heading = "Make the database multi-tenant (dry run): lab17 (times in UTC)"
    callback._say("first")
    assert lines == ["\nMake the database multi-tenant (dry run): lab17 (times in\nUTC)\n", "first"]


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
        """Set the encoding, and whether the output is a terminal."""
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


@pytest.mark.parametrize("columns", [60, 80, 200])
def test_a_phase_has_its_start_and_fits_the_line(monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    callback = terminal.CallbackModule()
    lines: list[str] = []
    monkeypatch.setattr(callback._display, "display", lambda text, color=None: lines.append(text))
    callback._hosts["ai-memory-production"] = shown = terminal.Progress()
    shown.phases = [
        {"name": name, "started": f"2026-11-30T02:1{number}:04.000000"}
        for number, name in enumerate(("preflight", "backup", "rehearse"))
    ]
    for several in (False, True):
        callback._several = several
        callback._phase("ai-memory-production", 1, "ok", "2026-11-30T03:12:04.000000")
    assert [line.split()[:3] for line in lines] == [
        ["02:11:04", "2", name] for name in ("backup", "ai-memory-production")
    ]
    assert all(line.endswith(" 3660.0 s") for line in lines)
    assert max(map(len, lines)) < columns


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("OK   function tenant_of(integer) is tenant-aware: yes", ["OK   function", "     tenant_of(integer) is",
                                                                    "     tenant-aware: yes"]),
        ("12. Let sessions that set no tenant work as tenant 1", ["12. Let sessions that set", "    no tenant work as",
                                                                    "    tenant 1"]),
    ],
)  # fmt: skip
def test_a_line_goes_on_behind_its_mark(text: str, lines: list[str]) -> None:
    assert screen.wrapped(text, 28 - 2) == lines


@pytest.mark.parametrize(("columns", "width"), [("200", 78), ("80", 78), ("60", 58), ("10", 20)])
def test_text_for_80_columns_is_as_much_narrower_as_the_terminal(
    monkeypatch: pytest.MonkeyPatch, columns: str, width: int
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    lines = wrapping.wrapped("a " * 100, 78)
    assert max(map(len, lines)) == width - (width + 1) % 2


@pytest.mark.parametrize(("columns", "width"), [("200", 28), ("80", 28), ("60", 12), ("20", 8)])
def test_a_column_shrinks_to_its_longest_text(monkeypatch: pytest.MonkeyPatch, columns: str, width: int) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    assert wrapping.column(["memories", "calls"], 28, 48) == width


def test_the_recap_counts_a_cancelled_run_as_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    callback = terminal.CallbackModule()
    lines: list[str] = []
    monkeypatch.setattr(callback._display, "display", lambda text, color=None: lines.append(text))
    callback.phased = True
    for name, cancelled in (("lab15", False), ("lab17", True)):
        callback._hosts[name] = terminal.Progress()
        callback._hosts[name].cancelled = cancelled

    class Stats:
        """Ansible's counts of task results, in which a cancelled run has a failed task."""

        processed: ClassVar[dict[str, int]] = {"lab15": 1, "lab17": 1}

        def summarize(self, host: str) -> dict[str, int]:
            """Return the counts of a host."""
            return {"ok": 120, "changed": 0, "unreachable": 0, "failures": 1}

    callback.v2_playbook_on_stats(Stats())
    assert [line.split() for line in lines[1:]] == [
        ["lab15", ":", "ok=120", "changed=0", "unreachable=0", "failed=1"],
        ["lab17", ":", "ok=120", "changed=0", "cancelled=1"],
    ]
    assert max(map(len, lines)) < 60
