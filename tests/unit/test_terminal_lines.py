"""Lines for a terminal are no longer than it is."""

from __future__ import annotations

import pytest

from ansible_collections.aimemory.tenancy.plugins.plugin_utils import screen

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


def test_elsewhere_a_word_stays_whole() -> None:
    assert screen.wrapped(f"    copied to {PATH} now", 40) == ["    copied to", f"    {PATH}", "    now"]
