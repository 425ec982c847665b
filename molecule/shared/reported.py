"""Two migrations, which all tests share unless they need another run. The first one fails in its transaction."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

from lab import MIGRATE, Host, Run
from receiver import listening
from rows import NO_ROW_OF_THE_PROOF


class Runs(NamedTuple):
    """The two runs, with their webhook messages.

    ``before`` is the host's state before the second run. ``states`` contains the host's state at each of that run's
    messages, and ``listed`` the command lines of all processes at that time.
    """

    failed: Run
    told_of_failure: list[str]
    done: Run
    told: list[str]
    before: tuple[Any, ...]
    states: list[tuple[Any, ...]]
    listed: list[str]


def told(tmp_path: Path, url: str, **variables: Any) -> str:
    """Return the argument that sets the webhook from a file, because a direct argument would show the URL."""
    path = tmp_path / "webhook.json"
    path.write_text(json.dumps({"report_webhook_url": url} | variables))
    return f"-e@{path}"


def command_lines() -> str:
    """Return the command line of every process on this machine."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(path.read_text(errors="replace"))
        except OSError:
            continue
    return "\n".join(found)


def state(machine: Host) -> tuple[Any, ...]:
    """Return the state that a migration changes."""
    return machine.catalogs(), machine.service_pid(), machine.backups()


def make(machine: Host, directory: Path) -> Runs:
    """Run a migration that fails, and then one that succeeds."""
    machine.reset()
    machine.sql(f'ALTER TABLE personality_metrics ADD CONSTRAINT "<b>one</b>" {NO_ROW_OF_THE_PROOF}')
    with listening() as receiver:
        failed = machine.playbook(
            *MIGRATE, told(directory, receiver.url, report_webhook_events=["failure"]), check=False
        )
        told_of_failure = receiver.texts
    machine.sql('ALTER TABLE personality_metrics DROP CONSTRAINT "<b>one</b>"')
    before, states, listed = state(machine), [], []

    def look(text: str) -> None:
        states.append(state(machine))
        listed.append(command_lines() + machine.run("ps -eo args"))

    with listening(then=look) as receiver:
        webhook = told(directory, receiver.url, report_webhook_timeout=30)
        done = machine.playbook("migrate.yml", "-emigrate_confirm=YES", "-emigrate_rehearse=none", webhook, "-vvv")
        return Runs(failed, told_of_failure, done, receiver.texts, before, states, listed)
