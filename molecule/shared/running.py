"""The service on a lab host with modified settings, files and code, and playbooks that inspect it."""

from __future__ import annotations

import contextlib
import urllib.parse
from collections.abc import Iterator

from lab import OWNER, Host, Run
from pooler import PASSWORD

CHECK = ("migrate.yml", "--check")
VERIFY = ("playbooks/verify.yml",)
ENVIRONMENT = "/opt/ai-memory/.env"
CODE = "/run/test-code"


def url(database: str = "ai_memory", user: str = OWNER, where: str = "localhost:5432") -> str:
    """Return a DATABASE_URL."""
    host, _, rest = where.partition("?")
    password = urllib.parse.quote(PASSWORD, safe="")
    return f"postgresql://{user}:{password}@{host}/{database}" + (f"?{rest}" if rest else "")


@contextlib.contextmanager
def unit(machine: Host, settings: str, *, restart: bool = True) -> Iterator[None]:
    """Temporarily run the service with additional settings in its unit."""
    with machine.drop_in(settings):
        if restart:
            machine.run("sudo systemctl restart ai-memory")
            machine.wait_until_healthy()
        try:
            yield
        finally:
            # Other changes of the test may still be in effect, so put_back starts the service later.
            machine.run("sudo systemctl stop ai-memory")


def put_back(machine: Host) -> None:
    """Restart the service after a test has removed its changes to the unit and the files."""
    machine.run("sudo systemctl reset-failed ai-memory; sudo systemctl restart ai-memory")
    machine.wait_until_healthy()


@contextlib.contextmanager
def file(machine: Host, path: str, text: str) -> Iterator[None]:
    """Temporarily replace a file with one that contains ``text`` and that only the service's user can read."""
    machine.run(f"sudo cp -p {path} {path}.test", check=False)
    machine.run(f"sudo install --owner=ai-memory --group=ai-memory --mode=0600 /dev/stdin {path}", given=text)
    try:
        yield
    finally:
        machine.run(f"sudo mv {path}.test {path} 2> /dev/null || sudo rm {path}")


@contextlib.contextmanager
def code(machine: Host, program: str) -> Iterator[str]:
    """Yield unit settings that make Python run a program before the service's own code."""
    machine.run(f"sudo install -D -m 0644 /dev/stdin {CODE}/sitecustomize.py", given=f"import os\n{program}\n")
    machine.run(f"sudo chown -R ai-memory {CODE}")
    try:
        yield f"Environment=PYTHONPATH={CODE}"
    finally:
        machine.run(f"sudo rm -r {CODE}")


def sets(value: str) -> str:
    """Return a program that sets DATABASE_URL, as code that reads a file does."""
    return f"os.environ['DATABASE_URL'] = {value!r}"


@contextlib.contextmanager
def second_session(machine: Host, value: str) -> Iterator[str]:
    """Yield unit settings that start an additional process with its own session."""
    program = f"import psycopg2, time\nsession = psycopg2.connect({value!r})\ntime.sleep(3600)\n"
    with code(machine, ""):
        machine.run(f"sudo install --owner=ai-memory -m 0600 /dev/stdin {CODE}/second.py", given=program)
        yield f"ExecStartPost=/bin/sh -c 'exec /usr/bin/setsid --fork /usr/bin/python3 {CODE}/second.py'"


def refused(machine: Host, *sentences: str, playbooks: tuple[tuple[str, ...], ...] = (CHECK,)) -> Run:
    """Assert that each playbook prints these sentences, fails and changes nothing. Return the last run."""
    assert sentences
    before = machine.untouched()
    for playbook in playbooks:
        run = machine.playbook(*playbook, check=False)
        for sentence in sentences:
            assert sentence in run.words, run.output
    assert machine.untouched() == before
    return run


def accepted(machine: Host, *arguments: str) -> Run:
    """Assert that a dry run succeeds and changes nothing, and return the run."""
    before = machine.untouched()
    run = machine.playbook(*CHECK, *arguments)
    assert "SUCCESS (check mode: nothing was touched)" in run.words
    assert machine.untouched() == before
    return run
