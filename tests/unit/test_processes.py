"""Reading other users' processes: names that are not valid UTF-8, and errors in a child process."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import psycopg2
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


def fail(error: Exception) -> None:
    raise error


@as_root
@pytest.mark.parametrize(
    ("error", "raised", "said"),
    [
        (ValueError("unsupported format character ''' at index 9"), OSError, "ValueError: unsupported format char"),
        (KeyError("caller"), OSError, "KeyError: 'caller'"),
        (FileNotFoundError(2, "No such file", "/gone"), FileNotFoundError, "[Errno 2] No such file: '/gone'"),
        (PermissionError(1, "Not permitted"), PermissionError, "[Errno 1] Not permitted"),
        (OSError("no response"), OSError, "OSError: no response"),
    ],
)
def test_an_error_of_the_child_is_the_error_of_its_parent(error: Exception, raised: type, said: str) -> None:
    with pytest.raises(OSError, match=re.escape(said)) as found:
        processes.as_user(*processes.own(), lambda: fail(error))
    assert type(found.value) is raised


@as_root
def test_an_error_of_the_child_tells_no_password() -> None:
    with pytest.raises(OSError, match=r"ProgrammingError: invalid dsn") as found:
        processes.as_user(*processes.own(), lambda: psycopg2.connect("postgresql://alice:secret@[/shop"))
    assert "secret" not in str(found.value)


@as_root
def test_a_result_that_is_no_json_is_an_error() -> None:
    with pytest.raises(OSError, match="TypeError: Object of type set is not JSON serializable"):
        processes.as_user(*processes.own(), lambda: [1, {2}])


@as_root
def test_a_child_that_ends_or_takes_too_long_is_told() -> None:
    user = os.geteuid()
    with pytest.raises(OSError, match=f"the child process of user {user} ended without a result"):
        processes.as_user(*processes.own(), lambda: os.kill(os.getpid(), signal.SIGKILL))
    with pytest.raises(OSError, match=f"the child process of user {user} did not end within 0 s"):
        processes.as_user(*processes.own(), lambda: time.sleep(60), patience=0.1)
