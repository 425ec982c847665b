"""No value of the service's settings is shown of its journal; where they cannot be read, nothing is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from lab import Host

pytestmark = pytest.mark.one_host

# Of words that a program may say: alone they would be shown.
SECRET = "error server database"
SAID = f"ERROR: {SECRET} is lost"
FILE = "/run/service-journal-test"
PATTERNS = {
    "failure_patterns": ["lost"], "request_pattern": "HTTP", "refused_pattern": "404",
}  # fmt: skip


@pytest.fixture(autouse=True)
def _file(machine: Host) -> Iterator[None]:
    yield
    machine.run(f"sudo rm -f {FILE}; sudo systemctl restart ai-memory")
    machine.wait_until_healthy()


def journal(machine: Host, settings: str, files: list[str]) -> dict[str, Any]:
    """Return what is shown of the journal of a service that says the secret as it starts."""
    with machine.drop_in(f'ExecStartPre=/bin/echo "{SAID}"\n{settings}'):
        machine.run("sudo systemctl restart ai-memory")
        return machine.module(
            "service_journal", unit="ai-memory.service", since="-1h", last=50, files=files, **PATTERNS
        )


@pytest.mark.parametrize(
    ("settings", "content", "files"),
    [
        ("", f"KEY='{SECRET}'", [FILE, ""]),
        ("", f"postgresql://alice:{SECRET}@localhost/ai_memory", ["", FILE]),
        (f'Environment="KEY={SECRET}"', "", ["", ""]),
        (f'Environment="DATABASE_URL=postgresql://alice:{SECRET}@localhost/ai_memory"', "", []),
        (f"EnvironmentFile={FILE}", f'KEY="{SECRET}"', ["", ""]),
    ],
    ids=("file", "url's file", "unit", "password in the unit", "file of the unit"),
)
def test_no_setting_is_shown(machine: Host, settings: str, content: str, files: list[str]) -> None:
    machine.run(f"sudo tee {FILE}", given=f"{content}\n")
    told = journal(machine, settings, files)
    assert any("ERROR: [removed] is lost" in line for line in told["lines"])
    assert any("ERROR: [removed] is lost" in line for line in told["failures"])
    assert SECRET not in str(told)


def test_what_is_no_setting_is_shown(machine: Host) -> None:
    """The tests above are not green because the line is never shown."""
    told = journal(machine, "", ["", ""])
    assert any(line.endswith(SAID) for line in told["failures"])
    assert told["errors"] >= 1


def test_settings_that_cannot_be_read_hide_everything(machine: Host) -> None:
    told = journal(machine, "", ["/nowhere"])
    assert told["msg"] == "/nowhere cannot be read: No such file or directory."
    assert "lines" not in told
