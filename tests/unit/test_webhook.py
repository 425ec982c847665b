"""A webhook receives its message within a time limit, or the run shows the reason, but not the URL."""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ansible_collections.aimemory.tenancy.plugins.plugin_utils.report import result, webhook
from production import ROOT
from receiver import TOKEN, Receiver, listening

PLAY = """
- name: Tell webhooks
  hosts: localhost
  connection: local
  gather_facts: false
  tasks:
    - name: Tell each of the start
      ansible.builtin.include_role:
        name: report
        tasks_from: notify
      loop: "{{ urls }}"
      vars:
        report_webhook_url: "{{ item }}"
        report_event: start
        report_run_kind: migrate
        database_name: "a\u202eb"
        report_webhook_timeout: 4
      loop_control:
        label: a webhook
    - name: Go on
      ansible.builtin.debug:
        msg: The run goes on.
"""


def told(directory: Path, urls: list[str]) -> list[str]:
    """Notify webhooks of a run's start, and return the reasons why some were not notified."""
    (directory / "play.yml").write_text(PLAY)
    (directory / "urls.json").write_text(
        json.dumps({"urls": urls, "report_result": result.new("20261125T172240Z-localhost", None)})
    )
    environment = os.environ | {
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_ROLES_PATH": str(ROOT / "roles"),
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / "collections"), "ANSIBLE_STDOUT_CALLBACK": "default",
        "ANSIBLE_FORCE_COLOR": "false",
    }  # fmt: skip
    done = subprocess.run(
        ["ansible-playbook", "--inventory=localhost,", "play.yml", "--extra-vars=@urls.json", "-vvv"],
        cwd=directory, env=environment, capture_output=True, text=True, check=False,
        timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert "The run goes on." in done.stdout
    assert "SECRET" not in done.stdout + done.stderr
    words = " ".join(done.stdout.split())
    return re.findall(r"WARNING: The webhook was not notified of the start: (.*?)\. The run is not affected\.", words)


@contextlib.contextmanager
def dripping() -> Iterator[str]:
    """Yield the URL of a server whose response never ends. Each byte arrives within the timeout for a single read."""
    given_up = threading.Event()

    def drip(server: socket.socket) -> None:
        connection, _ = server.accept()
        with connection, contextlib.suppress(OSError):
            while not given_up.wait(0.3):
                connection.sendall(b"H")

    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=drip, args=(server,), daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/{TOKEN}"
        given_up.set()


@contextlib.contextmanager
def untrusted(directory: Path) -> Iterator[Receiver]:
    """Yield a server with an untrusted certificate."""
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost"]
    files = ["-keyout", str(directory / "key"), "-out", str(directory / "certificate")]
    subprocess.run([*make, *files], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(directory / "certificate", directory / "key")
    with listening() as receiver:
        receiver.socket = context.wrap_socket(receiver.socket, server_side=True)
        yield receiver


def test_webhooks_get_the_message_or_a_reason_is_given(tmp_path: Path) -> None:
    with (
        listening() as well, listening(302) as elsewhere, listening(404) as gone,
        listening(then=lambda _: time.sleep(20)) as silent, dripping() as drops, untrusted(tmp_path) as stranger,
    ):  # fmt: skip
        urls = [well.url, elsewhere.url, gone.url, silent.url, drops, stranger.url.replace("http:", "https:")]
        problems = told(tmp_path, urls)
        assert well.posted == [
            (f"/services/{TOKEN}", {"text": "localhost: migrate of a\\u202eb started. Run 20261125T172240Z-localhost."})
        ]
        # A redirect is not followed, because the redirected request does not contain the message.
        assert (len(elsewhere.posted), stranger.posted) == (1, [])
    assert problems == [
        "it responded with HTTP status 302", "it responded with HTTP status 404", "it did not respond in time",
        "it did not respond in time", "its certificate is not trusted on this machine",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("result", "problem"),
    [
        ({"status": 200}, ""),
        ({"status": 204}, ""),
        ({"status": 500, "msg": "of SECRET"}, "it responded with HTTP status 500"),
        ({"status": -1, "msg": "<urlopen error [Errno 111] Connection refused> SECRET"}, "Connection refused"),
        ({"status": -1, "msg": "nonnumeric port: 'SECRET'"}, "the connection failed"),
        ({}, "the connection failed"),
    ],
)
def test_the_reason_for_a_missing_message(result: dict[str, Any], problem: str) -> None:
    assert webhook.problem(result) == problem
