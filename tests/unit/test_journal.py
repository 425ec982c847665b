"""What the service's journal since the start is taken for, as Ansible templates it: lines, and no caller's rows."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from production import ROOT

AT = "2026-11-28T07:43:11+00:00 lab17"
STOPPED = [f"{AT} gunicorn[1]: ERROR of before", f"{AT} systemd[1]: Stopped ai-memory.service."]
STARTED = f"{AT} systemd[1]: Started ai-memory.service."
ROW = f"{AT} gunicorn[2]: psycopg2 DETAIL:  Failing row contains (4711, she said (this))."
NAMES = ("since", "own", "failures", "errors", "last")


def templated(tmp_path: Path, *lines: str) -> dict[str, Any]:
    """Return the role's variables for a journal of these lines; nothing is connected to."""
    given = {
        "service_name": "ai-memory", "service_journal_failure_patterns": ["psycopg2"],
        "service_journal_error_pattern": "ERROR", "service_journal_lines": 2,
        "__service_journal": {"stdout": "\n".join(lines) + "\n"},
    }  # fmt: skip
    shown = {name: "{{ __service_" + name + " }}" for name in NAMES}
    play = {
        "hosts": "localhost", "gather_facts": False, "vars": given,
        "vars_files": [str(ROOT / "roles/service/vars/main.yml")],
        "tasks": [{"ansible.builtin.copy": {"content": shown, "dest": str(tmp_path / "shown.json"), "mode": "0600"}}],
    }  # fmt: skip
    playbook = tmp_path / "play.json"
    playbook.write_text(json.dumps([play]))
    environment = os.environ | {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}
    command = ["ansible-playbook", "--inventory", "localhost,", "--connection", "local", str(playbook)]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, Any] = json.loads((tmp_path / "shown.json").read_text())
    return found


def test_it_is_read_line_by_line_and_quotes_no_row(tmp_path: Path) -> None:
    said = [f"{AT} gunicorn[2]: ERROR app", f"{AT} gunicorn[2]: ready"]
    found = templated(tmp_path, *STOPPED, STARTED, ROW, *said)
    harmless = f"{AT} gunicorn[2]: psycopg2 DETAIL:  Failing row contains [left out; PostgreSQL's log has it]."
    assert found == {
        "since": [STARTED, ROW, *said], "own": [ROW, *said], "failures": [harmless], "errors": said[:1], "last": said,
    }  # fmt: skip
    assert templated(tmp_path, STARTED, ROW)["last"] == [STARTED, harmless]


@pytest.mark.parametrize("lines", [(), (STARTED,)])
def test_systemd_alone_is_not_the_service(tmp_path: Path, lines: tuple[str, ...]) -> None:
    assert templated(tmp_path, *STOPPED, *lines)["own"] == []
