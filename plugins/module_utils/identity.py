"""Act as a system user, because PostgreSQL's peer authentication and libpq's default role depend on the user."""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def acting_as(user: str) -> Iterator[None]:
    """Act as a system user within the block, including in programs started there; this process must run as root.

    Raises KeyError if the user does not exist.
    """
    entry = pwd.getpwnam(user)
    # The current directory may be root's home directory, which other users cannot access.
    os.chdir("/")
    os.setegid(entry.pw_gid)
    os.seteuid(entry.pw_uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
