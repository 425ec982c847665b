"""If environment variables enable ARA, its database contains each run, but no secret."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

import documents
from lab import ROOT, Host, Run

pytestmark = pytest.mark.one_host

PASSWORD = yaml.safe_load((ROOT / "inventory/group_vars/lab.yml").read_text())["lab_password"]
WEBHOOK = "https://127.0.0.1:1/services/verysecrettoken"


def spellings(secret: str) -> Iterator[bytes]:
    """Yield the forms in which the secret could occur in a result: plain, in JSON, in a URL, and inside Base64 text."""
    for text in (secret, json.dumps(secret)[1:-1], urllib.parse.quote(secret, safe="")):
        yield text.encode()
        for shift in range(3):
            # The first and the last Base64 characters also depend on the adjacent text.
            yield base64.b64encode(b"x" * shift + text.encode() + b"xx")[4:-4]


def everything(database: Path) -> tuple[str, bytes]:
    """Return the state and the path of the only recorded playbook, and the database's uncompressed contents."""
    parts = []
    with contextlib.closing(sqlite3.connect(database)) as connection:
        ((status, path),) = connection.execute("SELECT status, path FROM playbooks").fetchall()
        (results,) = connection.execute("SELECT count(*) FROM results WHERE status = 'ok'").fetchone()
        assert results > 20
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        for (table,) in tables:
            for row in connection.execute(f'SELECT * FROM "{table}"'):
                for value in row:
                    packed = isinstance(value, bytes) and value.startswith(b"x\x9c")
                    parts.append(zlib.decompress(value) if packed else str(value).encode())
    return f"{status} {path}", b"\n".join(parts)


@pytest.mark.wide
def test_a_dry_run_is_recorded_without_a_secret(machine: Host, tmp_path: Path) -> None:
    (tmp_path / "webhook.json").write_text(json.dumps({"report_webhook_url": WEBHOOK}))
    plugins = subprocess.run(
        [sys.executable, "-m", "ara.setup.callback_plugins"], check=True, capture_output=True, text=True
    )
    run = Run(
        machine.name, "migrate.yml", "--check", f"-e@{tmp_path / 'webhook.json'}",
        variables={"ANSIBLE_CALLBACK_PLUGINS": plugins.stdout.strip(), "ARA_BASE_DIR": str(tmp_path / "ara")},
    )  # fmt: skip
    run.wait()
    assert run.returncode == 0, run.output
    # The terminal looks the same as without ARA.
    assert "Outcome: SUCCESS (check mode: nothing was touched)" in run.words
    assert (tmp_path / "ara").stat().st_mode & 0o077 == 0
    recorded, held = everything(tmp_path / "ara/ansible.sqlite")
    assert recorded == f"completed {ROOT / 'migrate.yml'}"
    assert b"Show the plan" in held
    assert (ROOT / "roles/plan/tasks/main.yml").read_bytes() in held
    for secret in (PASSWORD, WEBHOOK, "verysecrettoken"):
        assert [spelling for spelling in spellings(secret) if spelling in held] == []
    shown(tmp_path / "ara")


def shown(directory: Path) -> None:
    """Serve the recorded runs with the documented command."""
    environment = os.environ | {"ARA_BASE_DIR": str(directory)}
    (listing,) = documents.commands("ara")
    listed = subprocess.run(listing.split(), env=environment, check=True, capture_output=True, text=True, timeout=60)
    assert "completed" in listed.stdout
    (serving,) = documents.commands("ara-manage")
    server = subprocess.Popen(serving.split(), env=environment, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        assert "migrate.yml" in page("http://127.0.0.1:8000")
    finally:
        # The server starts and supervises a second process.
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def page(url: str) -> str:
    """Return a page as soon as the server responds."""
    for _ in range(100):
        with contextlib.suppress(urllib.error.URLError), urllib.request.urlopen(url, timeout=30) as answer:
            text: str = answer.read().decode()
            return text
        time.sleep(0.2)
    raise TimeoutError(url)
