"""The output that the operator sees, on an 80-column terminal and elsewhere."""

from __future__ import annotations

import re

import pytest

from lab import INVENTORIES, MIGRATE, STRATEGY, Host, Run
from screen import COLUMNS, Screen, on_a_terminal

pytestmark = pytest.mark.one_host

PHASE = re.compile(
    r"^(?P<mark>.) [\d:]{8} +(?P<number>\d+) (?P<name>\w+) +(?P<state>ok|FAILED) +(?P<seconds>[\d.]+) s$"
)


def migration(machine: Host, **variables: str) -> Screen:
    """Run a quick migration on a terminal, with the log in the usual directory, so that the path has the usual
    length."""
    return on_a_terminal("ansible-playbook", *MIGRATE, STRATEGY, "--limit", machine.name, **variables)


def phases(screen: Screen) -> list[tuple[str, str, str]]:
    """Return the mark, name and state of each displayed phase."""
    found = [PHASE.match(line) for line in screen.lines]
    return [(match["mark"], match["name"], match["state"]) for match in found if match]


def assert_readable(screen: Screen) -> None:
    """Check that no line is wider than the terminal, and that no task is shown."""
    assert [line for line in screen.lines if len(line) > COLUMNS] == []
    assert [foot for foot in screen.feet if len(foot) >= COLUMNS] == []
    assert not any("TASK [" in line or "ok: [" in line for line in screen.lines)


def test_a_migration_shows_its_phases_and_ends_in_a_box(machine: Host) -> None:
    machine.reset()
    screen = migration(machine)
    assert screen.returncode == 0, screen.written
    assert_readable(screen)
    assert phases(screen) == [
        ("✓", name, "ok")
        for name in (
            "preflight", "lock", "plan", "confirm", "backup", "try", "snapshot", "cutover", "stop",
            "apply", "start", "written", "verify", "journal",
        )
    ]  # fmt: skip
    text = "\n".join(screen.lines)
    for words in ("CURRENT STATE:", "MIGRATION WILL:", "VERIFICATION:", "OK   RLS policies created: 5/5"):
        assert words in text
    # The tables are aligned.
    assert "memories                            5,755 rows  X  Missing customer_id" in screen.lines
    assert "OK   personality_metrics      customer_id: yes  NULLs: 0  RLS: on" in screen.lines
    box = text[text.index("┌") : text.index("┘")].splitlines()
    assert {len(line) for line in box[1:-1]} == {len(box[0])}
    assert "│ Outcome:   SUCCESS " in text
    # Without the inventory and the host, the command would use production. A line that is too long for the box is
    # wrapped.
    said = " ".join(text.replace("│", " ").split())
    inventories = " ".join(f"-i {inventory}" for inventory in INVENTORIES)
    assert f"Verify: ansible-playbook {inventories} -l {machine.name} playbooks/verify.yml Roll back:" in said
    assert re.search(r"Log: logs/\S+/execution-log.md Report: logs/\S+/report.html ", said)
    assert "\x1b[0;32m" in screen.written
    # The status line shows the current step, and how long callers have waited.
    backup = r"… [\d:]{8} backup \d+( of about \d+)? s: Dump the database, restore the du.*"
    assert any(re.fullmatch(backup, foot) for foot in screen.feet)
    waited = [float(found) for foot in screen.feet for found in re.findall(r"callers wait ([\d.]+) s", foot)]
    assert waited
    assert waited == sorted(waited)
    # At the end, the status line is removed.
    assert not any(line.startswith("…") for line in screen.lines)


@pytest.mark.wide
@pytest.mark.parametrize(
    ("command", "words"),
    [
        (("migrate.yml", "--check"), "MIGRATION WILL:"),
        (("playbooks/verify.yml",), "findings hold."),
        (("playbooks/enforce.yml", "--check"), "1 preflight"),
        (("playbooks/backup.yml", "-ebackup_copy_max_bytes=0"), "Backup:    "),
        (("rollback.yml", "-erollback_mode=schema", "-erollback_confirm=YES"), "Outcome:   SUCCESS"),
    ],
    ids=lambda value: value[0],
)
def test_other_runs_fit_the_terminal_as_well(machine: Host, command: tuple[str, ...], words: str) -> None:
    machine.reset()
    if command[0] != "migrate.yml":
        machine.playbook(*MIGRATE)
    screen = on_a_terminal("ansible-playbook", *command, "--limit", machine.name)
    assert_readable(screen)
    assert any(words in line for line in screen.lines)


@pytest.mark.wide
@pytest.mark.usefixtures("fresh", "one_row_refuses")
def test_a_failure_is_shown_in_full_and_once(machine: Host) -> None:
    screen = migration(machine, NO_COLOR="1")
    assert screen.returncode != 0
    assert_readable(screen)
    assert "\x1b[0;" not in screen.written
    assert phases(screen)[-1] == ("✗", "apply", "FAILED")
    text = " ".join(" ".join(screen.lines).replace("│", " ").split())
    assert "FAILED: Stop the service, change the database, start the service" in text
    # The constraint appears once with the failure, and once in the box.
    assert text.count("one_row") == 2
    assert text.count("error 23514") == 2
    assert "Failing row" not in text
    assert "+1555" not in screen.written
    assert "Database: unchanged, nothing was committed." in text
    assert "Service: ai-memory responds again." in text


@pytest.mark.wide
def test_without_a_terminal_it_is_plain(machine: Host) -> None:
    machine.reset()
    run = machine.playbook("migrate.yml", "--check")
    assert "\x1b" not in run.output
    assert run.output.isascii()
    assert re.search(r"^  [\d:]{8}  [23] plan", run.output, re.MULTILINE)
    assert "| Outcome:   SUCCESS (check mode: nothing was touched) |" in run.output


@pytest.mark.wide
def test_on_request_every_task_shows(machine: Host) -> None:
    run = machine.playbook("migrate.yml", "--check", "-v")
    assert "TASK [plan : Show the plan]" in run.output
    assert "PLAY RECAP" in run.output


def test_a_host_out_of_reach_is_named(machine: Host) -> None:
    run = Run(machine.name, *MIGRATE, "-eansible_port=1")
    run.wait()
    assert run.returncode != 0
    assert "UNREACHABLE: Run one command in the login's shell" in run.output
    assert "Connection refused" in run.output
    assert re.search(r"^! [\d:]{8}  1 preflight +FAILED", run.output, re.MULTILINE)
