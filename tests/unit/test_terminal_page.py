"""A screenshot of a terminal shows the final contents of the screen, in the terminal's colors."""

from __future__ import annotations

import pytest

import terminal_page

GREEN = terminal_page.COLORS[32]


def test_a_status_line_is_overwritten_and_its_rest_is_cleared() -> None:
    written = (
        "\x1b[2K… backup 12 s\r\x1b[2K… backup 13 s\r\r\x1b[2K\x1b[0;32m✓ backup <ok>\x1b[0m\r\nlong line\rLONG\r\n"
    )
    assert terminal_page.lines(written) == [
        f'<span style="color: {GREEN}">✓ backup &lt;ok&gt;</span>', "LONG line",
    ]  # fmt: skip


def test_a_colour_lasts_until_it_is_reset() -> None:
    assert terminal_page.lines("\x1b[1;32ma\r\nb\x1b[0mc") == [
        f'<span style="color: {GREEN}">a</span>', f'<span style="color: {GREEN}">b</span>c',
    ]  # fmt: skip


@pytest.mark.parametrize("sequence", ["\x1b[3A", "\x1b]0;title\x07"])
def test_an_unknown_sequence_is_not_shown_as_text(sequence: str) -> None:
    with pytest.raises(ValueError, match="is unknown"):
        terminal_page.lines(f"before{sequence}after")


@pytest.mark.parametrize("head", [0, 20])
def test_a_long_output_keeps_its_command_and_its_end(head: int) -> None:
    numbers = range(terminal_page.LINES + 5)
    written = "\r\n".join(["$ command", *(f"line {number}." for number in numbers)])
    shown = terminal_page.page(written, 60, head)
    kept = [*(f"line {number}." for number in numbers[:head]), terminal_page.CUT,
            *(f"line {number}." for number in numbers[head + 5 :])]  # fmt: skip
    assert "\n".join(["<pre>$ command", *kept]) + "</pre>" in shown
    assert "width: 60ch" in shown


def test_a_short_output_is_complete() -> None:
    assert "<pre>$ command\nline</pre>" in terminal_page.page("$ command\r\nline\r\n", 80)
