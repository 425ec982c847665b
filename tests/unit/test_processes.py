"""Reading other users' processes: names that are not valid UTF-8, and errors in a child process."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from ansible_collections.aimemory.tenancy.plugins.module_utils import gunicorn, processes
from ansible_collections.aimemory.tenancy.plugins.modules import service_route

# The kernel cuts a title after 15 bytes, here in the middle of a character.
TITLED = """
import ctypes, time
ctypes.CDLL(None).prctl(15, "fifteen bytes é".encode())
print(flush=True)
time.sleep(60)
"""
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="Only root can become another user.")


@pytest.fixture
def titled() -> Iterator[int]:
    """Yield the id of a process whose name ends in the middle of a character."""
    with subprocess.Popen([sys.executable, "-c", TITLED], stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        yield process.pid
        process.kill()


def test_the_state_of_a_process_is_read_although_its_name_was_cut(titled: int) -> None:
    assert processes.credentials(titled)[0] == os.geteuid()
    assert gunicorn.parent(titled) == os.getpid()
    assert gunicorn.identified(titled) is not None
    assert service_route._name(titled) == "fifteen bytes \ufffd"


@as_root
def test_a_process_is_read_although_its_name_was_cut(titled: int) -> None:
    assert [item["name"] for item in processes.read([titled])] == ["fifteen bytes \ufffd"]
