"""The service with any number of workers, code that runs while a worker boots, and callers that count failures."""

from __future__ import annotations

import contextlib
import json
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from lab import Host

CODE = "/run/renewed-code"
DIRECTORY = "/run/ai-memory-renewal"
GUNICORN = "/usr/bin/gunicorn --worker-class uvicorn.workers.UvicornWorker --bind 127.0.0.1:8100 --graceful-timeout 10"
# Each worker runs the file before.py, which a test may replace, before it loads the service's own code.
BOOT = f"exec(open('{CODE}/before.py').read())\nfrom app import app\n"
IN_SERVICE = "import os, time\nin_service = 'ai-memory.service' in open('/proc/self/cgroup').read()\n"
CALLERS = """
import concurrent.futures, http.client, json, sys, threading, time
over, failed, made, reset = threading.Event(), [], [], []
def ask(number, again=False):
    try:
        connection = http.client.HTTPConnection('127.0.0.1', 8100, timeout=20)
        connection.connect()
        time.sleep(float(sys.argv[1]))
        connection.request('GET', '/health')
        answer = connection.getresponse()
        if answer.status != 200 or b'"healthy"' not in answer.read():
            failed.append([number, answer.status])
        connection.close()
    except ConnectionResetError as error:
        (failed if again else reset).append([number, repr(error)])
        if not again:
            return ask(number, True)
    except Exception as error:
        failed.append([number, repr(error)])
    made.append(number)
def talk():
    began, number = time.monotonic(), 0
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        while not over.is_set():
            number += 1
            pool.submit(ask, number)
            time.sleep(max(0, began + number / float(sys.argv[2]) - time.monotonic()))
thread = threading.Thread(target=talk)
thread.start()
print('ready', flush=True)
sys.stdin.readline()
over.set()
thread.join()
print(json.dumps({'made': len(made), 'failed': failed, 'reset': reset}))
"""


@dataclass
class Requests:
    """The requests that ``callers`` sends. The fields are set when the block of ``callers`` ends.

    An exiting uvicorn worker resets connections whose requests it has not read. Clients retry such a request. ``reset``
    lists the retried requests, and ``failed`` all other requests without a healthy response.
    """

    made: int = 0
    failed: list[Any] = field(default_factory=list)
    reset: list[Any] = field(default_factory=list)


@contextlib.contextmanager
def callers(machine: Host, rate: int = 20, pause: float = 0) -> Iterator[Requests]:
    """Send requests to the service, ``rate`` per second, each over a new connection.

    Each caller waits for ``pause`` seconds after connecting, and then sends its request.
    """
    program = CALLERS.replace("'", "'\\''")
    process = subprocess.Popen(
        [*machine.ssh, f"python3 -c '{program}' {pause} {rate}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    assert process.stdout.readline() == "ready\n"
    requests = Requests()
    try:
        yield requests
    finally:
        output, _ = process.communicate("over\n", timeout=300)
        found = json.loads(output)
        requests.made, requests.failed, requests.reset = found["made"], found["failed"], found["reset"]
        # A worker resets connections only at the moment of its exit.
        assert len(requests.reset) < 5, requests.reset


def workers(machine: Host) -> list[int]:
    """Return the PIDs of the processes that gunicorn's main process started."""
    found = machine.run("pgrep -P $(systemctl show --property=MainPID --value ai-memory)", check=False)
    return [int(pid) for pid in found.split()]


def before(machine: Host, program: str) -> None:
    """Set the program that runs while a worker boots."""
    machine.run(f"sudo tee {CODE}/before.py", given=IN_SERVICE + program)


def wait_for_workers(machine: Host, reached: Callable[[list[int]], bool]) -> list[int]:
    """Wait until the same workers have met the condition ``reached`` for a second, and return their PIDs."""
    deadline, since, last = time.monotonic() + 60, 0.0, workers(machine)
    while not since or time.monotonic() - since < 1:
        found = workers(machine)
        since = (since or time.monotonic()) if found == last and reached(found) else 0.0
        last = found
        assert time.monotonic() < deadline, found
        time.sleep(0.1)
    return last


@contextlib.contextmanager
def served(machine: Host, start: str, more: str = "") -> Iterator[None]:
    """Run the service with another start command and additional unit settings."""
    settings = f"Environment=PYTHONPATH={CODE}\nExecStart=\nExecStart={start}\n{more}"
    with machine.drop_in(settings):
        machine.run("sudo systemctl restart ai-memory")
        machine.wait_until_healthy()
        try:
            yield
        finally:
            # The stop must not wait for processes that a failed test left behind.
            machine.run("sudo systemctl stop ai-memory-renewal || true; sudo systemctl kill --signal=KILL ai-memory")
            machine.run("sudo systemctl stop ai-memory; sudo systemctl reset-failed ai-memory")
            before(machine, "")


@pytest.fixture(scope="module", autouse=True)
def code(machine: Host) -> Iterator[None]:
    """Install the code that a test can change."""
    machine.reset()
    machine.run(f"sudo install -D -m 0644 /dev/stdin {CODE}/boot.py", given=BOOT)
    before(machine, "")
    yield
    machine.run(f"sudo rm -r {CODE}; sudo systemctl restart ai-memory")
    machine.wait_until_healthy()
